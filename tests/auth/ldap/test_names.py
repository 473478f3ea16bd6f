"""Names become values, never syntax; and equal DNs are equal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sansldap import FilterEquality, LDAPFilter

from sekisho.auth.ldap.names import escaped, filled, first_value, login_of, normal_dn


@given(st.text(min_size=1))
def test_a_filter_with_any_name_asks_for_that_name(name: str) -> None:
    if any(0xD800 <= ord(one) <= 0xDFFF for one in name):
        return
    read = LDAPFilter.from_string(filled("(uid={user})", {"user": name}))
    assert isinstance(read, FilterEquality)
    assert (read.attribute, read.value) == ("uid", name.encode())


def test_a_value_is_no_template() -> None:
    assert filled("({user}{dn})", {"user": "{dn}", "dn": "x"}) == "(\\7bdn\\7dx)"


@pytest.mark.parametrize(
    ("template", "account", "login"),
    [
        ("uid={user},dc=x", "a,uid=b", "uid=a\\2cuid\\3db,dc=x"),
        ("{user}@Corp.Test", "ann", "ann@Corp.Test"),
        ("{user}@Corp.Test", "ann@corp.test", "ann@Corp.Test"),
        # Of another domain, or another form of name that Active Directory knows.
        ("{user}@Corp.Test", "ann@other.test", ""),
        ("{user}@Corp.Test", "corp\\ann", ""),
        ("{user}@Corp.Test", "<sid=s-1>", ""),
        ("{user}@Corp.Test", "@corp.test", ""),
        ("", "ann", ""),
    ],
)
def test_what_an_account_binds_as(template: str, account: str, login: str) -> None:
    assert login_of(template, account) == login


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("CN=A B,DC=x", "cn=a  b, dc=X", True),
        ("cn=a\\2cb,dc=x", "cn=a\\,b,dc=x", True),
        ("cn=a+uid=b,dc=x", "uid=B+cn=A,dc=x", True),
        ("cn=a,dc=x", "cn=a\\,dc=x", False),
        ("cn=a,dc=x", "cn=a,dc=x,dc=y", False),
        ("cn=a,dc=x", "uid=a,dc=x", False),
        ("cn=ü", "cn=\\c3\\bc", True),
        ("cn=a=b", "cn=a\\3db", True),
        ("cn=a\\\nb,dc=x", "cn=a,cn=b,dc=x", False),
        ("cn=a b", "cn=aXX XXb", False),
        ("", "cn=a", False),
    ],
)
def test_dns_are_compared_by_what_they_mean(one: str, other: str, same: bool) -> None:
    assert (normal_dn(one) == normal_dn(other)) is same


def test_the_name_of_a_group_is_its_dn_s_first_value() -> None:
    assert first_value("CN=Scanner\\, Team,OU=x") == "Scanner, Team"
    assert first_value("") == ""
    assert first_value("CN=Staff X+UID=Admins,CN=Root") == "Staff X"
    assert first_value("CN=Staff=Admins,CN=Root") == "Staff=Admins"
    assert first_value("CN=Staff\\\nX,CN=Root") == "Staff\nX"
    assert first_value("CN=\\ff,CN=Root") == "\ufffd"
    assert escaped("") == ""
