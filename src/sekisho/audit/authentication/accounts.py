"""What right credentials must not be good for: other spellings, other names.

All of these need the administrator's account. First it is shown that the credentials
are right; otherwise a refusal says nothing.
"""

from collections.abc import Callable, Sequence
from functools import partial

from sekisho.audit.authentication.attempt import (
    NOT_THERE,
    Attempt,
    auth,
    b64,
    carry_out,
    judged,
    login,
    password_guess,
    tried,
)
from sekisho.audit.authentication.relaying import Relaying, offered, succeeded
from sekisho.audit.authentication.row import (
    REFUSES_CREDENTIALS,
    WITH_ACCOUNT,
    WITH_BOTH,
    Run,
    row,
)
from sekisho.audit.controls import PASSWORD_MECHANISMS
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
from sekisho.audit.visit import Account, Visit, spelled
from sekisho.model.text import Text

BCRYPT_OCTETS = 72
DES_OCTETS = 8

NO_ACCOUNT = not_applicable("no account was given", "アカウントが指定されていない")


def hidden(visit: Visit, token: bytes) -> bytes:
    """Keep a token out of the transcript, and give it."""
    visit.transcript.hide(token)
    return token


def by_plain(visit: Visit, *fields: str | bytes) -> Attempt:
    """Make an attempt by PLAIN whose token is not shown."""
    return auth("PLAIN", hidden(visit, b64(*fields)))


def by_login(visit: Visit, user: bytes, password: bytes) -> Attempt:
    """Make an attempt by LOGIN whose password is not shown."""
    return login(b64(user), hidden(visit, b64(password)))


async def signs_in(
    visit: Visit, conversation: Conversation, account: Account
) -> Judgement | None:
    """Sign in rightly; None if that went well."""
    visit.transcript.hide(b64("", account.user, account.password))
    visit.transcript.hide(account.password)
    attempt = password_guess(conversation, account.user, account.password)
    reply = await attempt.exchange(conversation)
    if succeeded(reply):
        return None
    if reply.code in NOT_THERE and not _takes_passwords(conversation):
        return not_applicable(
            f"no password is taken here: {spelled(reply)}",
            f"パスワードによる認証の提供なし: {spelled(reply)}",
        )
    return undecided(
        f"the account given is refused itself: {spelled(reply)}",
        f"指定されたアカウント自体が拒否された: {spelled(reply)}",
    )


def _takes_passwords(conversation: Conversation) -> bool:
    return bool(conversation.offers.mechanisms & PASSWORD_MECHANISMS)


Make = Callable[[Visit, Account], Sequence[Attempt]]


async def _with_account(visit: Visit, make: Make) -> Judgement:
    account = visit.account
    if account is None:
        return NO_ACCOUNT
    attempts = make(visit, account)
    if not attempts:
        return not_applicable(
            "this account's name and password leave nothing to try",
            "このアカウントの名前とパスワードでは試せない",
        )
    async with visit.ready() as conversation:
        hindrance = await signs_in(visit, conversation, account)
    return await tried(visit, attempts) if hindrance is None else hindrance


def with_account(make: Make) -> Run:
    """Make the run that shows the account to be right, and then tries these."""
    return partial(_with_account, make=make)


async def another_authzid(visit: Visit) -> Judgement:
    """Sign in rightly, to act for somebody else."""
    account = visit.account
    if account is None:
        return NO_ACCOUNT
    visit.transcript.hide(account.password)
    attempt = by_plain(visit, visit.text("{V}"), account.user, account.password)
    async with visit.ready() as conversation:
        reply = await carry_out(visit, conversation, attempt)
        if not succeeded(reply):
            return judged(reply, "AUTH PLAIN", secured=conversation.secured)
        acting = await offered(visit, conversation, "{V}@{D}")
    if acting.outcome is not Relaying.ACCEPTED:
        return safe(
            f"235, but not as the other: {acting.said}",
            f"235 が返されたが、他者としては扱われない: {acting.said}",
        )
    async with visit.ready() as conversation:
        hindrance = await signs_in(visit, conversation, account)
        if hindrance is not None:
            return hindrance
        own = await offered(visit, conversation, "{V}@{D}")
    if own.outcome is Relaying.REFUSED:
        return flawed(
            "with an authzid of another the session acts as the other",
            "他者の authzid を指定すると、セッションがその他者として扱われる",
        )
    return undecided(
        "235; everybody may use any sender here, so whose session it is does not show",
        "235 が返されたが、送信者の制限がないため、誰のセッションか判別できない",
    )


def fields(visit: Visit, account: Account) -> list[Attempt]:
    """Say too few fields, too many, and NULs inside of one."""
    user, password = account.user, account.password
    return [
        by_plain(visit, user, password),
        by_plain(visit, "", user, password, "x"),
        by_plain(visit, "", "", user, password),
        by_login(visit, f"{user}\0x".encode(), password.encode()),
        by_login(visit, user.encode(), f"{password}\0x".encode()),
    ]


LOOKALIKES = str.maketrans(
    {"k": "\u212a", "i": "\u0131", "a": "\u0430", "e": "\u0435", "o": "\u043e"}
)


def spellings(visit: Visit, account: Account) -> list[Attempt]:
    """Spell the name in ways that look like it, and are another name."""
    user, password = account.user, account.password
    names = (
        user[:1] + "\u200b" + user[1:],
        "\ufeff" + user,
        user.translate(LOOKALIKES),
        user + ".",
        user + "\u0301",
    )
    return [by_plain(visit, "", name, password) for name in names if name != user]


def bcrypt_end(visit: Visit, account: Account) -> list[Attempt]:
    """Change the password behind what bcrypt reads."""
    octets = account.password.encode()
    if len(octets) <= BCRYPT_OCTETS:
        return []
    other = octets[:BCRYPT_OCTETS] + b"X" * 8
    token = hidden(visit, b64("", account.user, other))
    return [auth("PLAIN", token, guess=True)]


def near_passwords(visit: Visit, account: Account) -> list[Attempt]:
    """Cut the password, and change its case and its end."""
    user, password = account.user, account.password
    near = {password[:DES_OCTETS], password.swapcase(), password + " ", password + "x"}
    return [by_plain(visit, "", user, one) for one in sorted(near - {password})]


def lax_base64(visit: Visit, account: Account) -> list[Attempt]:
    """Spell the right credentials in base64 that is none (RFC 4648 §3.3)."""
    good = b64("", account.user, account.password)
    spelled_otherwise = (
        good[:8] + b" " + good[8:],
        good[:8] + b"!" + good[8:],
        good + b"====",
        good.rstrip(b"=") + b"=" + b"AAAA",
    )
    return [auth("PLAIN", None, hidden(visit, one)) for one in spelled_otherwise]


WHOLE_NAMES = Text(
    "Bring names into one normal form (RFC 8265) once, use it everywhere, and refuse "
    "what changes in it.",
    "名前は入口で一度だけ正規化し (RFC 8265)、以後はその形だけを使用してください。",
)
WHOLE_PASSWORDS = Text(
    "Use a hash that reads the whole password, or refuse longer ones when they are "
    "set; change nothing in a password before it is compared.",
    "パスワード全体を対象とするハッシュを使用するか、長すぎるパスワードの設定を拒否して"
    "ください。比較の前にパスワードを加工しないでください。",
)
STRICT = Text(
    "Refuse messages that do not follow the grammar of RFC 4616 with 501 5.5.2.",
    "RFC 4616 の構文に合わないメッセージは 501 5.5.2 で拒否してください。",
)

ACCOUNTS: tuple[Probe, ...] = (
    row(
        id="AUTH-012",
        title=Text(
            "With one's own credentials one acts for another",
            "自分の認証情報で他者として認証される (authzid の混同)",
        ),
        severity=Severity.CRITICAL,
        wire=("AUTH PLAIN base64({V} NUL {U} NUL {P})", "MAIL FROM:<{V}@{D}>"),
        safe=Text(
            "535 5.7.8; or 235 as {U}, who may not write as {V}.",
            "535 5.7.8 を返す。または {U} として扱い、{V} の送信者名を拒否する。",
        ),
        advice=Text(
            "Refuse an authzid other than the user's own, unless a rule allows it.",
            "明示的に許可した場合を除き、本人以外の authzid を拒否してください。",
        ),
        references=("CVE-2023-27582", "RFC 4616 §2"),
        run=another_authzid,
        needs=WITH_ACCOUNT,
    ),
    row(
        id="AUTH-014",
        title=Text(
            "Fields too many or too few are read as credentials",
            "欄の数が正しくない認証情報が受け入れられる",
        ),
        severity=Severity.LOW,
        wire=(
            "base64({U} NUL {P})",
            "base64(NUL {U} NUL {P} NUL x)",
            "LOGIN {U} NUL x",
        ),
        safe=REFUSES_CREDENTIALS,
        advice=STRICT,
        references=("RFC 4616 §2",),
        run=with_account(fields),
        needs=WITH_ACCOUNT,
    ),
    row(
        id="AUTH-017",
        title=Text(
            "Names that only look like the user's are taken for it",
            "見た目が似ているだけの別の名前で認証に成功する",
        ),
        severity=Severity.HIGH,
        wire=("AUTH PLAIN, {U} with U+200B, U+FEFF, U+212A, a dot behind it",),
        safe=REFUSES_CREDENTIALS,
        advice=WHOLE_NAMES,
        references=("RFC 8265 §3", "RFC 4013"),
        run=with_account(spellings),
        needs=WITH_BOTH,
    ),
    row(
        id="AUTH-018",
        title=Text(
            "A password counts up to its 72nd octet only",
            "パスワードの 73 オクテット目以降が無視される",
        ),
        severity=Severity.HIGH,
        wire=("AUTH PLAIN, the first 72 octets of {P} and XXXXXXXX",),
        safe=REFUSES_CREDENTIALS,
        advice=WHOLE_PASSWORDS,
        references=("CVE-2025-22228", "CVE-2025-68402"),
        run=with_account(bcrypt_end),
        needs=WITH_ACCOUNT,
        attempts=1,
    ),
    row(
        id="AUTH-019",
        title=Text(
            "Passwords that are nearly right are right",
            "一部だけ異なるパスワードで認証に成功する",
        ),
        severity=Severity.HIGH,
        wire=("AUTH PLAIN: {P} cut to 8, in other case, with a blank, with an x",),
        safe=REFUSES_CREDENTIALS,
        advice=WHOLE_PASSWORDS,
        references=("RFC 8265 §4",),
        run=with_account(near_passwords),
        needs=WITH_BOTH,
    ),
    row(
        id="AUTH-020",
        title=Text(
            "Base64 that is none is read all the same",
            "不正な base64 の認証情報が受け入れられる",
        ),
        severity=Severity.MEDIUM,
        wire=("AUTH PLAIN", "(334) base64 of {U}, {P} with a blank, !, data after ="),
        safe=Text("501 5.5.2.", "501 5.5.2 を返す。"),
        advice=Text(
            "Decode strictly (RFC 4648 §3.3): one spelling for one secret.",
            "base64 は厳密に復号してください (RFC 4648 §3.3)。",
        ),
        references=("RFC 4648 §3.3", "RFC 4954 §4"),
        run=with_account(lax_base64),
        needs=WITH_ACCOUNT,
    ),
)
