"""A local account, and the rules for its name and its password."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from sekisho.auth.common_passwords import is_common
from sekisho.auth.precis import PreparationError, prepare_name, prepare_password
from sekisho.auth.sasl import ScramKeys
from sekisho.model.address import (
    AddressError,
    AddressPattern,
    only,
    parse_address,
    parse_pattern,
)
from sekisho.model.rules import IPNetwork

MIN_PASSWORD_CHARACTERS = 8
MAX_ADDRESSES = 1000
MAX_GROUPS = 100
_OR_WEAK = (
    "Take another, or leave it out to have one made; --allow-weak takes it anyway"
)

# Without what people mix up when they read a password aloud or from paper: 0 o 1 l i.
_PASSWORD_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # noqa: S105 - an alphabet
_PASSWORD_GROUPS, _GROUP_LENGTH = 5, 5


class AccountError(Exception):
    """An account cannot be made, found or changed so.

    Attributes:
        sentence: What is wrong.
        hint: What to do; may be empty.

    """

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(f"{sentence}. {hint}".strip())
        self.sentence = sentence
        self.hint = hint


@dataclass(frozen=True, slots=True)
class AppPassword:
    """One for a device or a program; see `sekisho.auth.app_passwords`.

    Attributes:
        label: What it is for; unique in its account.
        digest: Under the file's key.
        addresses: The mailboxes it may send from; the account's if empty.
        networks: From where it may be used; from anywhere if empty.
        max_messages_per_day: 0 is no bound.
        expires_at: Unix seconds; infinite for never.
        created_at: Unix seconds.
        last_used_at: Unix seconds, at most some minutes old; 0 for never.

    """

    label: str
    digest: str = field(repr=False)
    addresses: tuple[AddressPattern, ...] = ()
    networks: tuple[IPNetwork, ...] = ()
    max_messages_per_day: int = 0
    expires_at: float = float("inf")
    created_at: float = 0.0
    last_used_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Account:
    """A local account as it is now.

    Attributes:
        name: Prepared after UsernameCaseMapped.
        addresses: The mailboxes it may send from.
        groups: For grants to ``group:NAME``.
        enabled: Whether it can be used.
        generation: Changes with every change, and never repeats in its file.
        created_at: Unix seconds.
        changed_at: Unix seconds.
        last_success: Unix seconds of a login, at most some minutes old; 0 for never.
        expires_at: Unix seconds from which on it cannot be used; infinite for never.
        password_hash: argon2id in PHC form, or one that was imported
            (`sekisho.auth.foreign_hashes`).
        scram: Keys for SCRAM-SHA-256; None where they were switched off.
        scram_sha_1: For SCRAM-SHA-1; None unless a listener offered it when the
            password was set.
        app_passwords: By label.

    """

    name: str
    addresses: tuple[AddressPattern, ...]
    groups: frozenset[str]
    enabled: bool
    generation: int
    created_at: float
    changed_at: float
    last_success: float
    expires_at: float
    password_hash: str = field(repr=False)
    scram: ScramKeys | None = field(repr=False)
    scram_sha_1: ScramKeys | None = field(repr=False)
    app_passwords: tuple[AppPassword, ...] = ()

    def has_expired(self, now: float) -> bool:
        """Whether its time is over."""
        return now >= self.expires_at


def account_name(text: str) -> str:
    """Read the name of an account that is to be made or changed.

    Raises:
        AccountError: It is no name.

    """
    try:
        return prepare_name(text)
    except PreparationError as error:
        raise AccountError(
            f"{text[:80]!r} cannot be an account's name: {error}",
            "A name has 1 to 254 octets of letters, digits and signs, no spaces",
        ) from error


def account_addresses(name: str, texts: Iterable[str]) -> tuple[AddressPattern, ...]:
    """Read an account's addresses; a name that is an address is the first of them.

    A star in a name is no pattern: what an account may send from is said by `texts`.

    Raises:
        AccountError: One of them is no address and no pattern.

    """
    patterns: list[AddressPattern] = []
    try:
        if "@" in name:
            patterns.extend(only(parse_address(name)))
        patterns.extend(parse_pattern(text) for text in texts)
    except AddressError as error:
        raise AccountError(
            f"an address of account {name!r} is wrong: {error}",
            "Write user@example.com, *@example.com, *@*.example.com or *",
        ) from error
    unique = tuple(dict.fromkeys(patterns))
    if len(unique) > MAX_ADDRESSES:
        raise AccountError(f"an account has at most {MAX_ADDRESSES} addresses")
    return unique


def account_groups(texts: Iterable[str]) -> frozenset[str]:
    """Read an account's groups.

    Raises:
        AccountError: One of them is no name, or there are too many.

    """
    try:
        groups = frozenset(prepare_name(text) for text in texts)
    except PreparationError as error:
        raise AccountError(f"a group's name is wrong: {error}") from error
    if len(groups) > MAX_GROUPS:
        raise AccountError(f"an account has at most {MAX_GROUPS} groups")
    return groups


def account_password(name: str, text: str, *, weak: bool = False) -> str:
    """Prepare a new password, and hold it against the rules.

    Args:
        name: The account's, prepared.
        text: The password, as spelled.
        weak: An operator wants it, however easy it is to guess.

    Raises:
        AccountError: It is too short, too long, the account's name, one that
            everybody takes, or holds a control character. The message does not show
            it.

    """
    try:
        password = prepare_password(text)
    except PreparationError as error:
        raise AccountError(f"the password cannot be used: {error}") from error
    if weak:
        return password
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise AccountError(
            f"the password has fewer than {MIN_PASSWORD_CHARACTERS} characters",
            _OR_WEAK,
        )
    if password.lower() in (name, name.partition("@")[0]):
        raise AccountError("the password is the account's name", _OR_WEAK)
    if is_common(password):
        raise AccountError("the password is among the first that are guessed", _OR_WEAK)
    return password


def random_password() -> str:
    """Make a password of 123 random bits that can be read aloud."""
    return "-".join(
        "".join(secrets.choice(_PASSWORD_ALPHABET) for _ in range(_GROUP_LENGTH))
        for _ in range(_PASSWORD_GROUPS)
    )
