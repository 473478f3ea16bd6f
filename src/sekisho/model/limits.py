"""Every bound of a session, each with one name, the same in the configuration."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one session may cost. Octets, seconds and counts.

    The reply to one past each bound stands in `sekisho.model.replies`.

    Attributes:
        max_command_bytes: A command line, CRLF included (RFC 5321 §4.5.3.1.4 wants
            512, extensions add more); 500 5.5.2.
        max_auth_line_bytes: A line of an AUTH exchange (RFC 4954 §4); 500 5.5.6.
        max_message_bytes: Content as received; SIZE announces it; 552 5.3.4.
        max_header_bytes: The header section; 552 5.3.4.
        max_text_line_bytes: One line of content; 554 5.6.0.
        max_recipients: In one transaction; 452 4.5.3 (at least 100, RFC 5321).
        max_messages_per_session: 421 4.7.0 after so many.
        max_errors: Refused or broken commands before 421 4.7.0.
        max_idle_commands: NOOP, RSET, VRFY, EHLO and the like since the last
            message, before 421 4.7.0.
        max_auth_failures: Failed AUTH exchanges before 421 4.7.0.
        max_hops: ``Received`` fields (RFC 5321 §6.3); 554 5.4.6.
        command_seconds: From one command's reply to the next whole command; 421 4.4.2.
        data_block_seconds: Between two reads of content; 421 4.4.2.
        data_seconds: For the whole content; 421 4.4.2.
        session_seconds: For the whole session; 421 4.4.2.
        greeting_seconds: How long the greeting waits for an early talker; 0 for a
            look without waiting.

    """

    max_command_bytes: int = 4096
    max_auth_line_bytes: int = 12288
    max_message_bytes: int = 50 * 1024 * 1024
    max_header_bytes: int = 256 * 1024
    max_text_line_bytes: int = 64 * 1024
    max_recipients: int = 1000
    max_messages_per_session: int = 10_000
    max_errors: int = 20
    max_idle_commands: int = 100
    max_auth_failures: int = 5
    max_hops: int = 100
    command_seconds: float = 300.0
    data_block_seconds: float = 180.0
    data_seconds: float = 3600.0
    session_seconds: float = 86_400.0
    greeting_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """What the service as a whole gives to clients.

    Attributes:
        max_sessions: Sessions at once; 421 4.3.2.
        max_sessions_per_client: Sessions at once from one address (IPv6: one /64);
            421 4.7.0.
        max_messages_per_client_per_hour: Messages of one address (IPv6: one /64)
            without identity and without grant; 450 4.7.1.
        min_free_bytes: Free disk below which new mail gets 452 4.3.1.
        max_buffered_bytes: Bodies held in memory by all sessions together; above it
            they go to their files at once, however small.

    """

    max_sessions: int = 4096
    max_sessions_per_client: int = 1024
    max_messages_per_client_per_hour: int = 1_000_000
    min_free_bytes: int = 256 * 1024 * 1024
    max_buffered_bytes: int = 128 * 1024 * 1024
