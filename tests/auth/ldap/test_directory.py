"""Who a server says that we are, and why it refused."""

import pytest
from sansldap import LDAPResult, LDAPResultCode

from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.ldap.connection import Entry
from sekisho.auth.ldap.directory import _require_self, reason_of

DN = "uid=ann,dc=own"
ENTRY = Entry(DN, {"samaccountname": (b"Ann",)})


@pytest.mark.parametrize("who", [None, f"dn:{DN}", "DN:UID=Ann, DC=own", "u:OWN\\ann"])
def test_the_account_itself_is_taken(who: str | None) -> None:
    _require_self(who, ENTRY, DN)
    _require_self(who, ENTRY, "ann@own.test")


@pytest.mark.parametrize(
    "who",
    [
        "",
        "dn:",
        "u:",
        "u:OWN\\",
        "u:OWN\\bob",
        "ann",
        "dn:uid=bob,dc=own",
        "dn:uid=ann",
        f"x:{DN}",
        "u:OWN\\ann\\bob",
    ],
)
def test_nobody_and_anybody_else_is_not(who: str) -> None:
    with pytest.raises(AuthUnavailableError, match=r"nobody|somebody else"):
        _require_self(who, ENTRY, "ann@own.test")


def test_an_entry_without_a_name_is_not_taken_for_a_name() -> None:
    with pytest.raises(AuthUnavailableError):
        _require_self("u:", Entry(DN, {}), "ann@own.test")


def test_the_entry_shown_is_the_one_that_was_bound() -> None:
    with pytest.raises(AuthUnavailableError):
        _require_self(f"dn:{DN}", ENTRY, "uid=other,dc=own")
    with pytest.raises(AuthUnavailableError):
        _require_self("u:OWN\\ann", ENTRY, "uid=other,dc=own")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("80090308: LdapErr: DSID-0C09, data 533, v4563", "the account is disabled"),
        ("80090308: LdapErr: DSID-0C09, data 52e, v4563", "the password is wrong"),
        ("data ffff", "the password is wrong"),
        ("", "the password is wrong"),
    ],
)
def test_active_directory_s_reasons_are_read_for_the_log(
    text: str, reason: str
) -> None:
    result = LDAPResult(LDAPResultCode.INVALID_CREDENTIALS, "", text)
    assert reason_of(result) == reason
