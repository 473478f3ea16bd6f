"""A row of clients covers their addresses to the last one, and no neighbour's."""

from ipaddress import ip_network

import pytest

from policy.cases import address, facts, pattern
from sekisho.model.rules import Clients
from sekisho.policy import rules as names
from sekisho.policy.clients import Span, span_of_address
from sekisho.policy.table import Row

NETWORK = ip_network("10.1.2.0/29")
FIRST = span_of_address(NETWORK[0]).first
ROW = Row(
    "mx",
    Clients((NETWORK,)),
    (pattern("*"),),
    names.GRANT,
    spans=(Span(4, FIRST, FIRST + 7), Span(6, FIRST + 100, FIRST + 100)),
    senders=(pattern("*"),),
)


@pytest.mark.parametrize(
    ("client", "covered"),
    [
        ("10.1.1.255", False),
        ("10.1.2.0", True),
        ("10.1.2.3", True),
        ("10.1.2.7", True),
        ("10.1.2.8", False),
        ("10.1.2.100", False),
        ("::10.1.2.0", False),
        ("::10.1.2.3", False),
        ("::10.1.2.100", True),
    ],
)
def test_a_row_covers_its_clients(client: str, *, covered: bool) -> None:
    case = facts("mx", "a@y.example", "b@z.example", client=client)
    assert ROW.covers(case, address("b@z.example")) == covered
