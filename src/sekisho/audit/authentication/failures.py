"""What a failed AUTH leaves behind: nothing, be it refused, given up or overtaken."""

from sekisho.audit.authentication.attempt import (
    WRONG,
    Attempt,
    auth,
    b64,
    judged,
    password_guess,
    tried,
    worst,
)
from sekisho.audit.authentication.relaying import (
    RECIPIENT,
    Offer,
    Relaying,
    judged_offer,
    read,
    succeeded,
)
from sekisho.audit.authentication.row import REFUSES_CREDENTIALS, row
from sekisho.audit.conversation import ClosedError
from sekisho.audit.probe import Probe
from sekisho.audit.verdicts import Judgement, Severity
from sekisho.audit.visit import Visit
from sekisho.model.reply import Reply
from sekisho.model.text import Text

MOST_ABORTED = 4


async def after_a_failure(visit: Visit) -> Judgement:
    """Fail rightly, with a name that nobody has."""
    async with visit.ready() as conversation:
        guess = password_guess(conversation, visit.text("{N}"), WRONG)
    return await tried(visit, [guess])


async def after_an_abort(visit: Visit) -> Judgement:
    """Give exchanges up, and say a command within them."""
    async with visit.ready() as conversation:
        offered = sorted(conversation.offers.mechanisms - {"PLAIN", "LOGIN"})
    attempts: list[Attempt] = []
    for mechanism in ("PLAIN", "LOGIN", *offered[: MOST_ABORTED - 2]):
        attempts += [
            auth(mechanism, None, b"*"),
            auth(mechanism, None, visit.text("MAIL FROM:<audit@{D}>").encode()),
        ]
    return await tried(visit, attempts)


async def pipelined(visit: Visit) -> Judgement:
    """Send AUTH that fails, MAIL and RCPT in one segment."""
    rest = visit.text(f"MAIL FROM:<>\r\nRCPT TO:<{RECIPIENT}>\r\n")
    async with visit.ready() as conversation:
        token = b"AAA="
        if "PLAIN" in conversation.offers.mechanisms:
            if visit.spent is not None:
                visit.spent()
            token = b64("", visit.text("{N}"), WRONG)
        await conversation.send(b"AUTH PLAIN " + token + b"\r\n" + rest.encode())
        replies: list[Reply] = []
        try:
            while len(replies) < len(("AUTH", "MAIL", "RCPT")):
                replies.append(await conversation.reply())
        except ClosedError:
            if not replies:
                raise
        first = judged(replies[0], "AUTH PLAIN", secured=conversation.secured)
        offer = _offer_of(replies)
        return worst([first, await judged_offer(visit, conversation, offer)])


def _offer_of(replies: list[Reply]) -> Offer:
    if len(replies) < len(("AUTH", "MAIL", "RCPT")):
        return Offer(Relaying.ENDED, replies[-1])
    mail, last = replies[1:]
    if succeeded(mail) or succeeded(last):
        return read(last, at_rcpt=True)
    return read(mail, at_rcpt=False)


NO_PASSAGE = Text(
    "Decide on relaying by what succeeded, not by that something was tried.",
    "中継の可否は、認証の試行ではなく成功に基づいて判定してください。",
)

FAILURES: tuple[Probe, ...] = (
    row(
        id="AUTH-057",
        title=Text(
            "After a failed AUTH the session relays",
            "認証失敗後のセッションで中継できる",
        ),
        severity=Severity.CRITICAL,
        wire=("AUTH PLAIN, wrong", "MAIL FROM:<audit@{D}>", "RCPT TO:<{C}@{X}>"),
        safe=REFUSES_CREDENTIALS,
        advice=NO_PASSAGE,
        references=("RFC 4954 §4",),
        run=after_a_failure,
        attempts=1,
    ),
    row(
        id="AUTH-058",
        title=Text(
            "After AUTH was given up the session relays",
            "認証中断後のセッションで中継できる",
        ),
        severity=Severity.CRITICAL,
        wire=("AUTH LOGIN", "(334) *", "AUTH LOGIN", "(334) MAIL FROM:<audit@{D}>"),
        safe=Text(
            "501; a line within the exchange is no command.",
            "501 を返す。認証交換中の行を命令として扱わない。",
        ),
        advice=NO_PASSAGE,
        references=("RFC 4954 §4",),
        run=after_an_abort,
    ),
    row(
        id="AUTH-059",
        title=Text(
            "Commands sent behind AUTH run as if it had succeeded",
            "AUTH と同時に送られた命令が認証済みとして実行される",
        ),
        severity=Severity.HIGH,
        wire=(
            "one segment: AUTH PLAIN AAA= / MAIL FROM:<audit@{D}> / RCPT TO:<{C}@{X}>",
        ),
        safe=Text(
            "501 or 535, and then 530 or 550; or 554 and the end.",
            "501 または 535 の後、530 または 550 を返す。または切断する。",
        ),
        advice=NO_PASSAGE,
        references=("RFC 2920 §3.1", "RFC 4954 §4"),
        run=pipelined,
        attempts=1,
    ),
)
