"""App passwords: one for a device or a program, beside the account's own password.

They are made by us, of 148 random bits, so nobody guesses one and none needs a slow
hash: what is kept is HMAC-SHA-256 under a key of the accounts' file. Each has a label,
and may be narrower than its account: other addresses, certain client networks, so many
messages, an end. Shown once; revoked by its label.

An app password is found by its keyed hash. Whoever does not know the key cannot choose
the hash of a guess, so how long the look-up takes tells him nothing.

SCRAM cannot verify them: it has one salt an account, and the client chooses by it. So
while an enabled account has app passwords, SCRAM is not announced (`check` says so).
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import msgspec

from sekisho.auth.account import Account, AccountError, AppPassword
from sekisho.auth.precis import PreparationError, prepare_name
from sekisho.model.address import AddressError, AddressPattern, parse_pattern
from sekisho.model.rules import IPNetwork

MAX_APP_PASSWORDS = 100
"""Of one account."""

MAX_NETWORKS = 100
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_GROUPS, _LENGTH = 6, 5
_SEPARATORS = str.maketrans("", "", "- ")


@dataclass(frozen=True, slots=True)
class Scope:
    """What an app password is narrowed to, as spelled."""

    addresses: Sequence[str] = ()
    networks: Sequence[str] = ()
    max_messages_per_day: int = 0
    expires_at: float = float("inf")


def random_app_password() -> str:
    """Make one of 148 random bits, in groups that can be typed at a printer."""
    return "-".join(
        "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        for _ in range(_GROUPS)
    )


def digest_of(key: bytes, password: str) -> str:
    """Hash one under the file's key; dashes and spaces are for the reader alone."""
    plain = password.translate(_SEPARATORS).encode("utf-8")
    return hmac.new(key, plain, hashlib.sha256).hexdigest()


def found_by(digest: str, app_passwords: Sequence[AppPassword]) -> AppPassword | None:
    """Find the app password of a digest."""
    for one in app_passwords:
        if hmac.compare_digest(one.digest, digest):
            return one
    return None


def new_app_password(
    account: Account, label: str, digest: str, scope: Scope, now: float
) -> AppPassword:
    """Hold a new app password against the rules.

    Raises:
        AccountError: The label or the scope is wrong.

    """
    name = _label(label)
    if any(one.label == name for one in account.app_passwords):
        raise AccountError(
            f"{account.name!r} has an app password {name!r} already",
            "Revoke it first, or take another label",
        )
    if len(account.app_passwords) >= MAX_APP_PASSWORDS:
        raise AccountError(f"an account has at most {MAX_APP_PASSWORDS} app passwords")
    if scope.expires_at <= now:
        raise AccountError("the app password would have expired already")
    if scope.max_messages_per_day < 0:
        raise AccountError("a number of messages is not below 0")
    return AppPassword(
        label=name,
        digest=digest,
        addresses=_addresses(account, scope.addresses),
        networks=_networks(scope.networks),
        max_messages_per_day=scope.max_messages_per_day,
        expires_at=scope.expires_at,
        created_at=now,
    )


def _label(text: str) -> str:
    try:
        return prepare_name(text)
    except PreparationError as error:
        raise AccountError(
            f"{text[:80]!r} cannot be a label: {error}",
            "A label is a short word without spaces, such as printer-2",
        ) from error


def _addresses(account: Account, texts: Sequence[str]) -> tuple[AddressPattern, ...]:
    patterns: list[AddressPattern] = []
    for text in texts:
        try:
            pattern = parse_pattern(text)
        except AddressError as error:
            raise AccountError(f"{text[:80]!r} is no address: {error}") from error
        if not any(own.covers(pattern) for own in account.addresses):
            raise AccountError(
                f"{account.name!r} may not send from {pattern}",
                "An app password is narrower than its account, never wider",
            )
        patterns.append(pattern)
    return tuple(dict.fromkeys(patterns))


def _networks(texts: Sequence[str]) -> tuple[IPNetwork, ...]:
    if len(texts) > MAX_NETWORKS:
        raise AccountError(f"an app password has at most {MAX_NETWORKS} networks")
    try:
        return tuple(dict.fromkeys(ip_network(text) for text in texts))
    except ValueError as error:
        raise AccountError(f"a network is wrong: {error}") from error


class _Row(msgspec.Struct, array_like=True):
    label: str
    digest: str
    addresses: str
    networks: str
    max_messages_per_day: int
    expires_at: float
    created_at: float
    last_used_at: float


COLUMNS = (
    "label, digest, addresses, networks, max_messages_per_day, expires_at,"
    " created_at, last_used_at"
)
"""Of the table ``app_password``, in the order of `row_of` and `read_rows`."""


def row_of(one: AppPassword) -> tuple[Any, ...]:
    """Spell one for the file; never is 0 there."""
    return (
        one.label,
        one.digest,
        "\n".join(map(str, one.addresses)),
        "\n".join(map(str, one.networks)),
        one.max_messages_per_day,
        0.0 if one.expires_at == float("inf") else one.expires_at,
        one.created_at,
        one.last_used_at,
    )


def read_rows(text: str) -> tuple[AppPassword, ...]:
    """Read all of an account's from the JSON that SQLite makes of its rows."""
    return tuple(
        AppPassword(
            label=row.label,
            digest=row.digest,
            addresses=tuple(map(parse_pattern, row.addresses.splitlines())),
            networks=tuple(map(ip_network, row.networks.splitlines())),
            max_messages_per_day=row.max_messages_per_day,
            expires_at=row.expires_at or float("inf"),
            created_at=row.created_at,
            last_used_at=row.last_used_at,
        )
        for row in msgspec.json.decode(text, type=list[_Row])
    )
