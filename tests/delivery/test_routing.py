"""Own domains first, then the rules in order, then MX."""

import pickle

import pytest

from sekisho.delivery.routing import destination_for
from sekisho.model.address import NULL_PATH, parse_address, parse_pattern
from sekisho.model.route import (
    Destination,
    DropRoute,
    HostRoute,
    MaildirRoute,
    MxRoute,
    Route,
    RouteRule,
    Routes,
    Server,
    TlsPolicy,
)

INNER = HostRoute("inner", (Server("10.0.0.1", 25),))
SMART = HostRoute("smart", (Server("smart.example", 587),))
DROP = DropRoute("/drop")
BOX = MaildirRoute("/box")
STRICT = MxRoute(TlsPolicy.REQUIRED)


def rule(to: str, route: Route, sender: str = "*") -> RouteRule:
    return RouteRule(parse_pattern(to), parse_pattern(sender), route)


ROUTES = Routes(
    domains={"own.example": INNER, "mx.own.example": STRICT},
    rules=(
        rule("boss@own.example", DROP),
        rule("*@drop.example", DROP, "*@example.com"),
        rule("*@drop.example", BOX, "shop@example.org"),
        rule("*@*.strict.example", STRICT),
        rule("*@smart.example", SMART),
    ),
)


@pytest.mark.parametrize(
    ("to", "sender", "expected"),
    [
        ("a@own.example", "x@y.example", Destination(INNER)),
        ("boss@own.example", "x@y.example", Destination(INNER)),
        ("a@mx.own.example", "x@y.example", Destination(STRICT, "mx.own.example")),
        ("a@drop.example", "x@example.com", Destination(DROP)),
        ("a@drop.example", "Shop@example.org", Destination(BOX)),
        ("a@drop.example", "x@y.example", Destination(MxRoute(), "drop.example")),
        ("a@drop.example", "", Destination(MxRoute(), "drop.example")),
        ("a@smart.example", "", Destination(SMART)),
        ("a@b.strict.example", "", Destination(STRICT, "b.strict.example")),
        ("a@strict.example", "", Destination(MxRoute(), "strict.example")),
        ("a@[192.0.2.1]", "", Destination(MxRoute(), "[192.0.2.1]")),
    ],
)
def test_the_first_that_matches_wins(
    to: str, sender: str, expected: Destination
) -> None:
    reverse_path = parse_address(sender) if sender else NULL_PATH
    assert destination_for(ROUTES, parse_address(to), reverse_path) == expected


@pytest.mark.parametrize(
    "to", ["a@own.example", "a@smart.example", "a@b.strict.example", "a@mx.example"]
)
def test_a_destination_is_made_once(to: str) -> None:
    address = parse_address(to)
    found = destination_for(ROUTES, address, NULL_PATH)
    assert destination_for(ROUTES, address, NULL_PATH) is found


def test_equal_destinations_have_one_hash_in_this_process() -> None:
    found = Destination(INNER)
    again = Destination(HostRoute("inner", (Server("10.0.0.1", 25),)))
    assert {found: 1}[again] == 1
    assert {found: 1}.get(Destination(SMART)) is None
    # One that comes from another process must not bring the hash it had there.
    object.__setattr__(again, "_hash", hash(found) + 1)
    assert hash(pickle.loads(pickle.dumps(again))) == hash(found)
