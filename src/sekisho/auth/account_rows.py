"""Accounts as rows of the accounts' file, and back."""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from os import urandom

from sekisho.auth.account import Account
from sekisho.auth.app_passwords import COLUMNS, read_rows
from sekisho.auth.sasl import ScramKeys
from sekisho.auth.scram import DEFAULT_ITERATIONS, SALT_OCTETS, Hash, derive_keys
from sekisho.model.address import parse_pattern

ACCOUNT_COLUMNS = (
    "name, generation, enabled, password_hash, scram, addresses, groups,"
    " created_at, changed_at, expires_at"
)
_LAST_SUCCESS = (
    "coalesce((SELECT max(at) FROM success WHERE success.account = account.name), 0)"
)
_APP_PASSWORDS = (
    f"(SELECT json_group_array(json_array({COLUMNS})) FROM app_password"  # noqa: S608 - constants
    " WHERE app_password.account = account.name)"
)
SELECT = f"SELECT {ACCOUNT_COLUMNS}, {_LAST_SUCCESS}, {_APP_PASSWORDS} FROM account"  # noqa: S608 - constants
_SCRAM = re.compile(r"(SCRAM-SHA-[0-9]+)\$(\d+):([^:$]+)\$([^:$]+):([^:$]+)")
_SHA_256, _SHA_1 = "SCRAM-SHA-256", "SCRAM-SHA-1"
_HASHES: dict[str, Hash] = {_SHA_256: "sha256", _SHA_1: "sha1"}

Row = tuple[str, int, int, str, str, str, str, float, float, float, float, str]


def read_account(row: Row) -> Account:
    """Read a row of `SELECT`."""
    return Account(
        name=row[0],
        generation=row[1],
        enabled=row[2] == 1,
        password_hash=row[3],
        scram=_scram_keys(row[4], _SHA_256),
        scram_sha_1=_scram_keys(row[4], _SHA_1),
        addresses=tuple(parse_pattern(text) for text in row[5].splitlines()),
        groups=frozenset(row[6].splitlines()),
        created_at=row[7],
        changed_at=row[8],
        expires_at=row[9] or float("inf"),
        last_success=row[10],
        app_passwords=read_rows(row[11]),
    )


def lines(values: Iterable[object]) -> str:
    """Spell values, one a line; none of ours holds a newline."""
    return "\n".join(str(value) for value in values)


def moment(unix_seconds: float) -> float:
    """Spell a moment that may be never, which is 0 in the file."""
    return 0.0 if unix_seconds == float("inf") else unix_seconds


def scram_text(password: str, *, sha_1: bool) -> str:
    """Make SCRAM keys in the form of RFC 5803, one a line."""
    return "\n".join(
        _keys_text(password, name) for name in (_SHA_256, _SHA_1)[: 1 + sha_1]
    )


def _keys_text(password: str, name: str) -> str:
    salt = urandom(SALT_OCTETS)
    keys = derive_keys(password, salt, DEFAULT_ITERATIONS, _HASHES[name])
    salted, stored, server = (
        b64encode(part).decode() for part in (salt, keys.stored_key, keys.server_key)
    )
    return f"{name}${keys.iterations}:{salted}${stored}:{server}"


def _scram_keys(text: str, name: str) -> ScramKeys | None:
    for line in text.splitlines():
        found = _SCRAM.fullmatch(line)
        if found is not None and found[1] == name:
            salt, stored, server = (b64decode(found[n]) for n in (3, 4, 5))
            return ScramKeys(salt, int(found[2]), stored, server)
    return None
