"""One directory for all tests of this folder that do not change it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest
import uvloop

from peers.slapd import PEOPLE, Slapd, person

HARD_NAMES = ("a*b", "p(q)r", "x,y", "back\\slash", "plus+sign", "hash#", "ü")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that serves where there is one; faults are tried with asyncio's own."""
    if item.path.name == "test_faults.py":
        return {"asyncio": asyncio.new_event_loop}
    return {"uvloop": uvloop.new_event_loop}


def _ldif_dn(uid: str) -> str:
    return "".join(f"\\{c}" if c in ',+"\\<>;=#' else c for c in uid)


@pytest.fixture(scope="session")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    hard = [
        person(_ldif_dn(uid), "hard to spell").replace(
            f"\nuid: {_ldif_dn(uid)}\n", f"\nuid: {uid}\n"
        )
        for uid in HARD_NAMES
    ]
    twins = [
        "dn: ou=twins,dc=own,dc=test\nobjectClass: organizationalUnit\nou: twins\n",
        person("twin", "the first's"),
        person("twin", "the second's", people="ou=twins,dc=own,dc=test"),
        person("double", "two names", "uid: duplicate"),
    ]
    folder = tmp_path_factory.mktemp("slapd")
    assert PEOPLE
    with Slapd(folder / "main", entries=[*hard, *twins]) as running:
        yield running
