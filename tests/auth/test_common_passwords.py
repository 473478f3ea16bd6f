"""Passwords that are guessed first are refused, unless an operator insists."""

import pytest

from auth.support import NAME
from sekisho.auth.account import AccountError, random_password
from sekisho.auth.accounts import AccountStore
from sekisho.auth.common_passwords import is_common


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "Password1!",
        "P@ssw0rd",
        "P4ssw0rt2026",
        "Sommer2026!",
        "12345678",
        "87654321",
        "qwertyui",
        "QWERTZUIOP",
        "1q2w3e4r" * 0 + "1qaz2wsx",
        "aaaaaaaa",
        "abababab",
        "letmein123",
        "!!welcome!!",
        "abcdefgh",
        "changeme2025",
        "himitsu-2026",
        "admin1234",
        "passpass",
    ],
)
def test_a_common_one_is_known(password: str) -> None:
    assert is_common(password)


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "tr0ub4dor&3x", "kX9#mQ2vLp", "wolke-tasse-berg-7"],
)
def test_others_are_not(password: str) -> None:
    assert not is_common(password)


def test_made_ones_never_are() -> None:
    assert not any(is_common(random_password()) for _ in range(500))


def test_it_is_refused_and_an_operator_may_insist(store: AccountStore) -> None:
    for weak in ("Password1!", "short", NAME):
        with pytest.raises(AccountError, match="allow-weak") as caught:
            store.set_password(NAME, weak)
        assert weak == NAME or weak not in str(caught.value)
        store.set_password(NAME, weak, weak=True)
