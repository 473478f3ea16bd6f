"""Every doubt is a refusal: authentication as those try it who have no right to.

The audit catalogue's part B against the running service, at a door for each kind of
papers. Each probe has two halves: the reply is a safe one of the catalogue, and
relaying is refused right after it. What no probe sends on shows at the next host.
"""

from collections.abc import Iterator

import pytest

from real.auth_probes.doors import Door, assert_no_passage, opened, say
from real.auth_probes.table import EVERY, SIGNING, TABLE, WIDE, Entry

NUMBERS = (*range(1, 9), *range(10, 23), *range(30, 43), *range(50, 71), *range(80, 84))
"""Of the entries AUTH-001 to AUTH-08x, as the catalogue has them."""

FAMILIES = {"local", "ldap", "oidc", "certificate", "kerberos"}
"""Kinds of authenticators, but for winbind, which has no domain here."""


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Door]]:
    """Serve them all; what is relayed by mistake shows at the next host."""
    with pytest.MonkeyPatch.context() as environment:
        folder = tmp_path_factory.mktemp("probes")
        with opened(folder) as found:
            if "kerberos" in found and (kdc := found["kerberos"].peers.kdc) is not None:
                # The client's side of the library is in this process.
                environment.setenv("KRB5_CONFIG", str(kdc.krb5_conf))
                environment.setenv("KRB5CCNAME", f"FILE:{folder}/cc")
            yield found


def _door(doors: dict[str, Door], family: str) -> Door:
    if family not in doors:
        pytest.skip(f"what {family} needs is not there: run .ci/peers")
    return doors[family]


def _run(entry: Entry, door: Door) -> None:
    tried = 0
    for client, reply in entry.probe(door):
        tried += 1
        assert reply.status in entry.safe, (reply, client.transcript[-8:])
        if not entry.signed_in:
            assert_no_passage(client)
    assert tried


def test_every_entry_of_the_catalogue_is_in_the_table() -> None:
    assert list(TABLE) == [f"AUTH-{number:03}" for number in NUMBERS]
    tried = {family for entry in TABLE.values() for family in entry.at}
    assert tried == {*EVERY} >= FAMILIES
    assert not [entry for entry in TABLE.values() if "235 2.7.0" in entry.safe]


@pytest.mark.parametrize("family", SIGNING)
def test_control_right_papers_are_taken(doors: dict[str, Door], family: str) -> None:
    """Else every refusal below would be worth nothing."""
    door = _door(doors, family)
    with door.private() as client:
        assert say(client, door.right()).status == "235 2.7.0"
        assert client.say(f"MAIL FROM:<{door.user.address}>").code == 250
        assert client.say("RCPT TO:<c@world.test>").code == 250


@pytest.mark.parametrize("family", EVERY)
def test_control_these_mechanisms_are_offered(
    doors: dict[str, Door], family: str
) -> None:
    """Else what is not offered would be all that is tried."""
    door = _door(doors, family)
    with door.private() as client:
        offered = [line for line in client.ehlo() if line.startswith("AUTH ")]
        assert offered == [f"AUTH {' '.join(door.offered)}"]


@pytest.mark.parametrize(
    ("number", "family"),
    [(number, family) for number, entry in TABLE.items() for family in entry.at],
)
def test_the_answer_is_safe(doors: dict[str, Door], number: str, family: str) -> None:
    _run(TABLE[number], _door(doors, family))


@pytest.mark.deep
@pytest.mark.parametrize(
    ("number", "family"),
    [(number, family) for number, entry in WIDE.items() for family in entry.at],
)
def test_the_answer_is_safe_whatever_is_combined(
    doors: dict[str, Door], number: str, family: str
) -> None:
    _run(WIDE[number], _door(doors, family))
