"""A process to be killed: stores mail and says on stdout what is acknowledged."""

import asyncio
import os
import sys
from pathlib import Path

from queued_mail import decision, message
from replacing import replace
from sekisho.model.content import Content
from sekisho.model.ids import new_message_id
from sekisho.queue.records import Result, State
from sekisho.queue.store import Queue, QueueOptions


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


async def client(queue: Queue, number: int, count: int) -> None:
    for serial in range(count):
        mail = message(body=b"Subject: x\r\n\r\n" + b"x" * 4096)
        bits = int.from_bytes(os.urandom(10), "big")
        mail = replace(mail, id=new_message_id(mail.received_at, bits))
        if serial % 5 == 4 or count == 1:
            writer = queue.bodies.writer()
            await writer.write(b"x" * 300_000)
            mail = replace(mail, content=Content(b"", await writer.finish()))
        await queue.put(mail, decision(mail))
        say(f"put {mail.id}")
        if (serial + number) % 2:
            await queue.settle(mail.id, [Result(0, State.DELIVERED, "250")])
            say(f"settled {mail.id}")


async def main(folder: Path, mode: str) -> None:
    queue = Queue.open(folder, options=QueueOptions(min_free_bytes=0))
    queue.start(asyncio.get_running_loop(), lambda sentence: os._exit(70))
    say("ready")
    clients, count = (1, 1) if mode == "one" else (20, 1_000_000)
    await asyncio.gather(*(client(queue, n, count) for n in range(clients)))
    await queue.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
