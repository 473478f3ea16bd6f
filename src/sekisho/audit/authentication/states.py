"""Where in a session papers count, for how long, and what is none of them.

AUTH-050 to AUTH-056; what a failure leaves behind is in `failures`, and what else is
taken for authentication in `trust`.
"""

from sekisho.audit.authentication.accounts import NO_ACCOUNT, signs_in
from sekisho.audit.authentication.attempt import (
    CHALLENGE,
    in_clear,
    judged,
    password_guess,
    worst,
)
from sekisho.audit.authentication.relaying import (
    RECIPIENT,
    second_step,
    succeeded,
)
from sekisho.audit.authentication.row import (
    OUT_OF_ORDER,
    WITH_ACCOUNT,
    row,
)
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

TLS_STARTS = 220
OUT_OF_SEQUENCE = 503

NO_TLS = not_applicable("no STARTTLS is offered", "STARTTLS が提供されていない")


async def before_tls(visit: Visit) -> Judgement:
    """Begin to say a password in clear; none is said."""
    async with in_clear(visit) as conversation:
        if conversation.secured:
            return not_applicable(
                "TLS is on from the start", "このポートは最初から TLS を使用する"
            )
        heard: list[Judgement] = []
        for mechanism in ("PLAIN", "LOGIN"):
            reply = await conversation.say(f"AUTH {mechanism}")
            if reply.code == CHALLENGE:
                await conversation.say("*")
                return flawed(
                    f"AUTH {mechanism} asks for a password without TLS",
                    f"AUTH {mechanism} が TLS なしでパスワードを要求する",
                )
            # That TLS is wanted first is the right reason here.
            heard.append(judged(reply, f"AUTH {mechanism}", secured=True))
    return worst(heard)


async def kept_over_starttls(visit: Visit) -> Judgement:
    """Sign in, start TLS, and see whether one is still signed in."""
    account = visit.account
    if account is None:
        return NO_ACCOUNT
    async with in_clear(visit) as conversation:
        if "STARTTLS" not in conversation.offers.keywords:
            return NO_TLS
        if not conversation.offers.mechanisms & {"PLAIN", "LOGIN"}:
            return safe("nobody can sign in before TLS", "TLS の開始前には認証できない")
        hindrance = await signs_in(visit, conversation, account)
        if hindrance is not None:
            return hindrance
        await conversation.start_tls()
        await conversation.ehlo()
        attempt = password_guess(conversation, account.user, account.password)
        return _signed_in_again(await attempt.exchange(conversation))


def _signed_in_again(reply: Reply) -> Judgement:
    if reply.code == OUT_OF_SEQUENCE:
        return flawed(
            f"who signed in before STARTTLS still is after it: {spelled(reply)}",
            f"STARTTLS の前の認証状態が、その後も残っている: {spelled(reply)}",
        )
    if succeeded(reply):
        return safe(
            "STARTTLS made the server forget who had signed in",
            "STARTTLS により、それまでの認証状態は破棄された",
        )
    return undecided(
        f"AUTH after STARTTLS was answered {spelled(reply)}",
        f"STARTTLS の後の AUTH に {spelled(reply)} が返された",
    )


async def without_a_new_ehlo(visit: Visit) -> Judgement:
    """Say MAIL right after the handshake, without EHLO.

    Many sound servers never ask for EHLO; only those that do can have kept one.
    """
    async with visit.dial() as conversation:
        if conversation.secured:
            return NO_TLS
        reply = await conversation.say("MAIL FROM:<>")
        if reply.code != OUT_OF_SEQUENCE:
            return not_applicable(
                f"this server asks for no EHLO: {spelled(reply)}",
                f"このサーバーは EHLO を必須としない: {spelled(reply)}",
            )
        await conversation.ehlo()
        if "STARTTLS" not in conversation.offers.keywords:
            return NO_TLS
        await conversation.start_tls()
        reply = await conversation.say("MAIL FROM:<>")
        if succeeded(reply):
            return flawed(
                "after STARTTLS the server still counts on the EHLO from before it",
                "STARTTLS の前の EHLO が、その後も有効なまま扱われる",
            )
        await conversation.ehlo()
        return await second_step(visit, conversation)


async def starttls_again(visit: Visit) -> Judgement:
    """Say STARTTLS within TLS."""
    async with visit.ready() as conversation:
        if not conversation.secured:
            return NO_TLS
        reply = await conversation.say("STARTTLS")
    return _out_of_order(reply, "STARTTLS", TLS_STARTS)


def _out_of_order(reply: Reply, what: str, wrong: int) -> Judgement:
    said = spelled(reply)
    if reply.code == wrong:
        return flawed(
            f"{what} was answered {said} where it has no place",
            f"許されない箇所での {what} に {said} が返された",
        )
    if reply.is_transient:
        return undecided(
            f"{what} was put off: {said}", f"{what} は一時的に拒否された: {said}"
        )
    return safe(f"{what} was refused: {said}", f"{what} は拒否された: {said}")


async def transaction_is_cleared(visit: Visit) -> Judgement:
    """Sign in, and name a recipient after RSET and EHLO ended the transaction."""
    account = visit.account
    if account is None:
        return NO_ACCOUNT
    async with visit.ready() as conversation:
        hindrance = await signs_in(visit, conversation, account)
        if hindrance is not None:
            return hindrance
        for ends in ("RSET", f"EHLO {conversation.hostname}"):
            mail = await conversation.say(visit.text("MAIL FROM:<{U}@{D}>"))
            if not succeeded(mail):
                return undecided(
                    f"the account's own sender is refused: {spelled(mail)}",
                    f"アカウント自身の送信者アドレスが拒否された: {spelled(mail)}",
                )
            await conversation.say(ends)
            reply = await conversation.say(visit.text(f"RCPT TO:<{RECIPIENT}>"))
            if succeeded(reply):
                return flawed(
                    f"{ends[:4]} did not end the transaction: {spelled(reply)}",
                    f"{ends[:4]} の後もトランザクションが残っている: {spelled(reply)}",
                )
            await conversation.say("RSET")
    return safe(
        "RSET and EHLO end the transaction",
        "RSET と EHLO によりトランザクションは破棄される",
    )


async def second_auth(visit: Visit) -> Judgement:
    """Sign in twice."""
    account = visit.account
    if account is None:
        return NO_ACCOUNT
    async with visit.ready() as conversation:
        hindrance = await signs_in(visit, conversation, account)
        if hindrance is not None:
            return hindrance
        attempt = password_guess(conversation, account.user, account.password)
        return _out_of_order(await attempt.exchange(conversation), "AUTH", 235)


async def inside_a_transaction(visit: Visit) -> Judgement:
    """Sign in behind MAIL, where it is taken from strangers."""
    account = visit.account
    if account is None:
        return NO_ACCOUNT
    async with visit.ready() as conversation:
        hindrance = await signs_in(visit, conversation, account)
        if hindrance is not None:
            return hindrance
    async with visit.ready() as conversation:
        mail = await conversation.say("MAIL FROM:<>")
        if not succeeded(mail):
            return safe(
                f"strangers begin no transaction: {spelled(mail)}",
                f"認証前にはトランザクションを開始できない: {spelled(mail)}",
            )
        attempt = password_guess(conversation, account.user, account.password)
        return _out_of_order(await attempt.exchange(conversation), "AUTH", 235)


FORGET = Text(
    "Forget all that was said before the handshake: greeting, transaction, identity.",
    "ハンドシェイク以前の状態 (EHLO・トランザクション・認証) は"
    "すべて破棄してください。",
)
IN_ORDER = Text(
    "Answer 503 5.5.1 to AUTH and STARTTLS where they have no place.",
    "許されない箇所での AUTH と STARTTLS には 503 5.5.1 を返してください。",
)
STATES: tuple[Probe, ...] = (
    row(
        id="AUTH-050",
        title=Text(
            "Passwords are taken without TLS", "TLS なしでパスワードを受け付ける"
        ),
        severity=Severity.HIGH,
        wire=("EHLO t", "AUTH PLAIN", "AUTH LOGIN"),
        safe=Text(
            "AUTH is not listed; 538 5.7.11, 530 5.7.0 or 504.",
            "AUTH を提示せず、538・530・504 のいずれかを返す。",
        ),
        advice=Text(
            "Offer AUTH under TLS only (Postfix: smtpd_tls_auth_only = yes).",
            "AUTH は TLS 接続でのみ提供してください "
            "(Postfix: smtpd_tls_auth_only = yes)。",
        ),
        references=("RFC 4954 §4", "RFC 8314 §3.3"),
        run=before_tls,
    ),
    row(
        id="AUTH-051",
        title=Text(
            "Who signed in before STARTTLS still is after it",
            "STARTTLS の前の認証状態が引き継がれる",
        ),
        severity=Severity.HIGH,
        wire=("AUTH, good", "STARTTLS", "EHLO", "AUTH, good"),
        safe=Text("Nobody is signed in after it.", "STARTTLS の後は未認証に戻る。"),
        advice=FORGET,
        references=("RFC 3207 §4.2",),
        run=kept_over_starttls,
        needs=WITH_ACCOUNT,
    ),
    row(
        id="AUTH-052",
        title=Text(
            "The EHLO from before STARTTLS counts after it",
            "STARTTLS の前の EHLO が、その後も有効なまま扱われる",
        ),
        severity=Severity.MEDIUM,
        wire=("EHLO t", "STARTTLS", "MAIL FROM:<>"),
        safe=OUT_OF_ORDER,
        advice=FORGET,
        references=("RFC 3207 §4.2",),
        run=without_a_new_ehlo,
    ),
    row(
        id="AUTH-053",
        title=Text(
            "STARTTLS is taken within TLS", "TLS 接続内で STARTTLS を受け付ける"
        ),
        severity=Severity.MEDIUM,
        wire=("STARTTLS", "EHLO", "STARTTLS"),
        safe=OUT_OF_ORDER,
        advice=IN_ORDER,
        references=("RFC 3207 §4.2",),
        run=starttls_again,
    ),
    row(
        id="AUTH-054",
        title=Text(
            "RSET or EHLO leaves the transaction open",
            "RSET や EHLO の後もトランザクションが残る",
        ),
        severity=Severity.LOW,
        wire=("AUTH, good", "MAIL FROM:<{U}@{D}>", "RSET", "RCPT TO:<{C}@{X}>"),
        safe=OUT_OF_ORDER,
        advice=Text(
            "Clear sender and recipients at RSET and at EHLO.",
            "RSET と EHLO の時点で送信者と宛先を破棄してください。",
        ),
        references=("RFC 5321 §4.1.1.5", "RFC 5321 §4.1.4"),
        run=transaction_is_cleared,
        needs=WITH_ACCOUNT,
    ),
    row(
        id="AUTH-055",
        title=Text("One may sign in twice", "認証済みのセッションで再び認証できる"),
        severity=Severity.MEDIUM,
        wire=("AUTH, good", "AUTH, good"),
        safe=OUT_OF_ORDER,
        advice=IN_ORDER,
        references=("RFC 4954 §4",),
        run=second_auth,
        needs=WITH_ACCOUNT,
    ),
    row(
        id="AUTH-056",
        title=Text(
            "One may sign in within a transaction",
            "トランザクションの途中で認証できる",
        ),
        severity=Severity.MEDIUM,
        wire=("MAIL FROM:<>", "AUTH, good"),
        safe=OUT_OF_ORDER,
        advice=IN_ORDER,
        references=("RFC 4954 §4",),
        run=inside_a_transaction,
        needs=WITH_ACCOUNT,
    ),
)
