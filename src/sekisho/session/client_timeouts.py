"""How long the next host may take to answer what was said (RFC 5321 §4.5.3.2)."""

from functools import lru_cache

from sekisho.session.client_events import ClientTimeouts
from sekisho.session.client_transaction import Step


@lru_cache(maxsize=8)
def seconds_by_step(timeouts: ClientTimeouts) -> dict[Step, float]:
    """Give the seconds for each; made once for the same time-outs."""
    return {
        Step.GREETING: timeouts.greeting,
        Step.EHLO: timeouts.command,
        Step.HELO: timeouts.command,
        Step.STARTTLS: timeouts.command,
        Step.AUTH: timeouts.command,
        Step.RSET: timeouts.command,
        Step.MAIL: timeouts.mail,
        Step.RCPT: timeouts.rcpt,
        Step.DATA: timeouts.data,
        Step.CONTENT: timeouts.final,
        Step.DISCARDED: timeouts.final,
        Step.QUIT: timeouts.quit,
    }
