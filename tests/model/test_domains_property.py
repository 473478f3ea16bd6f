"""A domain has one normal form, whichever way it was spelled."""

import string

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.domain import DomainError, domain_to_unicode, normal_domain

SCRIPTS = "äöüßéøλςσжя関所メール한글ᎣᏒᏴ"
LABELS = st.text(string.ascii_letters + string.digits + "-" + SCRIPTS, max_size=12)
DOMAINS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PUNYCODE = st.text(string.ascii_lowercase + string.digits + "-", max_size=12)


@given(DOMAINS)
def test_what_is_taken_is_in_normal_form_and_the_rest_is_refused(text: str) -> None:
    try:
        domain = normal_domain(text)
    except DomainError:
        return
    assert domain.isascii()
    assert domain == domain.lower()
    assert normal_domain(domain) == domain


@given(DOMAINS)
def test_the_u_label_and_the_a_label_are_one_and_the_same(text: str) -> None:
    try:
        domain = normal_domain(text)
    except DomainError:
        return
    assert normal_domain(domain_to_unicode(domain)) == domain


@given(PUNYCODE.map("xn--{}".format))
def test_an_a_label_is_taken_as_it_is_or_not_at_all(label: str) -> None:
    try:
        domain = normal_domain(label)
    except DomainError:
        return
    assert domain == label
    assert idna.ulabel(label)


@pytest.mark.parametrize("label", ["xn--58dm15w", "xn--lce", "xn--b9d"])
def test_cherokee_has_capitals_only(label: str) -> None:
    unicode_label = idna.ulabel(label)
    assert normal_domain(f"{label}.example") == f"{label}.example"
    assert normal_domain(f"{unicode_label}.example") == f"{label}.example"
    assert normal_domain(f"{unicode_label.lower()}.example") == f"{label}.example"
