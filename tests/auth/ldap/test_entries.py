"""What an entry says is read to the account's harm in doubt, never to its good."""

import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from replacing import replace
from sekisho.auth.account import MAX_ADDRESSES
from sekisho.auth.ldap.connection import Entry
from sekisho.auth.ldap.entries import (
    MAX_GROUPS,
    DirectoryAccount,
    account_of,
    group_names,
    wanted_attributes,
)
from sekisho.auth.ldap.options import Dialect, DirectoryOptions

NOW = 1_800_000_000.0
FILETIME_NOW = (int(NOW) + 11_644_473_600) * 10_000_000
AD, OPENLDAP = Dialect.ACTIVE_DIRECTORY, Dialect.OPENLDAP
OPTIONS = DirectoryOptions(
    servers=(),
    tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    dialect=AD,
    base="dc=own,dc=test",
    filter="(uid={user})",
    account_attribute="uid",
    address_attributes=("mail", "proxyAddresses"),
)
DN = "uid=anna,dc=own,dc=test"
GOOD: Mapping[str, Any] = {
    "uid": "Anna",
    "mail": "Anna@Own.Test",
    "memberOf": ["CN=Staff,OU=x", "CN=Scanner Team,OU=x"],
    "objectGUID": "guid",
    "pwdLastSet": "1",
    "userAccountControl": "512",
    "lockoutTime": "0",
    "accountExpires": "9223372036854775807",
    "entryUUID": "uuid",
    "pwdChangedTime": "2020",
    "modifyTimestamp": "2021",
}


def entry(dn: str = DN, **changes: Any) -> Entry:
    values = {**GOOD, **changes}
    return Entry(
        dn,
        {
            name.lower(): tuple(
                one.encode() for one in ([given] if isinstance(given, str) else given)
            )
            for name, given in values.items()
            if given is not ...
        },
    )


def read(
    found: Entry,
    dialect: Dialect = AD,
    groups: Sequence[str] | None = None,
    now: float = NOW,
) -> DirectoryAccount:
    account = account_of(found, groups, replace(OPTIONS, dialect=dialect), now)
    assert account is not None
    return account


@pytest.mark.parametrize("dialect", Dialect)
def test_an_entry_is_an_account(dialect: Dialect) -> None:
    found = read(entry(), dialect)
    assert (found.name, found.dn, found.refusal) == ("anna", DN, "")
    assert list(map(str, found.addresses)) == ["anna@own.test"]
    assert found.groups == {"staff", "scanner team"}
    assert 0 <= found.generation < 2**63
    assert read(entry(), dialect) == found


@pytest.mark.parametrize("name", [..., "", [], ["a", "b"], "a b", "a\0b", "x" * 300])
def test_an_entry_without_one_name_is_no_account(name: object) -> None:
    assert account_of(entry(uid=name), None, OPTIONS, NOW) is None


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"userAccountControl": ...}, "userAccountControl cannot be read"),
        ({"userAccountControl": ""}, "userAccountControl cannot be read"),
        ({"userAccountControl": "x"}, "userAccountControl cannot be read"),
        ({"userAccountControl": ["512", "512"]}, "userAccountControl cannot be read"),
        ({"userAccountControl": "514"}, "the account is disabled"),
        ({"userAccountControl": "2"}, "the account is disabled"),
        ({"userAccountControl": "66050"}, "the account is disabled"),
        ({"lockoutTime": "1"}, "the account is locked"),
        ({"lockoutTime": str(FILETIME_NOW)}, "the account is locked"),
        ({"lockoutTime": "-1"}, "the account is locked"),
        ({"accountExpires": "1"}, "the account has expired"),
        ({"accountExpires": str(FILETIME_NOW)}, "the account has expired"),
        ({"accountExpires": str(FILETIME_NOW - 10_000_000)}, "the account has expired"),
        ({"accountExpires": str(FILETIME_NOW + 10_000_000)}, ""),
        ({"accountExpires": "0"}, ""),
        ({"accountExpires": ..., "lockoutTime": ...}, ""),
        ({"lockoutTime": "never"}, "lockoutTime cannot be read"),
        ({"lockoutTime": ["0", "1"]}, "lockoutTime cannot be read"),
        ({"accountExpires": "soon"}, "accountExpires cannot be read"),
        ({"accountExpires": ["0", "1"]}, "accountExpires cannot be read"),
        ({"userAccountControl": "66048"}, ""),
        ({"userAccountControl": "1"}, ""),
    ],
    ids=repr,
)
def test_active_directory_says_who_may_not(
    changes: dict[str, Any], refusal: str
) -> None:
    assert read(entry(**changes)).refusal == refusal


def test_openldap_says_who_is_locked() -> None:
    for value in ("000001010000Z", "20250101000000Z", "x"):
        found = read(entry(pwdAccountLockedTime=value), OPENLDAP)
        assert found.refusal == "the account is locked"
    assert read(entry(userAccountControl="514"), OPENLDAP).refusal == ""


COMMON = [
    {"uid": "other"},
    {"mail": "other@own.test"},
    {"mail": ["anna@own.test", "b@own.test"]},
    {"memberOf": ["CN=Staff,OU=x"]},
    {"memberOf": ...},
]
OF_AD = [
    {"objectGUID": "another"},
    {"pwdLastSet": "2"},
    {"pwdLastSet": ...},
    {"userAccountControl": "514"},
    {"lockoutTime": "1"},
    {"accountExpires": "1"},
]
OF_OPENLDAP = [
    {"entryUUID": "another"},
    {"pwdChangedTime": "2022"},
    {"modifyTimestamp": "2022"},
    {"pwdAccountLockedTime": "000001010000Z"},
]


@pytest.mark.parametrize(
    ("dialect", "changes"),
    [
        *((AD, one) for one in (*COMMON, *OF_AD)),
        *((OPENLDAP, one) for one in (*COMMON, *OF_OPENLDAP)),
    ],
)
def test_what_ends_a_session_is_another_generation(
    dialect: Dialect, changes: dict[str, Any]
) -> None:
    assert (
        read(entry(**changes), dialect).generation != read(entry(), dialect).generation
    )


@pytest.mark.parametrize("dialect", Dialect)
def test_an_entry_elsewhere_is_another_account(dialect: Dialect) -> None:
    here = read(entry(), dialect).generation
    assert read(entry("uid=anna,ou=x,dc=own,dc=test"), dialect).generation != here
    assert read(entry("UID=Anna, dc=own,dc=test"), dialect).generation == here


def test_an_address_is_no_group() -> None:
    one = read(entry(mail="a@x.test", memberOf=...))
    other = read(entry(mail=..., memberOf=["CN=a@x.test"]))
    assert one.generation != other.generation


def test_all_that_counts_is_asked_for() -> None:
    for dialect, own in (
        (AD, "objectGUID pwdLastSet userAccountControl lockoutTime accountExpires"),
        (
            OPENLDAP,
            "entryUUID pwdChangedTime modifyTimestamp pwdAccountLockedTime",
        ),
    ):
        options = replace(OPTIONS, dialect=dialect)
        wanted = ["uid", "mail", "proxyAddresses", "memberOf", *own.split()]
        assert list(wanted_attributes(options)) == wanted
        wanted.remove("memberOf")
        options = replace(options, group_base="ou=groups")
        assert list(wanted_attributes(options)) == wanted


def test_addresses_are_those_of_the_attributes_that_are_configured() -> None:
    found = read(
        entry(
            mail=[
                " Anna@Own.Test ",
                "no address",
                "*@own.test",
                "*",
                "@own.test",
                "zoe@own.test",
            ],
            proxyAddresses=[
                "SMTP:First@own.test",
                "smtp:second@own.test",
                "x500:/o=x",
                "sip:third@own.test",
                "fourth@own.test",
                "smtp:*@own.test",
                "smtp:smtp:fifth@own.test",
                "smtp:no address",
                "smtp:third@own.test",
            ],
            other="ceo@own.test",
        )
    )
    assert list(map(str, found.addresses)) == [
        "anna@own.test",
        "first@own.test",
        "second@own.test",
        "third@own.test",
        "zoe@own.test",
    ]
    many = [f"a{number:04}@own.test" for number in range(MAX_ADDRESSES + 1)]
    assert len(read(entry(mail=many)).addresses) == MAX_ADDRESSES


def test_groups_are_what_was_found_or_what_the_entry_says() -> None:
    assert read(entry(), groups=["Found"]).groups == {"found"}
    assert read(entry(), groups=[]).groups == set()
    assert read(entry(memberOf=...)).groups == set()
    assert group_names(["Two  Words", "a\0b c", "", " ", "x\ny"]) == {
        "two words",
        "x y",
    }
    assert len(group_names(f"g{number}" for number in range(MAX_GROUPS + 1))) == (
        MAX_GROUPS
    )
