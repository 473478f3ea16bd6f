"""Addresses and domains: one normal form, and nothing in it that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.address import (
    ANY_ADDRESS,
    NULL_PATH,
    Address,
    AddressError,
    AddressPattern,
    only,
    parse_address,
    parse_local_part,
    parse_pattern,
)
from sekisho.model.domain import (
    DomainError,
    domain_to_unicode,
    normal_domain,
    normal_literal,
)

U_LABEL, A_LABEL = "bücher.example", "xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("text", "local_part", "domain"),
    [
        ("a@b.example", "a", "b.example"),
        ("A.b+c@B.Example", "A.b+c", "b.example"),
        ('"a b"@b.example', "a b", "b.example"),
        ('"a@b"@c.example', "a@b", "c.example"),
        (r'"a\"b\\"@c.example', r'a"b\\'[:-1], "c.example"),
        ('"plain"@c.example', "plain", "c.example"),
        ("a%b@c.example", "a%b", "c.example"),
        ("b!a@c.example", "b!a", "c.example"),
        (f"a@{U_LABEL}", "a", A_LABEL),
        (f"a@{U_LABEL.upper()}", "a", A_LABEL),
        (f"a@{A_LABEL.upper()}", "a", A_LABEL),
        ("jürgen@b.example", "jürgen", "b.example"),
        ("ju\u0308rgen@b.example", "jürgen", "b.example"),
        ("a@[192.0.2.1]", "a", "[192.0.2.1]"),
        ("a@[IPv6:2001:DB8::1]", "a", "[IPv6:2001:db8::1]"),
        ("a@[ipv6:::ffff:192.0.2.1]", "a", "[192.0.2.1]"),
    ],
)
def test_a_mailbox_has_one_normal_form(text: str, local_part: str, domain: str) -> None:
    address = parse_address(text)
    assert (address.local_part, address.domain) == (local_part, domain)
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "@", "a@", "@b.example", "a@b@c.example", "a@@b.example",
        "a b@c.example", ".a@b.example", "a.@b.example", "a..b@b.example",
        '"a@b.example', 'a"b@b.example', '""@b.example', '"a\r\nb"@b.example',
        '"a\0b"@b.example', "a@b_c.example", "a@-b.example", "a@b-.example",
        "a@b..example", "a@b.example.", "a@.b.example", "a@b.example:25",
        "a@192.0.2.1", "a@1234", "a@[192.0.2.1", "a@[192.0.2.256]", "a@[0x7f.1]",
        "a@[IPv6:1::2::3]", "a@[IPv6:fe80::1%eth0]", "a@[x-tag:y]", "a@[]",
        "a@xn--zz--zz.example", "a@xn--abc-.example",
        "a@xn--a.example", "a@\uff42.example", "a@b\u3002example",
        "a\u200b@b.example", "a\u2028b@b.example", "a\udcff@b.example",
        "a@b.example\n", "a@b.exa mple", "<a@b.example>", "a@b.example(c)",
        "x" * 65 + "@b.example", "a@" + "b." * 126 + "example", "ü" * 33 + "@b.example",
        "a@" + "b" * 64 + ".example", "ü" * 130 + "@b.example",
    ],
)  # fmt: skip
def test_what_is_no_mailbox_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        parse_address(text)


@given(st.text(max_size=80))
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        address = parse_address(text)
    except AddressError:
        return
    assert parse_address(str(address)) == address
    assert not set(str(address)) & set("\r\n\0<>") - set(address.local_part)


@given(
    st.text(
        alphabet=st.characters(min_codepoint=32, max_codepoint=126),
        min_size=1,
        max_size=64,
    )
)
def test_every_printable_local_part_survives_quoting(local_part: str) -> None:
    address = Address(local_part, "b.example")
    assert parse_address(str(address)) == address


def test_case_is_kept_and_does_not_matter() -> None:
    upper, lower = parse_address("Anna@B.example"), parse_address("anna@b.example")
    assert upper != lower
    assert upper.key == lower.key
    assert str(upper) == "Anna@b.example"


def test_what_an_address_says_of_itself() -> None:
    assert parse_address("a@b.example").is_ascii
    assert parse_address(f"a@{U_LABEL}").is_ascii
    assert not parse_address("ü@b.example").is_ascii
    assert Address("PostMaster", "").is_postmaster
    assert not parse_address("a@b.example").is_postmaster
    assert str(Address("postmaster", "")) == "postmaster"
    assert str(NULL_PATH) == ""


def test_a_local_part_alone() -> None:
    assert parse_local_part('"a b"') == "a b"
    with pytest.raises(AddressError):
        parse_local_part("a b")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("anna@b.example", ["Anna@b.example"], ["bob@b.example", "anna@c.example"]),
        ("*@b.example", ["a@b.example"], ["a@sub.b.example", "a@xb.example"]),
        ("*@*.b.example", ["a@x.b.example", "a@x.y.b.example"],
         ["a@b.example", "a@xb.example"]),
        ("*", ["a@b.example"], []),
        ("*@*", ["a@b.example"], []),
        (f"*@{U_LABEL}", [f"a@{A_LABEL}"], ["a@bucher.example"]),
    ],
)  # fmt: skip
def test_a_pattern_means_whole_parts(
    text: str, inside: list[str], outside: list[str]
) -> None:
    pattern = parse_pattern(text)
    assert all(pattern.matches(parse_address(one)) for one in inside)
    assert not any(pattern.matches(parse_address(one)) for one in outside)
    assert parse_pattern(str(pattern)) == pattern


@pytest.mark.parametrize(
    "text",
    [
        "a*@b.example",
        "*@b*.example",
        "**@b.example",
        "",
        "b.example",
        "*@",
        "*@*.",
        "a@*",
    ],
)
def test_a_star_is_never_part_of_a_part(text: str) -> None:
    with pytest.raises(AddressError):
        parse_pattern(text)


def test_all_is_spelled_with_one_star() -> None:
    assert str(ANY_ADDRESS) == "*"
    assert AddressPattern("a", "b.example").matches(Address("A", "b.example"))


@pytest.mark.parametrize("text", ["", "x" * 256, "b..c", "bü..c", "1.2.3.4", "a_b.c"])
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(DomainError):
        normal_domain(text)


def test_a_long_u_label_is_no_domain() -> None:
    with pytest.raises(DomainError):
        normal_domain("ü" * 100 + ".example")
    with pytest.raises(DomainError):
        normal_domain(".".join(["üüüüüüüüüüüüüüüüüüüü"] * 12))


def test_domains_for_people() -> None:
    assert domain_to_unicode(A_LABEL) == U_LABEL
    assert domain_to_unicode("b.example") == "b.example"
    assert domain_to_unicode("[192.0.2.1]") == "[192.0.2.1]"


@pytest.mark.parametrize("text", ["[ü]", "192.0.2.1", "[192.0.2.1]]"])
def test_what_is_no_literal_is_refused(text: str) -> None:
    with pytest.raises(DomainError):
        normal_literal(text)


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        ("*", "a@example.com", True),
        ("*", "*@*.example.com", True),
        ("*@example.com", "a@example.com", True),
        ("*@example.com", "*@example.com", True),
        ("a@example.com", "*@example.com", False),
        ("a@example.com", "a@example.com", True),
        ("*@*.example.com", "*@a.example.com", True),
        ("*@*.example.com", "*@*.example.com", True),
        ("*@*.example.com", "*@*.b.example.com", True),
        ("*@*.example.com", "*@example.com", False),
        ("*@*.example.com", "*@evil-example.com", False),
        ("*@example.com", "*", False),
        ("*@*.example.com", "*", False),
        ("*@example.com", "*@*.example.com", False),
    ],
)
def test_a_pattern_covers_no_more_than_it_means(
    wide: str, narrow: str, covers: bool
) -> None:
    assert parse_pattern(wide).covers(parse_pattern(narrow)) is covers


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("User@Own.test", ["user@own.test"]),
        ("*@own.test", []),
        ("a*@own.test", ["a*@own.test"]),
    ],
)
def test_the_pattern_of_one_mailbox_never_means_others(
    text: str, spelled: list[str]
) -> None:
    """RFC 5321 lets a mailbox be called by a star."""
    assert [str(one) for one in only(parse_address(text))] == spelled
