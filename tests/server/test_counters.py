"""Bounds an hour hold for any hour; what is counted is forgotten, and bounded."""

from ipaddress import ip_address

import pytest

from sekisho.model.facts import QuotaKey
from sekisho.server.counters import ClientCounters, QuotaCounters, client_block

ONE, OTHER = ip_address("192.0.2.1"), ip_address("192.0.2.2")
HOUR, DAY = 3600, 86_400
NOW = 1_800_000_000.0


def test_an_ipv6_client_has_its_whole_network() -> None:
    block = client_block(ip_address("2001:db8::1"))
    assert block == client_block(ip_address("2001:db8:0:0:ffff::9"))
    assert block != client_block(ip_address("2001:db8:0:1::1"))
    assert client_block(ONE) != client_block(OTHER)


def test_sessions_are_counted_off_to_nothing() -> None:
    clients = ClientCounters()
    opened = [clients.opened(ONE), clients.opened(ONE), clients.opened(OTHER)]
    assert opened == [1, 2, 1]
    assert (clients.sessions, clients.sessions_of(ONE)) == (3, 2)
    for client in (ONE, ONE, OTHER):
        clients.closed(client)
    assert (clients.sessions, clients.sessions_of(ONE)) == (0, 0)


def test_quotas_are_seen_as_they_are_at_a_moment() -> None:
    quotas, key = QuotaCounters(), QuotaKey("staff", "alice")
    assert dict(quotas.view(NOW)) == {}
    with quotas.counting(NOW) as counting:
        counting.add(key, 1, 3)
    view = quotas.view(NOW + HOUR + 120)
    assert (len(view), list(view)) == (1, [key])
    usage = view[key]
    assert (usage.messages_last_hour, usage.messages_last_day) == (0, 1)
    assert (usage.recipients_last_hour, usage.recipients_last_day) == (0, 3)
    assert quotas.view(NOW + 2 * DAY)[key].messages_last_day == 0
    with pytest.raises(KeyError):
        view[QuotaKey("staff", "bob")]


def test_what_was_not_accepted_is_given_back() -> None:
    quotas, key = QuotaCounters(), QuotaKey("staff", "alice")
    for _ in range(2):
        with quotas.counting(NOW) as counting:
            counting.add(key, 1, 3)
    quotas.give_back([(key, 3)], NOW)
    usage = quotas.view(NOW)[key]
    assert (usage.messages_last_hour, usage.recipients_last_day) == (1, 3)
    quotas.give_back([], NOW)
