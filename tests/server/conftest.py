"""Tests here run on the loop that the service has."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def on_each_loop(request: pytest.FixtureRequest) -> Run:
    """Run on asyncio's own loop and on uvloop: their handshakes differ."""
    factory = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

    def run(work: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=factory[request.param]) as runner:
            runner.run(work)

    return run
