"""Password hashes of other programs: taken over once, and replaced at the first login.

`sekisho user import` takes them from passwd-style files. Whoever logs in with such an
account has its hash replaced by one of ours (argon2id, and SCRAM keys); until then it
is checked as it is. Hashes that are no protection at all (plain text, unsalted MD5 or
SHA-1, DES crypt) are not taken: their owners need new passwords.
"""

import warnings
from collections.abc import Mapping
from typing import Any

from passlib import hash as schemes  # pyright: ignore[reportMissingTypeStubs]
from passlib.exc import (  # pyright: ignore[reportMissingTypeStubs]
    PasslibHashWarning,
)

from sekisho.auth.account import AccountError
from sekisho.auth.hashing import PasswordCheck, is_hash

MAX_HASH_CHARACTERS = 512
_BCRYPT_OCTETS = 72

_BY_PREFIX: Mapping[str, tuple[str, int]] = {
    "$2": ("bcrypt", 14),
    "$5$": ("sha256_crypt", 1_000_000),
    "$6$": ("sha512_crypt", 1_000_000),
    "$pbkdf2-sha256$": ("pbkdf2_sha256", 1_000_000),
    "$pbkdf2-sha512$": ("pbkdf2_sha512", 1_000_000),
    "{SSHA256}": ("ldap_salted_sha256", 0),
    "{SSHA512}": ("ldap_salted_sha512", 0),
}
"""Scheme, and the most rounds that are taken: a login must not cost seconds."""

_WRAPPERS = ("{CRYPT}", "{BLF-CRYPT}", "{SHA256-CRYPT}", "{SHA512-CRYPT}", "{ARGON2ID}")


def foreign_hash(text: str) -> str:
    """Read a hash that is to be taken over; ours are taken as they are.

    Raises:
        AccountError: It is of no kind that is taken. It is not shown.

    """
    kept = text.strip()
    for wrapper in _WRAPPERS:
        if kept.upper().startswith(wrapper):
            kept = kept[len(wrapper) :]
    if len(kept) > MAX_HASH_CHARACTERS or not (is_hash(kept) or _is_whole(kept)):
        raise AccountError(
            "the password's hash is of no kind that is taken",
            "argon2id, bcrypt, SHA-256 and SHA-512 crypt, PBKDF2, SSHA256 or SSHA512",
        )
    return kept


def is_foreign(kept: str) -> bool:
    """Whether it looks like a hash that was taken over; the file has whole ones."""
    return kept.startswith(tuple(_BY_PREFIX))


def check_foreign(kept: str, password: str) -> PasswordCheck:
    """Compare a prepared password with a hash that was taken over.

    bcrypt reads 72 octets. What is longer is wrong, after as much time: cut, it would
    be right for every password that begins alike (CVE-2025-22228 and its kind).
    """
    scheme, _ = _scheme(kept)
    octets = password.encode()
    shown = octets[:_BCRYPT_OCTETS] if kept.startswith("$2") else octets
    if scheme is None or scheme.verify(shown, kept) is not True or shown != octets:
        return PasswordCheck.WRONG
    return PasswordCheck.RIGHT


def _is_whole(kept: str) -> bool:
    scheme, most = _scheme(kept)
    if scheme is None:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PasslibHashWarning)
            read = scheme.from_string(kept)
    except (ValueError, TypeError, PasslibHashWarning):
        return False
    # Without a checksum it would be a salt alone.
    return read.checksum is not None and getattr(read, "rounds", 0) <= most


def _scheme(kept: str) -> tuple[Any, int]:
    for prefix, (name, most) in _BY_PREFIX.items():
        if kept.startswith(prefix):
            return getattr(schemes, name), most
    return None, 0
