"""How the client machine spells MAIL and RCPT, with what the next host takes.

RFC 5321 §4.1.1.2 and §4.1.1.3; SIZE (RFC 1870), BODY (RFC 6152, RFC 3030), SMTPUTF8
(RFC 6531), RET, ENVID, NOTIFY and ORCPT (RFC 3461). A parameter is sent where its
extension is offered and it says something; addresses and parameters come as parsed
values, so nothing here can end a line early.
"""

import re

from sekisho.model.address import NullPath
from sekisho.model.envelope import BodyKind, Envelope, Notify, Recipient, Ret
from sekisho.session.client_events import ContentFacts
from sekisho.session.client_extensions import Capabilities

_NOT_XCHAR = re.compile(r"[^!-*,-<>-~]")
_NOTIFY_WORDS = (
    (Notify.SUCCESS, "SUCCESS"),
    (Notify.FAILURE, "FAILURE"),
    (Notify.DELAY, "DELAY"),
)


def _xtext(text: str) -> str:
    """Encode after RFC 3461 §4; beyond ASCII after RFC 6533 §3 (embedded form)."""
    return _NOT_XCHAR.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"+{code:02X}" if code < 0x80 else f"\\x{{{code:X}}}"  # noqa: PLR2004 - ASCII


def needs_smtputf8(envelope: Envelope, content: ContentFacts) -> bool:
    """Whether sender or header cannot be sent without SMTPUTF8."""
    sender = envelope.reverse_path
    return content.utf8_header or not (isinstance(sender, NullPath) or sender.is_ascii)


def mail_command(
    envelope: Envelope, content: ContentFacts, offered: Capabilities
) -> bytes:
    """Spell MAIL FROM."""
    keywords = offered.keywords
    command = f"MAIL FROM:<{envelope.reverse_path}>"
    if "SIZE" in keywords:
        command += f" SIZE={content.size}"
    if envelope.body is BodyKind.BINARY_MIME:
        command += " BODY=BINARYMIME"
    elif "8BITMIME" in keywords and (
        content.eight_bit or envelope.body is BodyKind.EIGHT_BIT_MIME
    ):
        command += " BODY=8BITMIME"
    if "SMTPUTF8" in keywords and (
        envelope.smtputf8 or needs_smtputf8(envelope, content)
    ):
        command += " SMTPUTF8"
    if "DSN" in keywords:
        if envelope.ret is not Ret.UNSPECIFIED:
            command += f" RET={envelope.ret.value}"
        if envelope.envid:
            command += f" ENVID={_xtext(envelope.envid)}"
    return (command + "\r\n").encode()


def rcpt_command(recipient: Recipient, offered: Capabilities) -> bytes:
    """Spell RCPT TO."""
    command = f"RCPT TO:<{recipient.address}>"
    if (recipient.notify_given or recipient.original) and "DSN" in offered.keywords:
        command += "".join(_recipient_parameters(recipient))
    return (command + "\r\n").encode()


def _recipient_parameters(recipient: Recipient) -> list[str]:
    words: list[str] = []
    if recipient.notify_given:
        wanted = [word for flag, word in _NOTIFY_WORDS if flag in recipient.notify]
        words.append(f" NOTIFY={','.join(wanted) or 'NEVER'}")
    kind, semicolon, address = recipient.original.partition(";")
    if semicolon:
        words.append(f" ORCPT={kind};{_xtext(address)}")
    return words
