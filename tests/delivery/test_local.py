"""Maildir and drop folder: a file is there whole, or the message is deferred."""

import errno
import os
from pathlib import Path

import pytest

from delivery.equipment import Bodies, courier, message
from sekisho.delivery.content import PIECE_BYTES
from sekisho.delivery.files import DISK_FULL, NOT_STORED, NewFile, make_folder
from sekisho.model.message import Message
from sekisho.model.outcome import Cause, Deferred, Delivered, Failed, Outcome
from sekisho.model.route import Destination, DropRoute, MaildirRoute

pytestmark = pytest.mark.asyncio


async def deliver(
    route: MaildirRoute | DropRoute, sent: Message, bodies: Bodies | None = None
) -> list[Outcome]:
    carrier = await courier(bodies=bodies).connect(Destination(route))
    assert not isinstance(carrier, Deferred | Failed)
    assert carrier.reusable
    outcomes = await carrier.deliver(sent, sent.envelope.recipients)
    await carrier.close()
    return list(outcomes)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def test_drop_folder_gets_what_an_smtp_host_would_get(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there" / "yet"
    sent = message(
        prefix=b"Received: x\r\n", recipients=("b@example.net", "c@d.example")
    )
    outcomes = await deliver(DropRoute(str(folder)), sent)
    assert [type(outcome) for outcome in outcomes] == [Delivered, Delivered]
    (path,) = files(folder)
    assert path.name.startswith(str(sent.id))
    assert path.suffix == ".eml"
    assert path.read_bytes() == (
        b"Return-Path: <a@example.com>\r\n"
        b"X-Original-To: b@example.net\r\nX-Original-To: c@d.example\r\n"
        b"Received: x\r\nSubject: x\r\n\r\n.hello\r\n"
    )
    assert path.stat().st_mode & 0o077 == 0


async def test_maildir_has_its_folders_and_lf(tmp_path: Path) -> None:
    sent = message(sender="", recipients=("bü@example.net",))
    (outcome,) = await deliver(MaildirRoute(str(tmp_path / "box")), sent)
    assert isinstance(outcome, Delivered)
    assert outcome.host == str(tmp_path / "box")
    assert {path.name for path in (tmp_path / "box").iterdir()} == {"tmp", "new", "cur"}
    (path,) = files(tmp_path)
    assert path.parent.name == "new"
    assert path.name.endswith(".relay.example.com")
    expected = "Return-Path: <>\nDelivered-To: bü@example.net\nSubject: x\n\n.hello\n"
    assert path.read_bytes() == expected.encode()


@pytest.mark.parametrize("shift", [0, 1, 2])
async def test_large_bodies_come_whole_wherever_they_are_cut(
    tmp_path: Path, shift: int
) -> None:
    line = b"x" * 62 + b"\r\n"
    text = b"y" * shift + line * 20_000 + b"\r"
    bodies = Bodies(big=text)
    sent = message(text, file="big")
    await deliver(DropRoute(str(tmp_path / "drop")), sent, bodies)
    await deliver(MaildirRoute(str(tmp_path / "box")), sent, bodies)
    (dropped,) = files(tmp_path / "drop")
    assert dropped.read_bytes().endswith(b"example.net\r\n" + text)
    (boxed,) = files(tmp_path / "box")
    assert boxed.read_bytes().endswith(b"example.net\n" + text.replace(b"\r\n", b"\n"))
    assert bodies.largest_read == PIECE_BYTES


async def test_two_deliveries_of_one_message_are_two_files(tmp_path: Path) -> None:
    carrier = await courier().connect(Destination(DropRoute(str(tmp_path))))
    assert not isinstance(carrier, Deferred | Failed)
    sent = message()
    for _ in range(2):
        await carrier.deliver(sent, sent.envelope.recipients)
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("size", [10, 2_000_000])
async def test_body_that_cannot_be_read_leaves_no_file(
    tmp_path: Path, size: int
) -> None:
    sent = message(b"x" * (size + 1), file="short")
    bodies = Bodies(short=b"x" * size)
    for route in (DropRoute(str(tmp_path)), MaildirRoute(str(tmp_path))):
        (outcome,) = await deliver(route, sent, bodies)
        assert outcome == Deferred(Cause.LOCAL, NOT_STORED, str(tmp_path))
    assert files(tmp_path) == []


async def test_folder_that_cannot_be_made_is_a_deferral(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (outcome,) = await deliver(DropRoute(str(tmp_path / "file" / "x")), message())
    assert outcome == Deferred(Cause.LOCAL, NOT_STORED, str(tmp_path / "file" / "x"))


@pytest.mark.parametrize("call", ["fsync", "open", "writelines"])
@pytest.mark.parametrize("size", [10, 2_000_000])
async def test_full_disk_defers_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, size: int
) -> None:
    def full(*_: object, **__: object) -> object:
        raise OSError(errno.ENOSPC, "no room")

    class Full:
        """A file on a full disk."""

        writelines = close = flush = full

        def __init__(self, descriptor: int, mode: str) -> None:
            del mode
            os.close(descriptor)

    if call == "writelines":
        monkeypatch.setattr(os, "fdopen", Full)
    else:
        monkeypatch.setattr(os, call, full)
    text = b"x" * size
    (outcome,) = await deliver(
        DropRoute(str(tmp_path)), message(text, file="big"), Bodies(big=text)
    )
    monkeypatch.undo()
    assert outcome == Deferred(Cause.LOCAL, DISK_FULL, str(tmp_path))
    assert files(tmp_path) == []


async def test_nothing_is_under_its_name_before_it_is_whole(tmp_path: Path) -> None:
    file = NewFile(tmp_path / ".x", tmp_path / "x")
    file.write([b"half"])
    assert not (tmp_path / "x").exists()
    file.discard()
    assert files(tmp_path) == []
    empty = NewFile(tmp_path / ".y", tmp_path / "y")
    empty.commit()
    assert (tmp_path / "y").read_bytes() == b""


async def test_what_exists_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / ".x").write_text("other")
    with pytest.raises(FileExistsError):
        NewFile(tmp_path / ".x", tmp_path / "x").write([b"x"])


async def test_folders_are_for_the_service_alone(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o077 == 0
