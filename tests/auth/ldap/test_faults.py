"""Whatever a directory answers at whatever moment, a lie or a fault verifies nobody."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from auth.ldap.support import asking
from auth.ldap.tampering import (
    BIND,
    DONE,
    EXTENDED,
    SILENT,
    Middleman,
    between,
    message_id,
    result,
    sealed,
)
from peers.slapd import ALICE, ALICE_PASSWORD, PEOPLE, Slapd
from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.ldap.authenticator import LdapAuthenticator
from sekisho.auth.ldap.wire import MAX_MESSAGE_BYTES
from sekisho.model.identity import ChainAnswer, NotMine, Rejected, Verified

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]

CLEAR: dict[str, Any] = {
    "tls": "off",
    "accept_risk": "a test on this machine",
    "timeout_seconds": 0.4,
}


@asynccontextmanager
async def tampered(
    slapd: Slapd,
    tamper: Callable[[bytes], bytes | None],
    first: int = 0,
    *,
    drip_seconds: float = 0.0,
    **keys: Any,
) -> AsyncGenerator[tuple[Middleman, LdapAuthenticator]]:
    """An authenticator behind a middleman; in clear unless it is given authorities."""
    async with (
        between(slapd.address, slapd.port, tamper, first, drip_seconds) as man,
        asking(man.url, **(keys if "ca" in keys else {**CLEAR, **keys})) as directory,
    ):
        yield man, directory


MODES: dict[str, dict[str, Any]] = {
    "search": {},
    "direct": {
        "user_dn": f"uid={{user}},{PEOPLE}",
        "bind_dn": None,
        "bind_password": None,
    },
}


def by_password(directory: LdapAuthenticator) -> Awaitable[ChainAnswer]:
    return directory.verify_password(ALICE, ALICE_PASSWORD)


def by_name(directory: LdapAuthenticator) -> Awaitable[ChainAnswer]:
    return directory.look_up(ALICE)


@dataclass(frozen=True)
class Asked:
    """One way to ask, and how many answers that takes."""

    mode: str
    answers: int
    ask: Callable[[LdapAuthenticator], Awaitable[ChainAnswer]]


WAYS = {
    # Bind as us, find, bind, who am I, read as the account, look again; and their ends.
    "search": Asked("search", 9, by_password),
    "direct": Asked("direct", 4, by_password),
    # Bind as us, and find; whom another has verified.
    "name alone": Asked("search", 3, by_name),
}


def other_id(message: bytes) -> bytes:
    return sealed(message_id(message) + 1, result(BIND, 0))


def of_type(tag: int, code: int, more: bytes = b"") -> Callable[[bytes], bytes]:
    return lambda message: sealed(message_id(message), result(tag, code, more))


FAULTS: dict[str, Callable[[bytes], bytes | None]] = {
    "silence": lambda _: SILENT,
    "the end": lambda _: None,
    "garbage": lambda _: os.urandom(64),
    "text": lambda _: b"HTTP/1.1 200 OK\r\n\r\n",
    "an empty message": lambda _: b"\x30\x00",
    "half a message": lambda message: message[: len(message) // 2],
    "a message without a number": lambda _: b"\x30\x02\x02\x00",
    "another number": other_id,
    "number nought": lambda _: sealed(0, result(BIND, 0)),
    "an endless message": lambda _: b"\x30\x84\x7f\xff\xff\xff",
    "indefinite length": lambda _: b"\x30\x80",
    "an unknown operation": lambda message: sealed(message_id(message), b"\x7e\x00"),
    "a request": lambda message: sealed(message_id(message), b"\x42\x00"),
    "a disconnection": lambda _: sealed(
        0, result(EXTENDED, 52, b"\x8a\x161.3.6.1.4.1.1466.20036")
    ),
    "a code without octets": lambda message: sealed(
        message_id(message), b"\x61\x06\x0a\x00\x04\x00\x04\x00"
    ),
    "busy": of_type(BIND, 51),
    "a referral": of_type(BIND, 10),
    "SASL goes on": of_type(BIND, 14),
    "an unknown code": of_type(BIND, 123),
    "true": of_type(BIND, 6),
    "success of a search": of_type(DONE, 0),
    "success of another kind": of_type(EXTENDED, 0),
    "success of a bind": of_type(BIND, 0),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_from_any_answer_on_verifies_nobody(
    slapd: Slapd, fault: str, way: Asked
) -> None:
    # The last answer is the end of a search, and its success the truth.
    is_true = fault == "success of a search"
    for first in range(way.answers - is_true):
        lie = FAULTS[fault]
        async with tampered(slapd, lie, first, **MODES[way.mode]) as (man, directory):
            began = time.monotonic()
            answer: object = None
            with suppress(AuthUnavailableError):
                answer = await way.ask(directory)
            assert time.monotonic() - began < 3
            assert man.seen > first
            # "No entry" is what a directory says that has none, and no fault.
            expected = (type(None), NotMine, Rejected)
            assert isinstance(answer, expected), (first, answer)
            if fault != "success of a search":
                assert answer is None, (first, answer)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_control_without_a_fault_there_are_so_many_answers(
    slapd: Slapd, way: Asked
) -> None:
    """Else the matrix above would end before the last answer."""
    keys = MODES[way.mode]
    async with tampered(slapd, lambda one: one, 99, **keys) as (man, directory):
        assert isinstance(await way.ask(directory), Verified)
        assert man.seen == way.answers


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_an_answer_that_drips_ends_in_time(slapd: Slapd, way: Asked) -> None:
    for first in range(way.answers):
        async with tampered(
            slapd, lambda one: one, first, drip_seconds=0.1, **MODES[way.mode]
        ) as (_, directory):
            began = time.monotonic()
            with pytest.raises(AuthUnavailableError, match="in time"):
                await way.ask(directory)
            assert time.monotonic() - began < 3


@pytest.mark.parametrize("mode", MODES)
async def test_a_yes_to_a_wrong_password_is_found_out(slapd: Slapd, mode: str) -> None:
    """MS01-037: a success that somebody put in the place of a failure."""

    def lie(message: bytes) -> bytes:
        if b"\x0a\x01\x31" in message:  # invalidCredentials
            return sealed(message_id(message), result(BIND, 0))
        return message

    async with tampered(slapd, lie, 0, **MODES[mode]) as (_, directory):
        for name in (ALICE, "nobody"):
            with pytest.raises(AuthUnavailableError):
                await directory.verify_password(name, "wrong")


async def test_a_yes_to_everything_is_found_out(slapd: Slapd) -> None:
    """Who am I unknown, so that only the account's own entry could prove it."""

    def lie(message: bytes) -> bytes:
        if b"\x0a\x01\x31" in message:
            return sealed(message_id(message), result(BIND, 0))
        if b"\x78" in message[4:8]:
            return sealed(message_id(message), result(EXTENDED, 2))
        return message

    async with tampered(slapd, lie, 0) as (_man, directory):
        answer = await directory.verify_password(ALICE, ALICE_PASSWORD)
        assert isinstance(answer, Verified)
        with pytest.raises(AuthUnavailableError):
            await directory.verify_password(ALICE, "wrong")


async def test_more_than_was_asked_for_breaks_the_connection(slapd: Slapd) -> None:
    async with tampered(slapd, lambda one: one + one, 0) as (_man, directory):
        with pytest.raises(AuthUnavailableError):
            await directory.verify_password(ALICE, ALICE_PASSWORD)


async def test_what_is_said_before_tls_is_no_answer_under_it(slapd: Slapd) -> None:
    """An answer in clear behind that to StartTLS, for a question that is to come."""

    def inject(message: bytes) -> bytes:
        return message + sealed(message_id(message) + 1, result(BIND, 0))

    async with between(slapd.address, slapd.port, inject, 0) as man:
        ca = slapd.certificate.certificate
        async with asking(man.url, ca=ca) as directory:
            with pytest.raises(AuthUnavailableError, match="before TLS"):
                await directory.verify_password(ALICE, ALICE_PASSWORD)


async def test_tls_that_is_refused_is_not_gone_without(slapd: Slapd) -> None:
    def refuse(message: bytes) -> bytes:
        return sealed(message_id(message), result(EXTENDED, 2))

    async with between(slapd.address, slapd.port, refuse, 0) as man:
        ca = slapd.certificate.certificate
        async with asking(man.url, ca=ca) as directory:
            with pytest.raises(AuthUnavailableError, match="does not start TLS"):
                await directory.verify_password(ALICE, ALICE_PASSWORD)
        assert man.seen == 1


async def test_a_fault_for_a_moment_is_overcome(slapd: Slapd) -> None:
    """A connection that lay in the pool, and that the server closed meanwhile."""
    broken: list[bytes] = []

    def once(message: bytes) -> bytes | None:
        if not broken:
            broken.append(message)
            return None
        return message

    async with tampered(slapd, once, 9) as (_man, directory):
        for _ in range(2):
            answer = await directory.verify_password(ALICE, ALICE_PASSWORD)
            assert isinstance(answer, Verified)
    assert broken


async def test_a_message_may_be_so_long_and_no_longer(slapd: Slapd) -> None:
    def padded(size: int) -> Callable[[bytes], bytes]:
        def pad(message: bytes) -> bytes:
            return b"\x30\x83" + size.to_bytes(3, "big") + b"\0" * size

        return pad

    for size, reason in (
        (MAX_MESSAGE_BYTES, "cannot be read"),
        (MAX_MESSAGE_BYTES + 1, "too long"),
    ):
        async with tampered(slapd, padded(size), 0, timeout_seconds=4.0) as (
            _man,
            directory,
        ):
            with pytest.raises(AuthUnavailableError, match=reason):
                await directory.verify_password(ALICE, ALICE_PASSWORD)


async def test_a_login_that_is_cancelled_leaves_nothing_half_asked(
    slapd: Slapd,
) -> None:
    async with asking(slapd.url, ca=slapd.certificate.certificate) as directory:
        for delay in (0.0, 0.001, 0.002, 0.004, 0.008):
            task = asyncio.ensure_future(
                directory.verify_password(ALICE, ALICE_PASSWORD)
            )
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            answer = await directory.verify_password(ALICE, "wrong")
            assert isinstance(answer, Rejected)


@pytest.mark.parametrize("mode", MODES)
async def test_no_such_object_is_a_refusal_of_a_bind(slapd: Slapd, mode: str) -> None:
    """Other directories say so where OpenLDAP's says "invalid credentials"."""

    def other_code(message: bytes) -> bytes:
        return message.replace(b"\x0a\x01\x31", b"\x0a\x01\x20")

    async with tampered(slapd, other_code, **MODES[mode]) as (_, directory):
        answer = await directory.verify_password(ALICE, "wrong")
        assert answer == Rejected("there is no such entry", ALICE)
        answer = await directory.verify_password("nobody", "wrong")
        expected = NotMine if mode == "search" else Rejected
        assert isinstance(answer, expected)
