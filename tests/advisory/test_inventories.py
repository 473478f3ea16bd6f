"""Inventories: what they may say, and that hostile ones are refused in a sentence."""

import json
from typing import Any

import pytest

from advisory.described import WEB_01, changed, hosts_of
from sekisho.advisory import inventory as inventories
from sekisho.advisory.facts import BY_NAME, MAX_MEMBERS, MAX_TEXT, read_fact
from sekisho.advisory.inventory import (
    MAX_DEPTH,
    MAX_STRANGE,
    InventoryError,
    printable,
    read_inventory,
)
from sekisho.advisory.products import product_named


def _refused(octets: bytes | str) -> InventoryError:
    given = octets if isinstance(octets, bytes) else octets.encode()
    with pytest.raises(InventoryError) as told:
        read_inventory(given)
    assert "\n" not in told.value.sentence
    return told.value


def test_one_many_and_hosts_are_read_alike() -> None:
    one = hosts_of(WEB_01)
    assert one == hosts_of([WEB_01]) == hosts_of({"hosts": [WEB_01]})
    assert one[0].id == "web-01"
    assert len(one[0].facts) == 16


def test_what_is_left_out_null_or_unknown_is_not_known() -> None:
    host = changed(domain_role="unknown", smtp=None, exchange=None, os__edition="")
    known = hosts_of(host)[0].facts
    assert not known.keys() & {"domain_role", "smtp.state", "exchange", "os.edition"}
    assert known["os.service_pack"] == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_whatever_a_system_writes_json_in_is_read(encoding: str) -> None:
    host = {"id": "受付", "domain_role": "member"}
    octets = json.dumps(host, ensure_ascii=False).encode(encoding)
    assert read_inventory(octets).hosts[0].id == "受付"


def test_a_host_without_a_name_is_called_by_its_place() -> None:
    assert [one.id for one in hosts_of([{}, {"id": 7}, {"id": None}])] == [
        "#1",
        "7",
        "#3",
    ]


def test_names_that_mean_nothing_are_told_and_change_nothing() -> None:
    host = {**changed(os__servicepack=4), "note": {"a": [1]}}
    read = read_inventory(json.dumps(host).encode())
    assert read.strange == {"os.servicepack": "web-01", "note": "web-01"}
    assert read.hosts == hosts_of(WEB_01)


def test_few_of_many_strange_names_are_told() -> None:
    host = {**WEB_01, **{f"x{number}": 1 for number in range(MAX_STRANGE + 5)}}
    assert len(read_inventory(json.dumps(host).encode()).strange) == MAX_STRANGE


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("[]", "has no host in it"),
        ("{}", "has no host in it"),
        ('{"hosts": []}', "has no host in it"),
        ('{"name": "web-01"}', "has no host in it"),
        ('{"hosts": {"id": "a"}}', "is neither a host, a list of hosts nor"),
        ("7", "is neither a host"),
        ("null", "is neither a host"),
        ('"web-01"', "is neither a host"),
        ("[7]", "host 1 of the inventory is not an object"),
        ("[{}, []]", "host 2 of the inventory is not an object"),
        ('{"id": "a"', "line 1, column 11"),
        ('[{"id": "a"},\n {"id" "b"}]', "line 2, column 8"),
        ('{"id": "a"} x', "line 1, column 13"),
        ('{"id": "a", "id": "b"}', "says 'id' twice"),
        ('[{"os": {"service_pack": 3, "service_pack": 0}}]', "'service_pack' twice"),
        ('{"os": {"service_pack": NaN}}', "NaN is no value"),
        ('{"os": {"service_pack": Infinity}}', "Infinity is no value"),
        ('{"os": {"service_pack": ' + "9" * 5000 + "}}", "not JSON"),
        ("[" * 100_000, "nested deeper than 16"),
        ('{"id": "a", "x": ' * 50_000, "nested deeper than 16"),
        (b'{"id": "\xff"}', "not text: octet 8"),
        (b"\x00\x01\x02", "the inventory is not"),
    ],
)
def test_what_is_no_inventory_is_refused_with_its_place(
    octets: bytes | str, said: str
) -> None:
    assert said in _refused(octets).sentence


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"os__service_pack": "2"}, "os.service_pack is not a whole number"),
        ({"os__service_pack": True}, "os.service_pack is not a whole number"),
        ({"os__service_pack": 2.0}, "os.service_pack is not a whole number"),
        ({"os__service_pack": -1}, "os.service_pack is not from 0 to 99"),
        ({"os__service_pack": 100}, "os.service_pack is not from 0 to 99"),
        ({"os__product": ["Windows 2000"]}, "os.product is not text"),
        ({"os__product": "x" * (MAX_TEXT + 1)}, "is longer than 256 characters"),
        ({"os": "Windows 2000"}, "os is not an object"),
        ({"smtp__installed": "yes"}, "smtp.installed is neither true nor false"),
        ({"smtp__installed": 1}, "smtp.installed is neither true nor false"),
        ({"smtp__state": "paused"}, "smtp.state is none of: running, stopped"),
        ({"smtp__ports": 25}, "smtp.ports is not a list"),
        ({"smtp__ports": [0]}, "no port from 1 to 65535"),
        ({"smtp__ports": [65_536]}, "no port from 1 to 65535"),
        ({"smtp__ports": [True]}, "no port from 1 to 65535"),
        ({"smtp__ports": ["25"]}, "no port from 1 to 65535"),
        ({"domain_role": "workgroup"}, "domain_role is none of: standalone"),
        ({"exchange": "yes"}, 'exchange is neither "none" nor a version'),
        ({"exchange": True}, "exchange is not text"),
        ({"patch__registry_keys": "Q302755"}, "patch.registry_keys is not a list"),
        ({"patch__registry_keys": [1]}, "patch.registry_keys is not text"),
        (
            {"patch__registry_keys": [str(one) for one in range(MAX_MEMBERS + 1)]},
            "has more than 10000 members",
        ),
        ({"patch__filelist": "same"}, "patch.filelist is none of: match, older"),
        ({"id": "a\ud800"}, "id is not a text of 1 to 256"),
        ({"id": ""}, "id is not a text of 1 to 256"),
        ({"id": "x" * (MAX_TEXT + 1)}, "id is not a text of 1 to 256"),
        ({"id": True}, "id is not a text of 1 to 256"),
    ],
)
def test_a_value_that_cannot_be_is_refused_and_never_guessed(
    facts: dict[str, Any], said: str
) -> None:
    error = _refused(json.dumps([WEB_01, changed(**facts)]))
    assert said in error.sentence
    assert "2" in error.sentence or "web-01" in error.sentence


def test_what_nobody_may_tell_is_not_taken_from_an_inventory() -> None:
    host = {**WEB_01, "probe": {"flawed": ["AUTH-001"]}, "answer": {"verdict": "fixed"}}
    read = read_inventory(json.dumps(host).encode())
    assert set(read.strange) == {"probe", "answer"}
    assert read.hosts == hosts_of(WEB_01)


def test_one_past_the_depth_is_refused() -> None:
    def nested(depth: int) -> str:
        return '{"id": "a", "x": ' + "[" * depth + "]" * depth + "}"

    assert read_inventory(nested(MAX_DEPTH).encode()).hosts
    assert "nested deeper" in _refused(nested(MAX_DEPTH + 1)).sentence


def test_one_past_the_hosts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventories, "MAX_HOSTS", 3)
    assert len(hosts_of([{}] * 3)) == 3
    assert "more than 3 hosts" in _refused(json.dumps([{}] * 4)).sentence


def test_one_past_the_octets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(WEB_01)
    monkeypatch.setattr(inventories, "MAX_INVENTORY_BYTES", len(text))
    assert read_inventory(text.encode()).hosts
    assert "larger than" in _refused(text + " ").sentence


def test_no_name_steers_a_terminal() -> None:
    assert "\x1b" not in printable("a\x1b[2J\u202eb")
    named = [{**WEB_01, "id": "a\x1b[2J", "domain_role": "x"}]
    assert "\x1b" not in _refused(json.dumps(named)).sentence


@pytest.mark.parametrize(
    ("told", "taken"),
    [
        ("Win2K", "Windows 2000"),
        ("w2k", "Windows 2000"),
        ("Microsoft® Windows® 2000 Server", "Windows 2000"),
        ("Windows \uff12\uff10\uff10\uff10", "Windows 2000"),
        ("Windows NT 5.0", "Windows 2000"),
        ("NT4", "Windows NT 4.0"),
        ("Windows NT Server 4.0", "Windows NT 4.0"),
        ("windows nt 3.51", "Windows NT 3.51"),
        ("Windows XP", "Windows XP"),
        ("Windows NT", None),
        ("Windows NT Workstation", None),
        ("Windows", None),
        ("Small Business Server 2000", None),
        ("unknown", None),
        (" ", None),
    ],
)
def test_nicknames_of_windows_2000_are_not_another_system(
    told: str, taken: str | None
) -> None:
    assert product_named(told) == taken


@pytest.mark.parametrize(
    ("told", "taken"),
    [
        ("none", "none"),
        ("None", "none"),
        ("5.5", "5.5"),
        (5.5, "5.5"),
        (5, "5.0"),
        ("5.5.2653", "5.5"),
        ("Exchange 5.5 SP4", "5.5"),
        ("Microsoft Exchange Server 2000", "2000"),
        ("6.0", "2000"),
        (2000, "2000"),
        ("6.5", "2003"),
    ],
)
def test_exchange_has_one_spelling(told: object, taken: str) -> None:
    assert read_fact(BY_NAME["exchange"], told) == taken
