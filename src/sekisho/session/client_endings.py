"""Why a client session ended before its time: what that means for whoever waits.

Each is a `Deferred`: the fault is the way's or the next host's, not the message's, and
another host, or another time, may take it.
"""

from sekisho.model.outcome import Cause, Deferred
from sekisho.model.reply import reply
from sekisho.session.client_transaction import UNEXPECTED_REPLY, Step
from sekisho.wire.reply_lines import ReplySyntaxError

CONNECTION_LOST = reply(451, "4.4.2", "Next host closed the connection")
CONTENT_LOST = reply(451, "4.3.0", "The message could not be read")
TLS_INJECTION = reply(454, "4.7.5", "Next host spoke between STARTTLS and handshake")


def cut_off(host: str) -> Deferred:
    """The connection is gone."""
    return Deferred(Cause.UNREACHABLE, CONNECTION_LOST, host)


def content_lost(host: str) -> Deferred:
    """The content that was begun cannot be given to its end."""
    return Deferred(Cause.LOCAL, CONTENT_LOST, host)


def injected(host: str) -> Deferred:
    """What was heard in plain text wants to be taken for TLS (CVE-2021-38371)."""
    return Deferred(Cause.PROTOCOL, TLS_INJECTION, host)


def no_reply(error: ReplySyntaxError, host: str) -> Deferred:
    """What was heard is no reply."""
    words = reply(451, "4.5.0", f"Next host gave no SMTP reply: {error}"[:200])
    return Deferred(Cause.PROTOCOL, words, host)


def no_sense(host: str) -> Deferred:
    """What was heard is a reply, and none to what was said."""
    return Deferred(Cause.PROTOCOL, UNEXPECTED_REPLY, host)


def no_tls(reason: str, host: str) -> Deferred:
    """The handshake, or what was checked in it, failed."""
    words = reply(454, "4.7.5", f"TLS with the next host failed: {reason}"[:200])
    return Deferred(Cause.TLS, words, host)


def late(step: Step, host: str) -> Deferred:
    """The host took too long."""
    words = reply(451, "4.4.2", f"Next host timed out in {step.value}")
    return Deferred(Cause.TIMEOUT, words, host)
