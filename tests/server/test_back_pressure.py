"""A writer that lags slows sessions by not reading; it refuses nobody."""

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from replacing import replace
from sekisho.queue.operations import Operation
from server.conftest import Run
from server.support import FROM, TO, House, open_house

KIB, MIB = 1024, 1024 * 1024
SESSIONS, EACH = 12, 2
READ_BYTES = 256 * KIB
"""What the loop reads of a socket at a time, at most."""

PIPELINED, BODY_BYTES = 8, 4 * MIB


def hold_commits(house: House, wait: Any) -> None:
    """Let each transaction wait before it begins."""
    file: Any = house.queue._file
    commit = file.commit

    def waiting(operations: Sequence[Operation]) -> Any:
        wait()
        return commit(operations)

    file.commit = waiting


@pytest.mark.timeout(60)
def test_many_sessions_are_accepted_late_and_all(
    on_each_loop: Run, tmp_path: Path
) -> None:
    body = b"Subject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * 28_000
    most = 0

    async def send(house: House) -> list[str]:
        client = await house.session()
        answers = [await client.deliver(body) for _ in range(EACH)]
        client.vanish()
        return answers

    async def watch(house: House) -> None:
        nonlocal most
        while True:
            most = max(most, house.services.buffered_bytes)
            await asyncio.sleep(0)

    async def scene() -> None:
        async with open_house(tmp_path) as house:
            limits = replace(house.services.limits, max_buffered_bytes=256 * KIB)
            house.services.limits = limits
            hold_commits(house, lambda: time.sleep(0.2))
            watching = asyncio.ensure_future(watch(house))
            sent = await asyncio.gather(*(send(house) for _ in range(SESSIONS)))
            watching.cancel()
            answers = [one for several in sent for one in several]
            assert [one[:3] for one in answers] == ["250"] * SESSIONS * EACH
            assert len(house.accepted) == SESSIONS * EACH
            assert house.fatal == []

    on_each_loop(scene())
    # Over the bound at most one read of each session; their bodies are far more.
    assert 0 < most <= 256 * KIB + SESSIONS * READ_BYTES < SESSIONS * len(body)


@pytest.mark.timeout(60)
def test_what_waits_for_a_commit_is_not_read_beyond(
    on_each_loop: Run, tmp_path: Path
) -> None:
    """One session sends 32 MiB ahead; the first message's commit does not end."""
    may_commit = threading.Event()

    async def scene() -> None:
        may_commit.clear()
        async with open_house(tmp_path) as house:
            hold_commits(house, lambda: may_commit.wait(30))
            client = await house.session()
            body = b"Subject: y\r\n\r\n" + (b"y" * 62 + b"\r\n") * (BODY_BYTES // 64)
            opening = f"{FROM}\r\n{TO}\r\nBDAT {len(body)} LAST\r\n".encode()
            for _ in range(PIPELINED):
                client.send(opening + body)
            await asyncio.sleep(2)
            unread = client.writer.transport.get_write_buffer_size()
            # The kernel's own buffers take some; the relay took the first message.
            assert unread > PIPELINED * BODY_BYTES / 2
            assert house.services.buffered_bytes <= READ_BYTES
            assert house.accepted == []
            may_commit.set()
            replies = [await client.reply() for _ in range(3 * PIPELINED)]
            assert [one[:3] for one in replies] == ["250"] * 3 * PIPELINED
            assert len(house.accepted) == PIPELINED
            client.vanish()

    on_each_loop(scene())
