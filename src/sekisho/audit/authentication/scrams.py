"""SCRAM (RFC 5802, RFC 7677): nonces, proofs, bindings, and unknown users."""

import hashlib
from functools import partial

from sekisho.audit.authentication.accounts import NO_ACCOUNT
from sekisho.audit.authentication.attempt import CHALLENGE, Attempt, tried
from sekisho.audit.authentication.relaying import succeeded
from sekisho.audit.authentication.row import (
    REFUSES_CREDENTIALS,
    WITH_ACCOUNT,
    person,
    row,
)
from sekisho.audit.authentication.scram_client import (
    CLIENT_NONCE,
    HASHES,
    Scram,
    Told,
    read,
    send_final,
    text64,
)
from sekisho.audit.conversation import Conversation
from sekisho.audit.probe import Probe
from sekisho.audit.verdicts import (
    Judgement,
    Severity,
    flawed,
    not_applicable,
    safe,
    undecided,
)
from sekisho.audit.visit import Visit, spelled
from sekisho.model.reply import Reply
from sekisho.model.text import Text

NONE_OFFERED = not_applicable("SCRAM is not offered", "SCRAM は提供されていない")


async def _offered(visit: Visit) -> tuple[str, frozenset[str]]:
    """Give the best SCRAM that is offered, or nothing, and all that is offered."""
    async with visit.ready() as conversation:
        offered = conversation.offers.mechanisms
    return next((one for one in HASHES if one in offered), ""), offered


def _attempt(scram: Scram, *, guess: bool = False) -> Attempt:
    return Attempt(mechanism=scram.mechanism, exchange=scram.exchange, guess=guess)


async def _right(visit: Visit) -> Scram | Judgement:
    """Give a client whose exchange was seen to go well, or why there is none."""
    if visit.account is None:
        return NO_ACCOUNT
    mechanism, _ = await _offered(visit)
    if not mechanism:
        return NONE_OFFERED
    visit.transcript.hide(visit.account.password)
    right = Scram(
        mechanism=mechanism, user=visit.account.user, password=visit.account.password
    )
    async with visit.ready() as conversation:
        reply = await right.exchange(conversation)
    if succeeded(reply):
        return right
    return undecided(
        f"the account given is refused by {mechanism} itself: {spelled(reply)}",
        f"指定されたアカウントが {mechanism} で拒否された: {spelled(reply)}",
    )


async def nonces(visit: Visit) -> Judgement:
    """Prove rightly, over a nonce that is not this exchange's.

    An empty nonce of the client's is its own fault (Cyrus SASL takes one).
    """
    right = await _right(visit)
    if isinstance(right, Judgement):
        return right
    said: list[str] = []

    async def recorded(conversation: Conversation) -> Reply:
        reply = await right.first(conversation)
        if reply.code != CHALLENGE:
            return reply
        said.append(right.final(read(reply)))
        await conversation.say("*")
        return await conversation.say("NOOP")

    async with visit.ready() as conversation:
        await recorded(conversation)

    async def replayed(conversation: Conversation) -> Reply:
        reply = await right.first(conversation)
        return (
            await send_final(conversation, said[0])
            if reply.code == CHALLENGE and said
            else reply
        )

    attempts = [
        _attempt(right.but(answer_nonce=wrong)) for wrong in (CLIENT_NONCE, "x", "")
    ]
    attempts.append(Attempt(mechanism=right.mechanism, exchange=replayed))
    return await tried(visit, attempts)


async def proofs(visit: Visit) -> Judgement:
    """Prove nothing, in several forms."""
    mechanism, _ = await _offered(visit)
    wrong = Scram(
        mechanism=mechanism or "SCRAM-SHA-256", user=person(visit), password=""
    )
    size = hashlib.new(HASHES[wrong.mechanism]).digest_size
    zeros = f",p={text64(bytes(size))}"
    attempts = [
        _attempt(wrong.but(ends=ends))
        for ends in (",p=", ",p=AA==", zeros + zeros, "", ",x=y")
    ]
    return await tried(visit, [*attempts, _attempt(wrong.but(ends=zeros), guess=True)])


async def bindings(visit: Visit) -> Judgement:
    """Bind what is proved rightly to another channel, or against the offer to none."""
    right = await _right(visit)
    if isinstance(right, Judgement):
        return right
    _, offered = await _offered(visit)
    attempts = [
        _attempt(right.but(bound=text64(bound)))
        for bound in (b"y,,", b"p=tls-exporter,," + bytes(32), b"")
    ]
    plus = right.mechanism + "-PLUS"
    if plus in offered:
        attempts.append(_attempt(right.but(header="y,,")))
        for kind in ("tls-exporter", "tls-server-end-point", "unknown"):
            bound = right.but(mechanism=plus, header=f"p={kind},,", binding=b"\7" * 32)
            attempts.append(_attempt(bound))
    return await tried(visit, attempts)


async def _told(visit: Visit, scram: Scram) -> Told | Reply:
    async with visit.ready() as conversation:
        reply = await scram.first(conversation)
        if reply.code != CHALLENGE:
            return reply
        await conversation.say("*")
        return read(reply)


async def unknown_users(visit: Visit) -> Judgement:
    """Ask twice for nobody: its salt has to stay, as a real one does."""
    mechanism, _ = await _offered(visit)
    if not mechanism:
        return NONE_OFFERED
    ask = partial(Scram, mechanism=mechanism, password="")
    nobody = [await _told(visit, ask(user=visit.text("{N}"))) for _ in range(2)]
    known = None
    if visit.names.known:
        known = await _told(visit, ask(user=visit.names.known))
    return _alike(nobody, known)


def _alike(nobody: list[Told | Reply], known: Told | Reply | None) -> Judgement:
    one, two = nobody
    if isinstance(one, Reply) or isinstance(two, Reply):
        if isinstance(known, Told):
            return flawed(
                "SCRAM challenges a user who exists, and refuses one who does not",
                "SCRAM が実在する利用者にだけチャレンジを返す",
            )
        return safe(
            "SCRAM challenges nobody here", "SCRAM のチャレンジは返されなかった"
        )
    if one.salt != two.salt:
        return flawed(
            "the salt of a user who does not exist changes with each question",
            "存在しない利用者のソルトが問い合わせのたびに変わる",
        )
    if isinstance(known, Told) and _shape(known) != _shape(one):
        return flawed(
            "iterations or salt length differ between users who exist and who do not",
            "反復回数またはソルト長が、実在する利用者とそうでない利用者で異なる",
        )
    return safe(
        "an unknown user is challenged like a known one, twice alike",
        "未知の利用者にも実在の利用者と同様のチャレンジが返され、内容も一定",
    )


def _shape(told: Told) -> tuple[int, int]:
    return told.iterations, len(told.salt)


EXACT = Text(
    "Compare the whole nonce, the whole proof and the channel binding, and refuse "
    "whatever is not there once.",
    "nonce・proof・チャネルバインディングの全体を比較し、欠落や重複を拒否してください。",
)

SCRAMS: tuple[Probe, ...] = (
    row(
        id="AUTH-035",
        title=Text("SCRAM does not look at the nonce", "SCRAM が nonce を検証しない"),
        severity=Severity.CRITICAL,
        wire=("AUTH SCRAM-…", "(334) r= only the client's part, x, nothing; a replay"),
        safe=REFUSES_CREDENTIALS,
        advice=EXACT,
        references=("RFC 5802 §5.1", "CVE-2022-48195"),
        run=nonces,
        needs=WITH_ACCOUNT,
    ),
    row(
        id="AUTH-036",
        title=Text(
            "SCRAM takes a proof that proves nothing",
            "SCRAM が無効な proof を受け入れる",
        ),
        severity=Severity.CRITICAL,
        wire=("AUTH SCRAM-…", "(334) p= empty, one octet, zeros, twice, not at all"),
        safe=REFUSES_CREDENTIALS,
        advice=EXACT,
        references=("RFC 5802 §3",),
        run=proofs,
        attempts=1,
    ),
    row(
        id="AUTH-037",
        title=Text(
            "SCRAM does not look at the channel binding",
            "SCRAM がチャネルバインディングを検証しない",
        ),
        severity=Severity.HIGH,
        wire=("AUTH SCRAM-…, c= not the header", "…-PLUS, bound to another channel"),
        safe=REFUSES_CREDENTIALS,
        advice=EXACT,
        references=("RFC 5802 §6", "RFC 9266", "RFC 5929"),
        run=bindings,
        needs=WITH_ACCOUNT,
    ),
    row(
        id="AUTH-038",
        title=Text(
            "SCRAM tells who exists", "SCRAM のチャレンジから利用者の有無が分かる"
        ),
        severity=Severity.MEDIUM,
        wire=("AUTH SCRAM-… as {N}, twice, and as {U}",),
        safe=Text(
            "Unknown users have a salt that stays, and the usual iterations.",
            "未知の利用者にも一定のソルトと通常の反復回数を返す。",
        ),
        advice=Text(
            "Derive the salt of unknown users from their name and a secret.",
            "未知の利用者のソルトは、名前と秘密の値から導出してください。",
        ),
        references=("RFC 5802 §5.1",),
        run=unknown_users,
    ),
)
