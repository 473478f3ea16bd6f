"""A process to be killed: adopts a left-over queue folder into a running queue."""

import asyncio
import os
import sys
from pathlib import Path

from sekisho.queue.adoption import adopt
from sekisho.queue.store import Queue, QueueOptions


async def main(data: Path) -> None:
    queue = Queue.open(data / "queue", options=QueueOptions(min_free_bytes=0))
    queue.start(asyncio.get_running_loop(), lambda sentence: os._exit(70))
    os.write(1, b"ready\n")
    await adopt(queue, data / "queue-1")
    await queue.close()
    os.write(1, b"done\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
