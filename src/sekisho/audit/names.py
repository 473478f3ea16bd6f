"""What placeholders stand for: as the administrator says, else as the server does."""

import re
import secrets
from dataclasses import dataclass
from ipaddress import ip_address

from sekisho.audit.visit import Account, Names
from sekisho.model.reply import Reply

FOREIGN = "example.org"
"""Reserved (RFC 2606): nobody's server has a reason to relay to it."""
NO_NAME = "audit.invalid"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_LABELS_WITH_HOST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was said on the command line; what is empty is chosen.

    Attributes:
        domain: Local at the server.
        known: The local part, or address, of a user who exists.
        other: The local part of another one.
        foreign: A domain that it has no reason to relay to.
        canary: An address; its domain is the foreign one then.

    """

    domain: str = ""
    known: str = ""
    other: str = ""
    foreign: str = ""
    canary: str = ""


def names_for(
    wanted: Wanted,
    *,
    host: str,
    greeting: Reply | None = None,
    ehlo: Reply | None = None,
    account: Account | None = None,
) -> Names:
    """Choose all names.

    Args:
        wanted: By the administrator.
        host: As it was named.
        greeting: The server's.
        ehlo: Its answer to EHLO.
        account: Whose user exists.

    """
    server = server_name(host, greeting, ehlo)
    known = wanted.known or (account.user if account else "")
    local, _, own = known.rpartition("@") if "@" in known else (known, "", "")
    return Names(
        domain=wanted.domain or own or domain_of(server),
        server=server,
        foreign=wanted.canary.rpartition("@")[2] or wanted.foreign or FOREIGN,
        canary=wanted.canary,
        known=local,
        unknown=f"audit-nobody-{secrets.token_hex(4)}",
        other=wanted.other or "postmaster",
    )


def server_name(host: str, greeting: Reply | None, ehlo: Reply | None) -> str:
    """Give the server's own name: the first word of what it says, else the host."""
    for reply in (greeting, ehlo):
        word = reply.lines[0].split(" ")[0] if reply is not None else ""
        if "." in word and _NAME.fullmatch(word) and not _is_address(word):
            return word.lower()
    return NO_NAME if _is_address(host) else host.lower()


def domain_of(server: str) -> str:
    """Guess the mail domain of ``mail.example.com``: ``example.com``."""
    labels = server.split(".")
    return ".".join(labels[1:]) if len(labels) >= _LABELS_WITH_HOST else server


def _is_address(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
