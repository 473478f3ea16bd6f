"""What one delivery attempt did to one recipient."""

from enum import Enum

import msgspec

from sekisho.model.reply import Reply


class Cause(Enum):
    """Why an attempt did not deliver: what retry rules and reports go by."""

    REMOTE_REPLY = "remote reply"
    UNREACHABLE = "host unreachable"
    DNS = "name resolution"
    NULL_MX = "null MX"
    LOOP = "mail loops back"
    TLS = "TLS"
    UPSTREAM_AUTH = "upstream login refused"
    TIMEOUT = "time-out"
    PROTOCOL = "protocol error"
    CONVERSION = "next host lacks an extension"
    LOCAL = "local delivery"
    EXPIRED = "expired"
    PAUSED = "paused by an operator"


class Delivered(msgspec.Struct, frozen=True):
    """The next host took responsibility.

    Attributes:
        host: Its name, or the path of a Maildir or a drop folder.
        reply: What it said at the end of the data.
        tls: TLS version, or empty where the connection was plain.

    """

    host: str
    reply: Reply
    tls: str = ""


class Deferred(msgspec.Struct, frozen=True):
    """Not now; to be tried again.

    Attributes:
        cause: What kind of failure it was.
        reply: The next host's words, or ours where it said nothing (4yz).
        host: Whom we spoke to, or empty.

    """

    cause: Cause
    reply: Reply
    host: str = ""


class Failed(msgspec.Struct, frozen=True):
    """Never; to be bounced.

    Attributes:
        cause: What kind of failure it was.
        reply: The next host's words, or ours where it said nothing (5yz).
        host: Whom we spoke to, or empty.

    """

    cause: Cause
    reply: Reply
    host: str = ""


Outcome = Delivered | Deferred | Failed
