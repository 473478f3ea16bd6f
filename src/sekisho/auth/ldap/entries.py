"""What an entry says of an account: name, addresses, groups, and if it may be used.

The generation is a hash of everything that must end a session when it changes: the
entry itself (its id: an account made anew under an old name is another one), whether
it may be used, when its password was changed, addresses and groups.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from sekisho.auth.account import MAX_ADDRESSES
from sekisho.auth.ldap.connection import Entry
from sekisho.auth.ldap.names import first_value, normal_dn
from sekisho.auth.ldap.options import Dialect, DirectoryOptions
from sekisho.auth.precis import PreparationError, prepare_name
from sekisho.model.address import AddressError, AddressPattern, only, parse_address

MAX_GROUPS = 2000
_PROXY = "smtp:"
_ACCOUNT_DISABLED = 0x2
_NEVER = (0, 0x7FFF_FFFF_FFFF_FFFF)
_FILETIME_EPOCH_SECONDS = 11_644_473_600
_FILETIMES_A_SECOND = 10_000_000


@dataclass(frozen=True, slots=True)
class DirectoryAccount:
    """An account as its directory describes it.

    Attributes:
        name: In normal form.
        dn: Its entry.
        addresses: The mailboxes it may send from.
        groups: For grants to ``group:NAME``.
        refusal: Why it may not be used; empty where it may.
        generation: See above.

    """

    name: str
    dn: str
    addresses: tuple[AddressPattern, ...]
    groups: frozenset[str]
    refusal: str
    generation: int


def wanted_attributes(options: DirectoryOptions) -> tuple[str, ...]:
    """What is to be read of an entry."""
    groups = () if options.group_base else ("memberOf",)
    dialect = _DIALECTS[options.dialect]
    own = (options.account_attribute, *options.address_attributes, *groups)
    return tuple(dict.fromkeys((*own, *dialect.stamps, *dialect.state)))


def account_of(
    entry: Entry, groups: Iterable[str] | None, options: DirectoryOptions, now: float
) -> DirectoryAccount | None:
    """Read an entry; None where it has no name, or several.

    Args:
        entry: With `wanted_attributes`.
        groups: As a search found them; None to take them from the entry.
        options: See there.
        now: Unix seconds.

    """
    name = _name(entry.text(options.account_attribute))
    if not name:
        return None
    dialect = _DIALECTS[options.dialect]
    addresses = _addresses(entry, options.address_attributes)
    if groups is None:
        groups = map(first_value, entry.texts("memberOf"))
    names = group_names(groups)
    refusal = dialect.refusal(entry, now)
    state = (
        normal_dn(entry.dn),
        name,
        refusal,
        *(
            f"{one}={sorted(entry.values.get(one.lower(), ()))}"
            for one in dialect.stamps
        ),
        *map(str, addresses),
        "",
        *sorted(names),
    )
    digest = blake2b("\0".join(state).encode(), digest_size=8).digest()
    return DirectoryAccount(
        name=name,
        dn=entry.dn,
        addresses=addresses,
        groups=names,
        refusal=refusal,
        generation=int.from_bytes(digest, "big") >> 1,
    )


def group_names(names: Iterable[str]) -> frozenset[str]:
    """Groups' names as a configuration spells them: lower case, spaces as they are."""
    found = (_group(name) for name in names)
    return frozenset(sorted(name for name in found if name)[:MAX_GROUPS])


def _group(name: str) -> str:
    """Each word in normal form; a name that has none is no group here."""
    words = [_name(word) for word in name.split()]
    return " ".join(words) if all(words) else ""


def _name(text: str) -> str:
    try:
        return prepare_name(text)
    except PreparationError:
        return ""


def _addresses(entry: Entry, attributes: Iterable[str]) -> tuple[AddressPattern, ...]:
    """The mailboxes; what is none is left out, and a star is no pattern here."""
    found: dict[AddressPattern, None] = {}
    for attribute in attributes:
        for text in entry.texts(attribute):
            if attribute.lower() == "proxyaddresses":
                if not text.lower().startswith(_PROXY):
                    continue
                text = text[len(_PROXY) :]  # noqa: PLW2901 - the prefix is no address
            try:
                address = parse_address(text.strip())
            except AddressError:
                continue
            found.update(dict.fromkeys(only(address)))
    return tuple(sorted(found, key=str)[:MAX_ADDRESSES])


def _number(entry: Entry, attribute: str) -> int | None:
    """A whole number; None where there is none, or what is there is none."""
    try:
        return int(entry.text(attribute))
    except ValueError:
        return None


def _of_active_directory(entry: Entry, now: float) -> str:
    for attribute in ("lockoutTime", "accountExpires"):
        # Not there is "never"; there, and no number, is nobody knows what.
        is_there = bool(entry.values.get(attribute.lower()))
        if is_there and _number(entry, attribute) is None:
            return f"{attribute} cannot be read"
    return _of_its_numbers(entry, now)


def _of_its_numbers(entry: Entry, now: float) -> str:
    control = _number(entry, "userAccountControl")
    if control is None:
        return "userAccountControl cannot be read"
    if control & _ACCOUNT_DISABLED:
        return "the account is disabled"
    if _number(entry, "lockoutTime"):
        return "the account is locked"
    expires = _number(entry, "accountExpires")
    if expires is not None and expires not in _NEVER:
        seconds = expires / _FILETIMES_A_SECOND - _FILETIME_EPOCH_SECONDS
        if now >= seconds:
            return "the account has expired"
    return ""


def _of_openldap(entry: Entry, now: float) -> str:
    del now
    locked = entry.values.get("pwdaccountlockedtime")
    return "the account is locked" if locked else ""


@dataclass(frozen=True, slots=True)
class _Dialect:
    """A row.

    Attributes:
        stamps: Attributes that change with the entry or its password.
        state: Attributes that say whether it may be used.
        refusal: Why it may not.

    """

    stamps: tuple[str, ...]
    state: tuple[str, ...]
    refusal: Callable[[Entry, float], str]


_DIALECTS: Mapping[Dialect, _Dialect] = {
    # whenChanged is another one on each domain controller: after a failover all
    # sessions would end.
    Dialect.ACTIVE_DIRECTORY: _Dialect(
        ("objectGUID", "pwdLastSet"),
        ("userAccountControl", "lockoutTime", "accountExpires"),
        _of_active_directory,
    ),
    # pwdChangedTime is there with the password policy overlay only.
    Dialect.OPENLDAP: _Dialect(
        ("entryUUID", "pwdChangedTime", "modifyTimestamp"),
        ("pwdAccountLockedTime",),
        _of_openldap,
    ),
}
