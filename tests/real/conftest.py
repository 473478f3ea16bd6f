"""What tests/real share: every test is marked, and gets addresses of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from peers.loopback import fresh_address
from peers.service import Service, Settings
from peers.sink import RecordingSink

_HERE = Path(__file__).parent

Serve = Callable[..., Service]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here, so that ``-m 'not real'`` leaves it out."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.real)


@pytest.fixture
def stranger() -> str:
    """A client address that nothing knows, in a /24 that no other test uses."""
    return fresh_address()


@pytest.fixture
def sink() -> Iterator[RecordingSink]:
    """A next host that keeps every octet."""
    with RecordingSink() as listening:
        yield listening


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start services that are ended with the test: ``serve(settings, users=…)``."""
    with ExitStack() as running:

        def start(
            settings: Settings,
            *,
            users: bool = True,
            name: str = "service",
            resolver: str = "",
        ) -> Service:
            service = Service(tmp_path / name, settings, resolver=resolver)
            if users:
                service.add_user()
            return running.enter_context(service)

        yield start
