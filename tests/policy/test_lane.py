"""A legacy listener without a lane lets nobody in."""

from ipaddress import ip_address

from sekisho.model.address import NULL_PATH, Address
from sekisho.model.facts import Facts
from sekisho.model.rules import ListenerRule, Role, Rules
from sekisho.policy.decide import compile_rules


def test_no_lane_no_passage() -> None:
    rules = Rules(
        "relay.example.com",
        Address("postmaster", "own.example"),
        {"printers": ListenerRule("printers", Role.LEGACY)},
    )
    here = ip_address("192.0.2.1")
    facts = Facts("printers", here, tls=False, reverse_path=NULL_PATH, now=0.0)
    assert not compile_rules(rules).decide(facts).accepts
