"""Every reply that we give of our own accord: one table, the same for all rooms.

Codes after RFC 5321 §4.2, enhanced codes after RFC 3463 and RFC 5248, AUTH after
RFC 4954 §6. Texts tell the client what to do next and nothing of the inside.
"""

from sekisho.model.reply import Reply, reply

# Session and syntax
CLOSING = reply(221, "2.0.0", "Goodbye")
OK = reply(250, "2.0.0", "OK")
SENDER_OK = reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = reply(250, "2.1.5", "Recipient OK")
CHUNK_OK = reply(250, "2.0.0", "Chunk received")
CANNOT_VERIFY = reply(252, "2.5.0", "Cannot verify; send it and it will be tried")
START_DATA = reply(354, "", "End data with <CR><LF>.<CR><LF>")
READY_FOR_TLS = reply(220, "2.0.0", "Ready to start TLS")
HELP = reply(214, "2.0.0", "See RFC 5321; commands are listed by EHLO")

UNKNOWN_COMMAND = reply(500, "5.5.1", "Unknown command")
NOT_IMPLEMENTED = reply(502, "5.5.1", "Command not implemented")
LINE_TOO_LONG = reply(500, "5.5.2", "Line too long")
BAD_CHARACTER = reply(500, "5.5.2", "Command holds a character it must not hold")
BARE_NEWLINE = reply(550, "5.5.2", "Bare CR, bare LF or NUL is not accepted")
BAD_SYNTAX = reply(501, "5.5.4", "Syntax error in parameters")
BAD_SENDER_ADDRESS = reply(501, "5.1.7", "Malformed sender address")
BAD_RECIPIENT_ADDRESS = reply(501, "5.1.3", "Malformed recipient address")
SOURCE_ROUTE = reply(550, "5.7.1", "Source routes are not accepted")
UNKNOWN_PARAMETER = reply(555, "5.5.4", "Parameter not recognised or not implemented")
NEEDS_SMTPUTF8 = reply(553, "5.6.7", "Non-ASCII address needs SMTPUTF8")
BAD_SEQUENCE = reply(503, "5.5.1", "Bad sequence of commands")
NEEDS_HELLO = reply(503, "5.5.1", "Say EHLO or HELO first")
NO_RECIPIENTS = reply(554, "5.5.1", "No valid recipients")
BINARY_NEEDS_BDAT = reply(503, "5.5.1", "BODY=BINARYMIME needs BDAT")
PIPELINED_TOO_EARLY = reply(554, "5.5.0", "Command must be the last in its group")

# Bounds
TOO_MANY_RECIPIENTS = reply(452, "4.5.3", "Too many recipients")
TOO_MANY_MESSAGES = reply(421, "4.7.0", "Too many messages in one session")
TOO_MANY_ERRORS = reply(421, "4.7.0", "Too many errors")
TOO_MANY_COMMANDS = reply(421, "4.7.0", "Too many commands without a message")
TOO_MANY_SESSIONS = reply(421, "4.3.2", "Too many sessions; try again later")
TOO_MANY_CLIENT_SESSIONS = reply(421, "4.7.0", "Too many sessions from your address")
TOO_MANY_CLIENT_MESSAGES = reply(450, "4.7.1", "Too many messages; try again later")
TOO_BIG = reply(552, "5.3.4", "Message too big")
HEADER_TOO_BIG = reply(552, "5.3.4", "Message header too big")
TEXT_LINE_TOO_LONG = reply(554, "5.6.0", "A line of the message is too long")
TOO_MANY_HOPS = reply(554, "5.4.6", "Too many hops; mail is looping")
TIMED_OUT = reply(421, "4.4.2", "Timed out")
STORAGE_LOW = reply(452, "4.3.1", "Insufficient storage; try again later")
RELAYING_CLOSED = reply(451, "4.7.0", "Relaying is closed for now; try again later")
TRY_LATER = reply(451, "4.3.0", "Local error; try again later")
LOCAL_ERROR = reply(421, "4.3.0", "Local error; try again later")
SHUTTING_DOWN = reply(421, "4.3.2", "Service is stopping; try again later")
EARLY_TALKER = reply(554, "5.5.1", "You spoke before the greeting")
NOT_SMTP = reply(554, "5.5.1", "This is an SMTP service")

# TLS and AUTH
TLS_UNAVAILABLE = reply(454, "4.7.0", "TLS not available now")
TLS_NEEDED = reply(530, "5.7.0", "Say STARTTLS first")
AUTH_OK = reply(235, "2.7.0", "Authentication successful")
AUTH_NEEDED = reply(530, "5.7.0", "Authentication required")
AUTH_NEEDS_TLS = reply(538, "5.7.11", "Encryption required for authentication")
AUTH_BAD_BASE64 = reply(501, "5.5.2", "Malformed authentication exchange")
AUTH_CANCELLED = reply(501, "5.7.0", "Authentication cancelled")
AUTH_LINE_TOO_LONG = reply(500, "5.5.6", "Authentication line too long")
AUTH_UNKNOWN_MECHANISM = reply(504, "5.5.4", "Mechanism not offered")
AUTH_FAILED = reply(535, "5.7.8", "Authentication credentials invalid")
AUTH_UNAVAILABLE = reply(454, "4.7.0", "Authentication not available; try again later")
AUTH_NOT_NOW = reply(503, "5.5.1", "AUTH is not possible here")
TOO_MANY_AUTH_FAILURES = reply(421, "4.7.0", "Too many failed authentications")
STALE_IDENTITY = reply(421, "4.7.0", "Your account has changed; connect again")

# Policy
RELAY_DENIED = reply(550, "5.7.1", "Relaying denied")
UNKNOWN_RECIPIENT = reply(550, "5.1.1", "No such recipient here")
RECIPIENT_UNCHECKED = reply(450, "4.1.1", "Recipient cannot be checked; try later")
SENDER_NOT_OWNED = reply(553, "5.7.1", "Sender address is not yours")
NULL_SENDER_REFUSED = reply(550, "5.7.1", "The null sender is not yours to use")
AUTHOR_NOT_OWNED = reply(550, "5.7.1", "From or Sender names an address not yours")
AUTHOR_MALFORMED = reply(550, "5.7.1", "Exactly one mailbox must stand in From")
CLIENT_NOT_WELCOME = reply(550, "5.7.1", "Your address may not use this listener")
SPOOFED_SENDER = reply(550, "5.7.1", "Sender address is ours and you are not")
QUOTA_EXCEEDED = reply(450, "4.7.1", "Sending limit reached; try again later")


def queued(message_id: str) -> Reply:
    """The reply that makes us responsible for a message (RFC 5321 §4.2.5)."""
    return Reply(250, "2.0.0", (f"Queued as {message_id}",))
