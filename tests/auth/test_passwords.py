"""PLAIN and LOGIN are exact about their fields (AUTH-010 to AUTH-019, AUTH-022)."""

import pytest

from auth.support import NAME, PASSWORD, Clock, login, plain, say
from sekisho.auth.accounts import AccountStore, NewAccount
from sekisho.auth.gatekeeper import Gatekeeper
from sekisho.auth.password_mechanisms import Login, Plain
from sekisho.auth.sasl import (
    Challenge,
    Failed,
    PasswordGiven,
    PasswordHopeless,
    Step,
)
from sekisho.model.identity import Rejected, Verified

USER = NAME.encode()


@pytest.mark.parametrize(
    "response",
    [plain(), plain(authzid=NAME), plain(authzid=NAME.upper()), plain(NAME.upper())],
)
def test_plain_reads_its_fields(response: bytes) -> None:
    assert Plain().step(response) == PasswordGiven(NAME, PASSWORD)
    assert Plain().step(None) == Challenge(b"")


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b".",
        b"\0",
        b"\0\0",  # AUTH-011
        b"\0\0password",
        b"\0" + USER + b"\0",  # AUTH-010
        b"admin\0\0password",  # AUTH-013: the authzid is nobody's name
        b"bob\0" + USER + b"\0password",  # AUTH-012
        USER + b"\0" + PASSWORD.encode(),  # AUTH-014
        b"\0" + USER + b"\0" + PASSWORD.encode() + b"\0x",
        b"\0\0" + USER + b"\0" + PASSWORD.encode(),
    ],
)
def test_plain_that_breaks_a_rule_fails_before_anything_is_asked(
    response: bytes,
) -> None:
    step = Plain().step(response)
    assert isinstance(step, Failed)
    assert "password" not in step.account


@pytest.mark.parametrize(
    "password", [b"pass\nword", b"\r\n", b"a\x1bb", b"\x7f", b"\xff" * 9, b"x" * 1025]
)
def test_a_password_that_none_has_is_hopeless_and_not_shown(password: bytes) -> None:
    for step in (
        Plain().step(b"\0" + USER + b"\0" + password),
        login_steps(USER, password)[1],
    ):
        assert isinstance(step, PasswordHopeless)
        assert step.account == NAME
        assert repr(password)[2:-1] not in repr(step)


def test_a_given_password_is_in_no_repr() -> None:
    assert PASSWORD not in repr(Plain().step(plain()))


def login_steps(name: bytes | None, password: bytes) -> tuple[Step, Step]:
    dialogue = Login()
    return dialogue.step(name), dialogue.step(password)


def test_login_asks_for_name_and_password() -> None:
    dialogue = Login()
    assert dialogue.step(None) == Challenge(b"Username:")
    assert dialogue.step(USER) == Challenge(b"Password:")
    assert dialogue.step(PASSWORD.encode()) == PasswordGiven(NAME, PASSWORD)


def test_login_refuses_an_empty_name_or_password_at_once() -> None:
    assert Login().step(b"") == Failed("the name is empty")
    assert login_steps(USER, b"")[1] == Failed("the password is empty", NAME)


@pytest.mark.parametrize(
    "name",
    [b'nouser\r\n235 2.7.0 x"', USER + b" ", USER + b"\0x", b"\xff", b"x" * 255],
)
def test_a_name_that_none_has_is_refused_in_the_time_of_a_wrong_password(
    name: bytes,
) -> None:
    step = login_steps(name, b"password")[1]
    assert isinstance(step, PasswordHopeless)
    assert step.account == ""
    if b"\0" not in name:
        assert Plain().step(b"\0" + name + b"\0password") == step
        assert Plain().step(name + b"\0" + USER + b"\0password") == step


@pytest.mark.asyncio
async def test_the_right_password_is_verified(keeper: Gatekeeper) -> None:
    for mechanism, responses in (
        ("PLAIN", [None, plain()]),
        ("PLAIN", [plain()]),
        ("LOGIN", [None, USER, PASSWORD.encode()]),
        ("LOGIN", [USER, PASSWORD.encode()]),
    ):
        answer = await say(keeper, mechanism, responses)
        assert isinstance(answer, Verified)
        assert answer.identity.account == NAME
        assert answer.identity.mechanism == mechanism
        assert answer.identity.authenticator == "local"
        assert list(map(str, answer.identity.addresses)) == [NAME]


@pytest.mark.asyncio
async def test_no_part_and_no_variant_of_a_password_is_taken(
    keeper: Gatekeeper, store: AccountStore, clock: Clock
) -> None:
    password = "P" * 70 + "Secret" * 40  # longer than bcrypt's 72 octets
    store.set_password(NAME, password)
    for wrong in (
        password[:8],
        password[:72],
        password[:-1],
        password[:72] + "X" * 8,
        password + "x",
        password + " ",
        " " + password,
        password.lower(),
        password * 5,
    ):
        assert isinstance(await login(keeper, password=wrong), Rejected)
        keeper.lockout.unlock(now=clock.now)
    assert isinstance(await login(keeper, password=password), Verified)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "name",
    [
        "*",
        "alice)(uid=*",
        "alice' OR '1'='1",
        'alice"--',
        "%u",
        "${run{x}}",
        "../alice",
        "guest",
        "admin",
        "postmaster",
    ],
)
async def test_names_are_names_and_nothing_else(keeper: Gatekeeper, name: str) -> None:
    for password in (name, PASSWORD):
        assert isinstance(await login(keeper, name, password), Rejected)


@pytest.mark.asyncio
async def test_spellings_of_a_name_are_one_account_or_none(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    store.add(NewAccount("kevin\u00e9", PASSWORD))
    for same in ("KEVIN\u00c9", "kevine\u0301", "\uff4bevin\u00e9"):
        answer = await login(keeper, same)
        assert isinstance(answer, Verified)
        assert answer.identity.account == "kevin\u00e9"
    for other in (
        "\u212aevin\u00e9",
        "kev\u0131n\u00e9",
        "kevin\u00e9.",
        "kevin\u00e9 ",
    ):
        assert isinstance(await login(keeper, other), Rejected)
