"""A transaction up to the content: who sends, who gets it, and what the message says.

Only probes that need the canary come here, for from here on a message may be
delivered: to the local user whom the administrator named, or to the canary; to nobody
else. The message says what it is, and from whom.
"""

from dataclasses import replace

from sekisho.audit.controls import PASSWORD_MECHANISMS, SIGNED_IN, sign_in
from sekisho.audit.conversation import Conversation
from sekisho.audit.counting import positive
from sekisho.audit.hindrances import KnownHindranceError
from sekisho.audit.verdicts import Judgement, not_applicable, safe, undecided
from sekisho.audit.visit import Visit, spelled
from sekisho.model.reply import Reply
from sekisho.model.text import Text

END = b"\r\n.\r\n"
GO_ON = 354
END_SECONDS = 60.0
"""After the end of data servers ask their filters; RFC 5321 allows ten minutes."""


class NotTakenError(KnownHindranceError):
    """The server takes no mail from us, so nothing can be asked by its content."""

    def __init__(self, en: str, ja: str, reply: Reply) -> None:
        self.en, self.ja, self.reply = en, ja, reply
        said = spelled(reply)
        super().__init__(Text(f"{en}: {said}", f"{ja}: {said}"))


def head(visit: Visit, *fields: bytes) -> bytes:
    """Give the message up to within its first line of text."""
    text = (
        f"From: <{_sender(visit)}>\r\nTo: <{visit.text('{C}@{X}')}>\r\n"
        f"Subject: {visit.text('sekisho audit {C}')}\r\n"
        f"Message-ID: <{visit.text('{C}@{X}')}>\r\n"
    ).encode()
    return text + b"".join(field + b"\r\n" for field in fields) + b"\r\nAn audit"


class NotSentOnError(NotTakenError):
    """Nobody can sign in here, and strangers' mail is not sent on."""


NOT_SENT_ON = not_applicable(
    "nobody can sign in here, and nothing of strangers is sent on",
    "認証の提供なし、第三者のメールも転送されない",
)


async def begin(
    visit: Visit, conversation: Conversation, *, to_canary: bool = False
) -> None:
    """Say MAIL and RCPT.

    Where there is an account it signs in first for what goes to the canary, and else
    only where strangers may not send mail.

    Raises:
        NotTakenError: Nobody of ours may be sent mail.

    """
    stranger = replace(visit, account=None)
    if not conversation.offers.mechanisms & PASSWORD_MECHANISMS:
        try:
            await _envelope(stranger, conversation, to_canary=to_canary)
        except NotTakenError as refused:
            if refused.reply.code < 500:  # noqa: PLR2004 - put off, not refused
                raise
            raise NotSentOnError(refused.en, refused.ja, refused.reply) from refused
        return
    if visit.account is None or to_canary:
        await _sign_in(visit, conversation)
        await _envelope(visit, conversation, to_canary=to_canary)
        return
    try:
        await _envelope(stranger, conversation, to_canary=False)
    except NotTakenError:
        await conversation.say("RSET")
        await _sign_in(visit, conversation)
        await _envelope(visit, conversation, to_canary=False)


async def _envelope(
    visit: Visit, conversation: Conversation, *, to_canary: bool
) -> None:
    reply = await conversation.say(f"MAIL FROM:<{_sender(visit)}>")
    if not positive(reply):
        raise NotTakenError("the sender was refused", "送信者を拒否", reply)
    for recipient in _recipients(visit, to_canary=to_canary):
        reply = await conversation.say(f"RCPT TO:<{recipient}>")
        if positive(reply):
            return
    raise NotTakenError("no recipient of ours was taken", "宛先をすべて拒否", reply)


async def begin_data(
    visit: Visit, conversation: Conversation, *, to_canary: bool = False
) -> None:
    """Say MAIL, RCPT and DATA.

    Raises:
        NotTakenError: Something of it was refused.

    """
    await begin(visit, conversation, to_canary=to_canary)
    reply = await conversation.say("DATA")
    if reply.code != GO_ON:
        raise NotTakenError("DATA was refused", "DATA を拒否", reply)


async def finish(conversation: Conversation, octets: bytes) -> Reply:
    """Send content and its end; give the reply."""
    await conversation.send(octets + END)
    return await conversation.reply(END_SECONDS)


async def carried(
    visit: Visit, content: bytes, *, name: str = "", chunk: bool = False
) -> bytes | Judgement:
    """Send a message to the canary, and give what arrived.

    Args:
        visit: The probe's.
        content: Dots stuffed; its end is put behind it.
        name: For EHLO, to be said once more.
        chunk: By BDAT.

    Returns:
        What arrived, or the verdict where nothing did.

    """
    if visit.fetched is None:
        return undecided(
            "the canary's mailbox cannot be read, so nobody sees what arrives",
            "カナリアのメールボックスを読めず、届いた内容の確認不能",
        )
    try:
        reply = await _handed_over(visit, content, name=name, chunk=chunk)
    except NotSentOnError:
        return NOT_SENT_ON
    if not positive(reply):
        return safe(f"refused: {spelled(reply)}", f"拒否: {spelled(reply)}")
    arrived = await visit.fetched(visit.token)
    if arrived is None:
        return undecided(
            f"taken ({spelled(reply)}), but the canary did not come",
            f"受理 ({spelled(reply)}) されたが、カナリアは未到着",
        )
    return arrived


async def _handed_over(
    visit: Visit, content: bytes, *, name: str, chunk: bool
) -> Reply:
    """Send a message; the last reply."""
    async with visit.ready() as conversation:
        if name and not positive(reply := await conversation.ehlo(name)):
            return reply
        if not chunk:
            await begin_data(visit, conversation, to_canary=True)
            return await finish(conversation, content)
        await begin(visit, conversation, to_canary=True)
        content += b"\r\n"
        await conversation.send(b"BDAT %d LAST\r\n%s" % (len(content), content))
        return await conversation.reply(END_SECONDS)


def _sender(visit: Visit) -> str:
    if visit.account is None:
        return visit.text("{C}@{X}")
    user = visit.account.user
    return user if "@" in user else f"{user}@{visit.names.domain}"


def _recipients(visit: Visit, *, to_canary: bool) -> list[str]:
    known, canary = visit.names.known, visit.text("{C}@{X}")
    if to_canary or not known:
        return [canary]
    return [f"{known}@{visit.names.domain}", canary]


async def _sign_in(visit: Visit, conversation: Conversation) -> None:
    if visit.account is None:
        return
    reply = await sign_in(conversation, visit.account)
    if reply.code != SIGNED_IN:
        if visit.spent is not None:
            visit.spent()  # servers count what fails
        raise NotTakenError("the account was refused", "アカウントを拒否", reply)
