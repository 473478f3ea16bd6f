"""Not every refusal says that a server does not relay."""

import pytest

from sekisho.audit.refusals import Meaning, at_mail, at_rcpt
from sekisho.model.reply import Reply

TAKEN, REFUSED, HINDERED = Meaning


def reply(text: str) -> Reply:
    """Read ``550 5.7.1 text`` or ``550 text``."""
    code, enhanced, rest = [*text.split(" ", 2), ""][:3]
    if "." not in enhanced:
        enhanced, rest = "", f"{enhanced} {rest}"
    return Reply(int(code), enhanced, (rest,))


@pytest.mark.parametrize(
    ("text", "plain", "meaning"),
    [
        ("250 2.1.5 ok", True, TAKEN),
        ("251 will forward", True, TAKEN),
        # Denied, each in its own words.
        ("550 5.7.1 relaying denied", True, REFUSED),
        ("550 relay not permitted", True, REFUSED),
        ("553 sorry, that domain isn't in my list of allowed rcpthosts", True, REFUSED),
        ("454 4.7.1 <c@x>: Relay access denied", True, REFUSED),
        ("530 5.7.0 Authentication required", True, REFUSED),
        ("503 AUTH command used when not advertised", True, REFUSED),
        ("550 5.1.1 no such user", True, REFUSED),
        ("550 Invalid recipient: <c@x>", True, REFUSED),
        # Another reason, which would have met a sound recipient as well.
        ("450 4.7.1 greylisted, see http://relay.example", True, HINDERED),
        ("450 4.2.0 Greylisted", True, HINDERED),
        (
            "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked",
            True,
            HINDERED,
        ),
        ("550 5.7.1 listed at zen.spamhaus.org", True, HINDERED),
        ("530 5.7.0 Must issue a STARTTLS command first", True, HINDERED),
        ("550 5.7.1 Sender address rejected: not logged in", True, HINDERED),
        ("550 5.7.23 SPF says no", True, HINDERED),
        ("421 4.7.0 too many errors", True, HINDERED),
        ("452 4.3.1 disk full", True, HINDERED),
        ("503 5.5.1 Bad sequence of commands", True, HINDERED),
        ("550 5.1.2 no such domain", True, HINDERED),
        ("501 5.1.3 malformed", True, HINDERED),
        # Malformed is an answer where it is malformed.
        ("501 5.1.3 malformed", False, REFUSED),
        ("555 5.5.4 unknown parameter", False, REFUSED),
        ("503 Unsupported option X", False, REFUSED),
        ("550 5.1.2 no such domain", False, REFUSED),
    ],
)
def test_rcpt(text: str, plain: bool, meaning: Meaning) -> None:
    assert at_rcpt(reply(text), plain=plain) is meaning


@pytest.mark.parametrize(
    ("text", "odd", "meaning"),
    [
        ("250 2.1.0 ok", False, TAKEN),
        ("530 5.7.0 Authentication required", False, REFUSED),
        ("501 <x>: sender address must contain a domain", False, REFUSED),
        ("552 5.3.4 too big", False, REFUSED),
        ("450 4.1.8 Sender address rejected: Domain not found", False, HINDERED),
        ("553 5.1.8 Domain of sender address x does not exist", False, HINDERED),
        ("550 5.1.8 no such domain", False, HINDERED),
        ("550 5.7.1 Sender address is ours and you are not", False, HINDERED),
        ("550 5.7.1 Sender address is ours and you are not", True, REFUSED),
        ("553 5.1.8 Domain of sender address x does not exist", True, REFUSED),
        ("450 4.1.8 Sender address rejected: Domain not found", True, HINDERED),
        ("554 5.7.1 Client host rejected", True, HINDERED),
        ("503 5.5.1 out of order", True, HINDERED),
    ],
)
def test_mail(text: str, odd: bool, meaning: Meaning) -> None:
    assert at_mail(reply(text), odd=odd) is meaning
