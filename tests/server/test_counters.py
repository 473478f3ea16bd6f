"""Bounds an hour hold for any hour; what is counted is forgotten, and bounded."""

from ipaddress import ip_address

import pytest

from sekisho.model.facts import QuotaKey
from sekisho.server import counters
from sekisho.server.counters import (
    DAY,
    HOUR,
    ClientCounters,
    QuotaCounters,
    Window,
    client_block,
)

ONE, OTHER = ip_address("192.0.2.1"), ip_address("192.0.2.2")
NOW = 1_800_000_000.0


def test_a_window_slides_and_does_not_begin_anew() -> None:
    window = Window(HOUR)
    window.add(NOW - 30, 2)
    window.add(NOW + 30, 3)
    assert window.count(NOW + HOUR - 120) == 5
    assert window.count(NOW + HOUR - 30) == 3
    assert window.count(NOW + HOUR + 120) == 0


def test_a_window_holds_no_more_than_its_buckets() -> None:
    window = Window(HOUR)
    for second in range(3 * HOUR):
        window.add(NOW + second)
        window.count(NOW + second)
    assert len(window.buckets) <= 61
    assert abs(window.count(NOW + 3 * HOUR) - HOUR) <= 60


def test_an_ipv6_client_has_its_whole_network() -> None:
    block = client_block(ip_address("2001:db8::1"))
    assert block == client_block(ip_address("2001:db8:0:0:ffff::9"))
    assert block != client_block(ip_address("2001:db8:0:1::1"))
    assert client_block(ONE) != client_block(OTHER)


def test_sessions_are_counted_off_to_nothing() -> None:
    clients = ClientCounters()
    assert [clients.opened(ONE), clients.opened(ONE), clients.opened(OTHER)] == [
        1,
        2,
        1,
    ]
    assert (clients.sessions, clients.sessions_of(ONE)) == (3, 2)
    for client in (ONE, ONE, OTHER):
        clients.closed(client)
    assert (clients.sessions, clients.sessions_of(ONE)) == (0, 0)
    assert clients._sessions == {}


def test_messages_are_remembered_of_so_many_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counters, "MAX_REMEMBERED_CLIENTS", 2)
    clients = ClientCounters()
    third = ip_address("192.0.2.3")
    for client in (ONE, OTHER, ONE, third):
        clients.sent(client, NOW)
    found = [clients.messages_last_hour(one, NOW) for one in (ONE, OTHER, third)]
    assert found == [2, 0, 1]


def test_quotas_are_seen_as_they_are_at_a_moment() -> None:
    quotas, key = QuotaCounters(), QuotaKey("staff", "alice")
    assert dict(quotas.view(NOW)) == {}
    quotas.add(key, 3, NOW)
    view = quotas.view(NOW + HOUR + 120)
    assert (len(view), list(view), len(quotas)) == (1, [key], 1)
    usage = view[key]
    assert (usage.messages_last_hour, usage.messages_last_day) == (0, 1)
    assert (usage.recipients_last_hour, usage.recipients_last_day) == (0, 3)
    assert quotas.usage(key, NOW + 2 * DAY) is not None
    with pytest.raises(KeyError):
        view[QuotaKey("staff", "bob")]
