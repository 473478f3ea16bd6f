"""How a lab server behaves: one row of fields, all sound unless changed.

A flaw is ``replace(SOUND, one_field=…)``. All functions get the session, which holds
what is known of the client.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sekisho.audit.lab import sound

if TYPE_CHECKING:
    from sekisho.audit.lab.session import LabSession

Mechanism = Callable[["LabSession", bytes | None], Awaitable[bytes]]
"""Session and raw initial response (None: there was none) → the last reply's line."""
Command = Callable[["LabSession", bytes], Awaitable[bytes | None]]
"""Session and argument → a reply without its CRLF, or None where all is said."""
Judge = Callable[["LabSession", bytes], bytes]
"""Session and argument → a reply without its CRLF."""
ContentCheck = Callable[["LabSession", bytes], bytes | None]
"""Session and content → the reply that refuses it, or None."""

KEYWORDS = (
    "PIPELINING",
    f"SIZE {sound.MAX_SIZE}",
    "8BITMIME",
    "CHUNKING",
    "ENHANCEDSTATUSCODES",
    "SMTPUTF8",
    "DSN",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    r"""The row.

    Attributes:
        greeting: Behind ``220``.
        greeting_wait: So long nobody may speak first.
        forgives_early_talkers: Whether it goes on with who spoke before the greeting.
        greets_late: Whether it answers that first, and greets then.
        keywords: Lines of EHLO besides AUTH and STARTTLS.
        starttls: Whether it is offered.
        auth_in_clear: Whether AUTH is offered and done without TLS.
        wants_auth: Whether MAIL needs AUTH, as on submission ports.
        mechanisms: By their names in upper case.
        commands: By verb in upper case; before the standard ones.
        takes_sender: Judges what stands behind ``MAIL FROM:``.
        knows: Judges what stands behind ``RCPT TO:``.
        leads_to: The mailbox that a taken recipient is sent to.
        command_ends: Where a command line ends.
        command_refuses: What in a command line has it refused, and ends the session.
        max_line_octets: Of a command line.
        max_auth_octets: Of a line within AUTH.
        data_ends: Where DATA ends; the CRLF of DATA's own line stands before.
        data_sync: Whether nothing may wait behind DATA (RFC 2920 §3.1).
        content_checks: Asked in order once the content is whole.
        sends_on: What becomes of content that was taken.
        trusts: The authority, in PEM, whose certificates clients may show; or none.
        bounces: Whether what cannot be delivered is sent back to its sender.
        keeps_over_starttls: Any of input, ehlo, envelope, identity.
        max_recipients: Of one message.
        max_errors: Refusals in one session.
        max_failed_logins: In one session.
        max_sessions: At once.
        frees_sessions: Whether one that is over counts no more.
        idle_seconds: For one piece of a line or of content.
        command_seconds: For a whole line.

    """

    greeting: bytes = sound.DOMAIN + b" ESMTP lab"
    greeting_wait: float = 0.02
    forgives_early_talkers: bool = False
    greets_late: bool = False
    keywords: tuple[str, ...] = KEYWORDS
    starttls: bool = True
    auth_in_clear: bool = False
    wants_auth: bool = False
    mechanisms: Mapping[str, Mechanism] = field(
        default_factory=lambda: sound.MECHANISMS
    )
    commands: Mapping[str, Command] = field(default_factory=dict[str, Command])
    takes_sender: Judge = sound.takes_sender
    knows: Judge = sound.knows
    leads_to: Callable[[bytes], bytes] = sound.leads_to
    command_ends: re.Pattern[bytes] = re.compile(rb"\r\n")
    command_refuses: re.Pattern[bytes] = sound.BARE
    max_line_octets: int = 4096
    max_auth_octets: int = 12288
    data_ends: re.Pattern[bytes] = re.compile(rb"\r\n\.\r\n")
    data_sync: bool = True
    content_checks: tuple[ContentCheck, ...] = (
        sound.bare_octets,
        sound.long_lines,
        sound.many_hops,
        sound.own_author,
    )
    sends_on: Callable[["LabSession", bytes], bytes] = sound.sends_on
    trusts: Callable[[], str] = str
    bounces: bool = False
    keeps_over_starttls: frozenset[str] = frozenset()
    max_recipients: int = 100
    max_errors: int = 20
    max_failed_logins: int = 5
    max_sessions: int = 100
    frees_sessions: bool = True
    idle_seconds: float = 30.0
    command_seconds: float = 60.0


SOUND = Manners()
