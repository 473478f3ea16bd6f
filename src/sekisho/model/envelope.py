"""The envelope: who sent a message, to whom, and with which requests.

RFC 5321 §2.3.1; delivery status requests after RFC 3461; body kinds after RFC 6152
and RFC 3030; SMTPUTF8 after RFC 6531.
"""

from enum import Enum, Flag

import msgspec

from sekisho.model.address import Address, ReversePath


class BodyKind(Enum):
    """BODY= of MAIL (RFC 6152, RFC 3030)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT_MIME = "8BITMIME"
    BINARY_MIME = "BINARYMIME"

    __hash__ = object.__hash__  # By identity: looked up for every message.


class Ret(Enum):
    """RET= of MAIL: what of the message a bounce carries (RFC 3461 §4.3)."""

    UNSPECIFIED = ""
    FULL = "FULL"
    HDRS = "HDRS"

    __hash__ = object.__hash__


class Notify(Flag):
    """NOTIFY= of RCPT: which reports are wanted (RFC 3461 §4.1)."""

    NEVER = 0
    SUCCESS = 1
    FAILURE = 2
    DELAY = 4

    __hash__ = object.__hash__


NOTIFY_DEFAULT = Notify.FAILURE | Notify.DELAY
"""What a recipient without NOTIFY gets (RFC 3461 §4.1: FAILURE, or with DELAY)."""


class Recipient(msgspec.Struct, frozen=True):
    """One forward-path and what was asked for it.

    Attributes:
        address: Where it goes.
        notify: Which reports the sender wants.
        notify_given: Whether NOTIFY stood on the command; it is passed on only then.
        original: ORCPT as ``type;xtext-decoded address``, or empty.

    """

    address: Address
    notify: Notify = NOTIFY_DEFAULT
    notify_given: bool = False
    original: str = ""


class Envelope(msgspec.Struct, frozen=True):
    """Everything SMTP says of a message beside its content.

    Attributes:
        reverse_path: Where bounces go, or `NULL_PATH`.
        recipients: At least one once a message is whole.
        body: What the content may hold.
        smtputf8: Whether addresses or header fields may be UTF-8 (RFC 6531).
        ret: What a bounce returns.
        envid: ENVID, xtext-decoded (RFC 3461 §4.4), or empty.
        declared_bytes: SIZE= (RFC 1870), 0 where none was given.

    """

    reverse_path: ReversePath
    recipients: tuple[Recipient, ...] = ()
    body: BodyKind = BodyKind.SEVEN_BIT
    smtputf8: bool = False
    ret: Ret = Ret.UNSPECIFIED
    envid: str = ""
    declared_bytes: int = 0
