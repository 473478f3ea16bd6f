"""The names of all rules, one sentence each: for `explain`, the log and the docs.

A name is for ever: others' log searches rest on it.
"""

from collections.abc import Mapping
from typing import Final

SENDER: Final = "sender"
OWN_DOMAIN: Final = "own-domain"
POSTMASTER: Final = "postmaster"
GRANT: Final = "grant"
LANE: Final = "lane"
REPORT: Final = "report"
RELEASE: Final = "release"
BRAKE: Final = "brake"

NO_LISTENER: Final = "no-listener"
TLS_NEEDED: Final = "tls-needed"
AUTH_NEEDED: Final = "auth-needed"
CLIENT_NOT_WELCOME: Final = "client-not-welcome"
SENDER_NOT_OWNED: Final = "sender-not-owned"
NULL_SENDER: Final = "null-sender"
SPOOFED_SENDER: Final = "spoofed-sender"
RELAY_DENIED: Final = "relay-denied"
UNKNOWN_RECIPIENT: Final = "unknown-recipient"
RECIPIENT_UNCHECKED: Final = "recipient-unchecked"
RELAYING_CLOSED: Final = "relaying-closed"
QUOTA: Final = "quota"
HOPS: Final = "hops"
AUTHOR_NOT_OWNED: Final = "author-not-owned"
AUTHOR_MALFORMED: Final = "author-malformed"

RULES: Final[Mapping[str, str]] = {
    SENDER: "The reverse-path may be used here; recipients are looked at one by one.",
    OWN_DOMAIN: "The recipient's domain is ours, so anybody may write to it.",
    POSTMASTER: "Mail for the postmaster is always taken (RFC 5321 §4.5.1).",
    GRANT: "A grant lets this client send from this sender to this recipient.",
    LANE: "The legacy listener's own walls let this client through.",
    REPORT: "A bounce or notice of ours goes from the null sender to one recipient.",
    RELEASE: "An operator released mail that was held.",
    BRAKE: "The account has sent so much that it may be stolen; its mail is held.",
    NO_LISTENER: "The listener is not, or no longer, in the configuration.",
    TLS_NEEDED: "A submission listener wants TLS first.",
    AUTH_NEEDED: "A submission listener wants a verified identity first.",
    CLIENT_NOT_WELCOME: "The client is not among those a legacy listener is for.",
    SENDER_NOT_OWNED: "The reverse-path is not the client's to send from.",
    NULL_SENDER: "The null sender needs a grant with null_sender.",
    SPOOFED_SENDER: "The reverse-path is in a domain of ours, and nothing shows that "
    "the client may use it.",
    RELAY_DENIED: "The recipient is not ours, and no grant covers the case.",
    UNKNOWN_RECIPIENT: "The domain is ours, and there is no such recipient in it.",
    RECIPIENT_UNCHECKED: "The host that knows the recipients could not be asked.",
    RELAYING_CLOSED: "A grant covers the case, but the service's audit of itself has "
    "found a flaw, so nothing is relayed until it is mended.",
    QUOTA: "What the grant allows in an hour or a day is used up.",
    HOPS: "The message has been through too many hosts; it is looping.",
    AUTHOR_NOT_OWNED: "From or Sender names a mailbox that is not the client's.",
    AUTHOR_MALFORMED: "From does not name exactly one mailbox.",
}
"""Rule → what it says."""
