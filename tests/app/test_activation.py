"""Sockets of a service manager are ours only if they are meant for us."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sekisho.app import activation
from sekisho.app.activation import given_sockets, spelled, without_activation

PID = 4711


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """Two sockets at neighbouring descriptors, where the first is looked for."""
    with ExitStack() as closing:
        bound = [closing.enter_context(socket.socket()) for _ in range(2)]
        for one in bound:
            one.bind(("127.0.0.1", 0))
        first = fcntl.fcntl(bound[0], fcntl.F_DUPFD, 400)
        monkeypatch.setattr(activation, "FIRST_DESCRIPTOR", first)
        os.dup2(bound[1].fileno(), first + 1)
        yield bound
        for descriptor in (first, first + 1):
            try:
                os.close(descriptor)
            except OSError:
                continue  # A socket that was taken has closed it.


def env(**variables: str) -> dict[str, str]:
    return {"LISTEN_PID": str(PID), "LISTEN_FDS": "2", **variables}


def test_sockets_come_with_their_names_and_addresses(
    handed_over: list[socket.socket],
) -> None:
    given = given_sockets(env(LISTEN_FDNAMES="mx"), PID)
    try:
        assert [one.name for one in given] == ["mx", ""]
        assert [one.address for one in given] == [spelled(one) for one in handed_over]
        for one in given:
            assert not one.socket.getblocking()
            assert not os.get_inheritable(one.socket.fileno())
    finally:
        for one in given:
            one.socket.close()


@pytest.mark.usefixtures("handed_over")
def test_sockets_of_another_process_are_left_alone() -> None:
    assert given_sockets(env(), PID + 1) == []
    assert given_sockets({"LISTEN_FDS": "2"}, PID) == []
    assert given_sockets({"LISTEN_PID": str(PID)}, PID) == []


def test_a_number_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="two"):
        given_sockets(env(LISTEN_FDS="two"), PID)


def test_workers_are_not_told_of_sockets_that_they_do_not_get() -> None:
    told = {"PATH": "/bin", **env(LISTEN_FDNAMES="mx")}
    assert without_activation(told) == {"PATH": "/bin"}


def test_an_address_is_spelled_as_in_the_configuration(tmp_path: Path) -> None:
    with (
        socket.socket(socket.AF_INET6) as six,
        socket.socket(socket.AF_INET) as four,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        six.bind(("::1", 0))
        four.bind(("127.0.0.1", 0))
        unix.bind(str(tmp_path / "s"))
        assert spelled(six) == f"[::1]:{six.getsockname()[1]}"
        assert spelled(four) == f"127.0.0.1:{four.getsockname()[1]}"
        assert spelled(unix) == str(tmp_path / "s")
