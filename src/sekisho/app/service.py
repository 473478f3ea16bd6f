"""``sekisho serve``: the process around a worker, from its file to its exit."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from sekisho.app.control import Refusal
from sekisho.app.memory import map_large_pieces
from sekisho.app.worker import Worker
from sekisho.auth.account import AccountError
from sekisho.config.load import load_config
from sekisho.config.schema import Config
from sekisho.net.tls import TlsFilesError
from sekisho.queue.errors import QueueError


def serve(path: Path) -> int:
    """Run the service until it is told to stop.

    Returns:
        The exit code.

    Raises:
        ConfigErrors: The configuration is wrong.
        Refusal: It cannot be served: it is not closed, a port is taken, the data
            folder is somebody else's.

    """
    config = load_config(path, os.environ)
    map_large_pieces()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(config))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Take uvloop where the platform has it: a quarter of asyncio's CPU."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(config: Config) -> int:
    async with AsyncExitStack() as closing:
        try:
            worker = await Worker.start(config, closing)
        except (QueueError, AccountError, TlsFilesError) as error:
            raise Refusal(str(error), error.hint) from error
        return await worker.run()
