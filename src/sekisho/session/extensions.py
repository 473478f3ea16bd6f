"""What a listener's sessions have in common, and what EHLO says of it.

Each extension is one row: its line, and when it is offered. RFC 2920 PIPELINING,
RFC 1870 SIZE, RFC 6152 8BITMIME, RFC 3030 BINARYMIME and CHUNKING, RFC 6531 SMTPUTF8,
RFC 3461 DSN, RFC 2034 ENHANCEDSTATUSCODES, RFC 3207 STARTTLS, RFC 4954 AUTH,
RFC 9422 LIMITS.
"""

from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from sekisho.model.limits import Limits
from sekisho.model.reply import Reply
from sekisho.model.rules import BareNewline, Role
from sekisho.wire.data import ContentRules


class TlsState(Enum):
    """How a session stands to TLS."""

    UNAVAILABLE = "unavailable"
    OFFERED = "offered"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class SessionProfile:
    """The same for all sessions of a listener.

    Attributes:
        hostname: Ours, in the greeting and in the reply to EHLO.
        role: What the listener is for.
        limits: What one session may cost.
        bare_newline: Heeded on legacy listeners only: nobody else may send bare
            newlines and have them mended.
        content_rules: What content must keep to; follows from the others.

    """

    hostname: str
    role: Role
    limits: Limits
    bare_newline: BareNewline = BareNewline.REFUSE
    content_rules: ContentRules = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Draw the rules together once."""
        legacy = self.role is Role.LEGACY
        rules = ContentRules(
            max_message_bytes=self.limits.max_message_bytes,
            max_header_bytes=self.limits.max_header_bytes,
            max_text_line_bytes=self.limits.max_text_line_bytes,
            bare_newline=self.bare_newline if legacy else BareNewline.REFUSE,
        )
        object.__setattr__(self, "content_rules", rules)


def ehlo_reply(
    profile: SessionProfile, tls: TlsState, mechanisms: tuple[str, ...]
) -> Reply:
    """Say what is offered now; made once for each answer that there is."""
    limits = profile.limits
    return _ehlo_reply(
        profile.hostname,
        (
            limits.max_message_bytes,
            limits.max_recipients,
            limits.max_messages_per_session,
        ),
        tls is TlsState.OFFERED,
        mechanisms if tls is TlsState.ACTIVE else (),
    )


@lru_cache(maxsize=256)
def _ehlo_reply(
    hostname: str,
    bounds: tuple[int, int, int],
    starttls: bool,  # noqa: FBT001 - part of the cache's key
    mechanisms: tuple[str, ...],
) -> Reply:
    size, recipients, messages = bounds
    rows = (
        (hostname, True),
        ("PIPELINING", True),
        (f"SIZE {size}", True),
        ("8BITMIME", True),
        ("BINARYMIME", True),
        ("CHUNKING", True),
        ("SMTPUTF8", True),
        ("DSN", True),
        ("ENHANCEDSTATUSCODES", True),
        ("STARTTLS", starttls),
        (f"AUTH {' '.join(mechanisms)}", bool(mechanisms)),
        (f"LIMITS RCPTMAX={recipients} MAILMAX={messages}", True),
    )
    return Reply(250, "", tuple(line for line, offered in rows if offered))
