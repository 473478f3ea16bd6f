"""Names and passwords that are none, and names that are something else than names.

Left out, since only the inside shows them: AUTH-021 (accounts that are locked, expired
or without a password).
"""

from sekisho.audit.authentication.attempt import (
    WRONG,
    Attempt,
    auth,
    b64,
    carry_out,
    login,
    plain,
    tried,
)
from sekisho.audit.authentication.row import (
    REFUSES_CREDENTIALS,
    WITH_STRESS,
    every,
    person,
    row,
)
from sekisho.audit.conversation import ClosedError, GarbageError, SilentError
from sekisho.audit.probe import Probe
from sekisho.audit.verdicts import (
    Judgement,
    Severity,
    Verdict,
    flawed,
    not_applicable,
    suspect,
)
from sekisho.audit.visit import Visit
from sekisho.model.text import Text


def empty_password(visit: Visit) -> list[Attempt]:
    """Say nothing where the password belongs (RFC 4513 §5.1.2)."""
    user = person(visit)
    return [
        plain("", user, ""),
        login(b64(user), b""),
        login(b64(user), b"="),
    ]


def empty_user(_visit: Visit) -> list[Attempt]:
    """Say nothing where the name belongs."""
    return [
        plain("", "", ""),
        plain("", "", WRONG),
        auth("PLAIN", b"AAA="),
        auth("PLAIN", b"="),
        login(b"", b""),
        login(b"=", b64(WRONG)),
    ]


def authzid_alone(visit: Visit) -> list[Attempt]:
    """Name the user where the name of whom to act for belongs."""
    return [
        auth("PLAIN", b"YWRtaW4AAHBhc3N3b3Jk"),
        plain(person(visit), "", ""),
        auth("PLAIN", b"="),
    ]


QUERIES = ("{U})(uid=*", "{U}' OR '1'='1")


async def queries(visit: Visit) -> Judgement:
    """Say names that mean something to directories, databases and files."""
    attempts = [plain("", visit.text(name), WRONG, guess=True) for name in QUERIES]
    judgement = await tried(visit, attempts)
    if judgement.verdict is not Verdict.UNDECIDED:
        return judgement
    # It may be the name at which the server stumbles, or every name just now.
    for_nobody = await tried(visit, [plain("", visit.text("{N}"), WRONG, guess=True)])
    if for_nobody.verdict is not Verdict.SAFE:
        return judgement
    return suspect(
        f"names with query characters are answered otherwise: {judgement.evidence.en}",
        f"クエリ用の文字を含む名前への応答だけが異なる: {judgement.evidence.ja}",
    )


async def control_characters(visit: Visit) -> Judgement:
    """Say a name with a line end, behind which stands a reply of its own."""
    reply = f"235 2.7.0 {visit.token}"
    for end in ("\r\n", "\n", "\r"):
        for attempt in (
            plain("", f"audit{end}{reply}", WRONG),
            login(b64(f"audit{end}{reply}"), b64(WRONG)),
        ):
            if await _splits(visit, attempt, reply):
                return flawed(
                    "a line end in a name begins a reply of its own",
                    "名前に含まれる改行により、別の応答行を注入できる",
                )
    names = ("audit\ttab", "audit\x7f", "audit\x1b[2J", "audit\u2028x")
    return await tried(visit, [plain("", name, "") for name in names])


async def _splits(visit: Visit, attempt: Attempt, injected: str) -> bool:
    before = len(visit.transcript.lines)
    try:
        async with visit.ready() as conversation:
            await carry_out(visit, conversation, attempt)
            await conversation.say("NOOP")
    except (ClosedError, GarbageError, SilentError):
        pass  # what was said up to there is in the transcript
    said = [line.text for line in visit.transcript.lines[before:]]
    return any(text.startswith(injected) or f"\\x0a{injected}" in text for text in said)


DEFAULTS = (
    *(("guest", "guest"), ("test", "test"), ("admin", "admin"), ("demo", "demo")),
    *(("postmaster", "postmaster"), ("smtp", "smtp"), ("root", "root")),
    *(("admin", "password"), ("test", "test123")),
)


async def default_accounts(visit: Visit) -> Judgement:
    """Guess what other products come with; bounded, and only with ``--stress``."""
    async with visit.ready() as conversation:
        offered = conversation.offers.mechanisms & {"PLAIN", "LOGIN"}
    if not offered:
        return not_applicable(
            "neither PLAIN nor LOGIN is offered", "PLAIN も LOGIN も提供されていない"
        )
    if "PLAIN" in offered:
        attempts = [plain("", *pair) for pair in DEFAULTS]
    else:
        attempts = [login(b64(user), b64(word)) for user, word in DEFAULTS]
    return await tried(visit, attempts)


ASK_NOBODY = Text(
    "Refuse an empty name and an empty password before any directory is asked; in "
    "LDAP switch unauthenticated binds off.",
    "空の名前と空のパスワードは、ディレクトリに問い合わせる前に拒否してください。"
    "LDAP では unauthenticated bind を無効にしてください。",
)
ESCAPE = Text(
    "Escape names in queries, file names and templates, or allow letters, digits and "
    "a few marks only.",
    "クエリ・ファイル名・テンプレートに渡す名前はエスケープするか、"
    "使用できる文字を制限してください。",
)

IDENTITIES: tuple[Probe, ...] = (
    row(
        id="AUTH-010",
        title=Text(
            "An empty password is taken for the right one",
            "空のパスワードで認証に成功する",
        ),
        severity=Severity.CRITICAL,
        wire=("AUTH PLAIN base64(NUL {U} NUL)", "AUTH LOGIN, {U}, nothing"),
        safe=REFUSES_CREDENTIALS,
        advice=ASK_NOBODY,
        references=("RFC 4513 §5.1.2", "CVE-2017-14623", "CVE-2014-0074"),
        run=every(empty_password),
    ),
    row(
        id="AUTH-011",
        title=Text("An empty name is taken for a user", "空の名前で認証に成功する"),
        severity=Severity.CRITICAL,
        wire=("AUTH PLAIN base64(NUL NUL)", "AUTH PLAIN AAA=", "AUTH PLAIN ="),
        safe=REFUSES_CREDENTIALS,
        advice=ASK_NOBODY,
        references=("RFC 4616 §2", "CVE-2014-0074"),
        run=every(empty_user),
    ),
    row(
        id="AUTH-013",
        title=Text(
            "An empty name is filled in from whom to act for",
            "空の認証 ID (authcid) が認可 ID (authzid) で補われる",
        ),
        severity=Severity.HIGH,
        wire=("AUTH PLAIN base64(admin NUL NUL password)",),
        safe=REFUSES_CREDENTIALS,
        advice=Text(
            "Refuse an empty name as malformed (RFC 4616 §2).",
            "空の認証 ID は構文エラーとして拒否してください (RFC 4616 §2)。",
        ),
        references=("RFC 4616 §2",),
        run=every(authzid_alone),
    ),
    row(
        id="AUTH-015",
        title=Text(
            "Line ends in a name split the reply",
            "名前に含まれる改行で応答が分割される",
        ),
        severity=Severity.HIGH,
        wire=('AUTH PLAIN base64(NUL x CRLF "235 2.7.0 x" NUL x)', "NOOP"),
        safe=Text(
            "One refusal of one line; the next command is answered in step.",
            "1 行の拒否応答を返し、次の命令への応答がずれない。",
        ),
        advice=Text(
            "Refuse control characters in names, and never repeat a name in a reply.",
            "名前に含まれる制御文字を拒否し、応答に名前をそのまま含めないでください。",
        ),
        references=("RFC 4616 §2", "CVE-2026-23829"),
        run=control_characters,
    ),
    row(
        id="AUTH-016",
        title=Text(
            "A name is carried out as a query",
            "名前がクエリとして解釈される",
        ),
        severity=Severity.CRITICAL,
        wire=("AUTH PLAIN base64(NUL {each name} NUL wrong)", *QUERIES),
        safe=Text(
            "535 5.7.8, as for any name that nobody has.",
            "存在しない名前と同じ 535 5.7.8 を返す。",
        ),
        advice=ESCAPE,
        references=("CVE-2026-24031", "CVE-2022-24407", "CVE-2017-2669"),
        run=queries,
        attempts=len(QUERIES),
    ),
    row(
        id="AUTH-022",
        title=Text(
            "A default account is open", "初期設定のままのアカウントで認証に成功する"
        ),
        severity=Severity.HIGH,
        wire=tuple(f"{user} / {word}" for user, word in DEFAULTS),
        safe=REFUSES_CREDENTIALS,
        advice=Text(
            "Remove these accounts, or give them passwords that nobody can guess.",
            "これらのアカウントを削除するか、推測できないパスワードに変更してください。",
        ),
        references=("CWE-1392",),
        run=default_accounts,
        needs=WITH_STRESS,
    ),
)
