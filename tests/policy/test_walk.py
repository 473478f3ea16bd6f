"""Whatever narrow gap a wrong decision has, the walk goes through it."""

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from policy.cases import (
    ALICE,
    BOX,
    NOW,
    PRINTER,
    address,
    facts,
    grant,
    house,
    lane,
    pattern,
)
from replacing import replace
from sekisho.model.address import NULL_PATH, Address
from sekisho.model.decision import Decision, Verdict
from sekisho.model.facts import Facts
from sekisho.model.identity import Identity
from sekisho.model.rules import OwnDomain, RecipientCheck, Rules
from sekisho.policy.closed import HostFacts
from sekisho.policy.decide import Policy
from sekisho.policy.proof import prove
from sekisho.policy.table import StrangerRelays

Leak = Callable[[Facts], bool]
RULES = house(
    BOX,
    grant("six", "2001:db8:1::/64", listeners=["mx"], senders=["six@y.example"]),
    grant("own", "user:alice", recipients=["*@partner.example"]),
    domains=(
        OwnDomain("example.com", RecipientCheck.ANY),
        OwnDomain(
            "free.example", RecipientCheck.ANY, accept_own_senders_from_outside=True
        ),
    ),
    gateways=["10.1.2.3", "172.20.0.1"],
)


class Flawed(Policy):
    """A policy that lets pass what `leak` says."""

    leak: Leak

    def decide(self, facts: Facts) -> Decision:
        decision = super().decide(facts)
        if decision.verdict is Verdict.REFUSE and self.leak(facts):
            return super().decide(
                replace(facts, listener="mx", recipients=OURS, reverse_path=NULL_PATH)
            )
        return decision


NO_GROUPS: frozenset[str] = frozenset()
OURS = facts("mx", "", "postmaster").recipients


def findings(leak: Leak, rules: Rules = RULES) -> list[StrangerRelays]:
    policy = Flawed(rules)
    policy.leak = leak
    proof = prove(policy, now=NOW, accounts=[ALICE], host=HostFacts())
    found = [one for one in proof.findings if isinstance(one, StrangerRelays)]
    assert proof.is_closed == (not found)
    return found


def to(text: str) -> Leak:
    wanted = address(text)
    return lambda case: any(one.address == wanted for one in case.recipients)


def at(text: str) -> Leak:
    client = ip_address(text)
    return lambda case: case.client == client


def of(text: str) -> Leak:
    path = address(text) if text else NULL_PATH
    return lambda case: case.reverse_path == path


def on(listener: str, *, tls: bool) -> Leak:
    return lambda case: case.listener == listener and case.tls == tls


def all_of(*leaks: Leak) -> Leak:
    return lambda case: all(leak(case) for leak in leaks)


def stranger(case: Facts) -> bool:
    return not isinstance(case.who, Identity)


def test_a_decision_without_a_gap_is_closed() -> None:
    assert findings(lambda _: False) == []


FOREIGN = "someone@elsewhere.example"


def test_a_stranger_who_relays_is_told_of() -> None:
    leak = all_of(on("mx", tls=True), to(FOREIGN), of(""), at("203.0.113.7"))
    (found,) = findings(leak)
    reason = found.reason
    assert reason
    assert found == StrangerRelays(
        "mx", "203.0.113.7", str(NULL_PATH), FOREIGN, "", reason
    )


@pytest.mark.parametrize(
    "client", ["10.1.1.255", "10.1.2.8", "10.1.2.3", "2001:db8:1:1::", "2001:db8:1::1"]
)
def test_neighbours_of_a_range_try_and_its_members_do_not(client: str) -> None:
    inside = client == "2001:db8:1::1"
    found = findings(all_of(at(client), stranger))
    assert (not found) == inside


def test_the_neighbours_of_a_lane_try() -> None:
    rules = house(printers=lane("10.0.8.0/30"))
    for client in ("10.0.7.255", "10.0.8.4"):
        found = findings(all_of(at(client), of("scanner@example.com"), stranger), rules)
        assert not found, "what a lane allows is mail to us"
    rules = house(printers=lane("10.0.8.0/30", recipients=["*@y.example"]))
    for client in ("10.0.7.255", "10.0.8.4"):
        assert findings(all_of(at(client), of("scanner@example.com")), rules)
    assert not findings(at(PRINTER), house())


def test_members_of_a_range_that_relay_are_no_finding() -> None:
    assert findings(all_of(at("10.1.2.1"), stranger)) == []


@pytest.mark.parametrize("sender", ["alice@example.com", FOREIGN])
@pytest.mark.parametrize("recipient", [FOREIGN, "someone@partner.example"])
@pytest.mark.parametrize("listener", ["submission", "submissions"])
def test_accounts_try_what_no_grant_of_theirs_allows(
    listener: str, sender: str, recipient: str
) -> None:
    found = findings(
        all_of(
            lambda case: isinstance(case.who, Identity) and case.who == ALICE,
            lambda case: case.listener == listener,
            of(sender),
            to(recipient),
        )
    )
    allowed = (sender, recipient) == ("alice@example.com", "someone@partner.example")
    assert (not found) == allowed
    assert {one.client for one in found} <= {"alice"}


def test_one_account_of_each_kind_tries() -> None:
    bob = replace(ALICE, account="bob", groups=NO_GROUPS)
    twin = replace(ALICE, account="twin", groups=NO_GROUPS)
    wide = replace(twin, account="wide", addresses=(pattern("*@a.example"),))
    policy = Flawed(RULES)
    tried: set[str] = set()

    def note(case: Facts) -> bool:
        if isinstance(case.who, Identity) and isinstance(case.reverse_path, Address):
            tried.add(case.who.account)
        return False

    policy.leak = note
    prove(policy, now=NOW, accounts=[ALICE, bob, twin, wide], host=HostFacts())
    assert {"alice", "bob", "wide"} <= tried
    assert "twin" not in tried, "it holds and owns what bob does"
