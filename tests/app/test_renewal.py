"""A renewed certificate is taken; a broken one changes nothing and alarms once."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sekisho.app.certificates import self_signed
from sekisho.app.renewal import CertificateWatch
from sekisho.config.tables import Tls

if TYPE_CHECKING:
    from sekisho.net.tls import ServerTls

NOW = 1_800_000_000.0


class Heard:
    """What the watch handed over."""

    def __init__(self) -> None:
        self.taken: list[ServerTls] = []
        self.told: list[tuple[str, str, str]] = []

    def tell(self, about: str, detail: str, hint: str) -> None:
        self.told.append((about, detail, hint))


def write(folder: Path, name: str, *, age: int) -> None:
    """A new pair, at a moment of its own."""
    pair = self_signed(name, NOW)
    for file, octets in (("c.pem", pair.certificate), ("k.pem", pair.key)):
        (folder / file).write_bytes(octets)
        os.utime(folder / file, (NOW + age, NOW + age))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def watch(tmp_path: Path, heard: Heard) -> CertificateWatch:
    write(tmp_path, "old.example.com", age=0)
    files = Tls.model_construct(certificate=tmp_path / "c.pem", key=tmp_path / "k.pem")
    return CertificateWatch(files, heard.taken.append, heard.tell)


def test_nothing_new_is_nothing_done(watch: CertificateWatch, heard: Heard) -> None:
    watch.look_again()
    assert heard.taken == heard.told == []


def test_a_renewed_pair_is_taken_once(
    watch: CertificateWatch, heard: Heard, tmp_path: Path
) -> None:
    write(tmp_path, "new.example.com", age=60)
    watch.look_again()
    watch.look_again()
    assert len(heard.taken) == 1
    assert heard.told == []


def test_a_broken_pair_is_not_taken_and_alarms_once(
    watch: CertificateWatch, heard: Heard, tmp_path: Path
) -> None:
    (tmp_path / "k.pem").write_bytes(self_signed("x.example.com", NOW).key)
    watch.look_again()
    watch.look_again()
    assert heard.taken == []
    ((about, _, hint),) = heard.told
    assert about == "certificate"
    assert "old certificate is still used" in hint


def test_a_pair_that_comes_back_is_taken(
    watch: CertificateWatch, heard: Heard, tmp_path: Path
) -> None:
    (tmp_path / "c.pem").unlink()
    watch.look_again()
    assert heard.taken == []
    write(tmp_path, "new.example.com", age=120)
    watch.look_again()
    assert len(heard.taken) == 1
