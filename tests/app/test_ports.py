"""Ports: bound before anything changes, never beside another service, closed last."""

import errno
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sekisho.app import ports as module
from sekisho.app.activation import Given
from sekisho.app.control import Refusal
from sekisho.app.ports import Ports
from sekisho.config.load import load_config
from sekisho.config.schema import Config
from sekisho.config.values import SUBMIT_LISTENER


def config_of(folder: Path, **listeners: list[str]) -> Config:
    lines = ['hostname = "relay.test"', f'data_dir = "{folder}"']
    for name, bind in listeners.items():
        lines += ["[[listener]]", f'name = "{name}"', 'role = "mx"', f"bind = {bind}"]
    path = folder / "sekisho.toml"
    path.write_text("\n".join(lines))
    return load_config(path, {})


@pytest.fixture
def ports() -> Iterator[Ports]:
    made = Ports(workers=2)
    yield made
    made.close()


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    """A port of another service, which would share it with anybody."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other


def named(ports: Ports, number: int) -> dict[str, socket.socket]:
    opened, sockets = ports.of_worker(number)
    return {one.listener: bound for one, bound in zip(opened, sockets, strict=True)}


def test_each_worker_has_a_socket_of_its_own_at_the_same_address(
    ports: Ports, tmp_path: Path
) -> None:
    ports.take(ports.bind(config_of(tmp_path, mx=["127.0.0.1:0"])))
    first, second, third = (named(ports, number) for number in range(3))
    assert first["mx"] is not second["mx"]
    assert first["mx"].getsockname() == second["mx"].getsockname()
    assert third["mx"] is first["mx"]
    assert first[SUBMIT_LISTENER] is second[SUBMIT_LISTENER]
    port = first["mx"].getsockname()[1]
    assert ports.addresses()["mx"] == [f"127.0.0.1:{port}"]


def test_a_port_of_another_service_is_refused_though_it_would_be_shared(
    ports: Ports,
    tmp_path: Path,
    taken: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_WAIT_SECONDS", 0.0)
    made: list[socket.socket] = []
    monkeypatch.setattr(module, "bind", remembering(made))
    both = ["127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}"]
    with pytest.raises(Refusal) as refused:
        ports.bind(config_of(tmp_path, mx=both))
    assert f"listener 'mx': {both[1]}: Address already in use" in str(refused.value)
    assert refused.value.hint
    # The first address had been bound, and is free again.
    assert [one.fileno() for one in made] == [-1, -1]
    assert ports.addresses() == {}


def remembering(made: list[socket.socket]) -> object:
    def bind(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
        made.append(real_bind(host, port, reuse_port=reuse_port))
        return made[-1]

    real_bind = module.bind
    return bind


def test_a_change_closes_nothing_before_it_is_taken(
    ports: Ports, tmp_path: Path
) -> None:
    ports.take(ports.bind(config_of(tmp_path, old=["127.0.0.1:0"], kept=["[::1]:0"])))
    before = named(ports, 0)
    moved = ports.bind(config_of(tmp_path, kept=["[::1]:0"], new=["127.0.0.2:0"]))
    assert before["old"].fileno() >= 0
    assert set(named(ports, 0)) == {"old", "kept", SUBMIT_LISTENER}
    ports.take(moved)
    assert before["old"].fileno() == -1
    after = named(ports, 0)
    assert set(after) == {"new", "kept", SUBMIT_LISTENER}
    assert after["kept"] is before["kept"]
    opened, _ = ports.part(moved.opened, 0)
    assert [one.listener for one in opened] == ["new"]


def test_the_socket_of_sendmail_goes_with_the_service(
    ports: Ports, tmp_path: Path
) -> None:
    ports.take(ports.bind(config_of(tmp_path)))
    [path] = ports.addresses()[SUBMIT_LISTENER]
    assert Path(path).is_socket()
    assert Path(path).stat().st_mode & 0o777 == 0o666
    ports.close()
    assert not Path(path).exists()
    assert ports.addresses() == {}


def test_a_folder_that_is_not_there_is_a_sentence(ports: Ports, tmp_path: Path) -> None:
    config = config_of(tmp_path)
    sendmail = config.sendmail.model_copy(update={"socket": tmp_path / "no" / "s.sock"})
    with pytest.raises(Refusal, match="No such file or directory") as refused:
        ports.bind(config.model_copy(update={"sendmail": sendmail}))
    assert "folder" in refused.value.hint


@pytest.mark.parametrize("lacks", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_without_ipv6_only_its_any_address_beside_ipv4_may_be_lacking(
    ports: Ports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: int
) -> None:
    real = module._bound

    def bound(host: str, port: int, workers: int) -> list[socket.socket]:
        if ":" in host:
            raise OSError(lacks, "none here")
        return real(host, port, workers)

    monkeypatch.setattr(module, "_bound", bound)
    ports.take(ports.bind(config_of(tmp_path, mx=["0.0.0.0:0", "[::]:0"])))
    assert len(ports.addresses()["mx"]) == 1
    for alone in (["[::]:0"], ["127.0.0.1:0", "[::1]:0"]):
        with pytest.raises(Refusal, match="none here"):
            ports.bind(config_of(tmp_path, other=alone))


def test_what_the_service_manager_gave_is_taken_by_address_or_name_and_only_once(
    tmp_path: Path,
) -> None:
    with socket.socket() as by_address, socket.socket() as by_name:
        for one in (by_address, by_name):
            one.bind(("127.0.0.1", 0))
        port = by_address.getsockname()[1]
        unasked = socket.socket()
        unasked.bind(("127.0.0.1", 0))
        given = [
            Given("named", by_name),
            Given("", by_address),
            Given("nobody's", unasked),
        ]
        ports = Ports(2, given)
        try:
            config = config_of(
                tmp_path, mx=[f"127.0.0.1:{port}"], named=["127.0.0.1:0"]
            )
            ports.take(ports.bind(config))
            for number in range(2):
                found = named(ports, number)
                assert found["mx"] is by_address
                assert found["named"] is by_name
            # It listens: a client gets in.
            socket.create_connection(by_address.getsockname(), timeout=5).close()
            where = f"127.0.0.1:{unasked.getsockname()[1]}"
            assert ports.given_to_nobody() == [f"nobody's ({where})"]
        finally:
            ports.close()
            unasked.close()
