"""One directory for all tests of this folder that do not change it."""

from collections.abc import Iterator

import pytest

from peers.slapd import PEOPLE, Slapd, person

HARD_NAMES = ("a*b", "p(q)r", "x,y", "back\\slash", "plus+sign", "hash#", "ü")


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
