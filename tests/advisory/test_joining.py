"""Evidence beside an inventory never makes an answer safer than what is shown."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisory.exporting import branch, export, windows_2000
from sekisho.advisory.audited import FACT, AuditError, join_audit, read_audit
from sekisho.advisory.evidence import take_evidence
from sekisho.advisory.export_file import read_export
from sekisho.advisory.inventory import Host, read_inventory
from sekisho.advisory.joining import host_of, join_registry
from sekisho.advisory.judge import Judge
from sekisho.advisory.shelf import find
from sekisho.advisory.verdicts import Verdict

SHOWN = take_evidence(read_export(export(branch(windows_2000()))), "f")


def hosts(*described: dict[str, Any]) -> list[Host]:
    return read_inventory(json.dumps(list(described)).encode()).hosts


def report(*targets: tuple[str, str, dict[str, str]]) -> bytes:
    return json.dumps(
        {
            "schema": "sekisho-audit-1",
            "targets": [
                {
                    "host": host,
                    "address": address,
                    "port": 25,
                    "results": [
                        {"id": probe, "verdict": verdict, "title": "-"}
                        for probe, verdict in results.items()
                    ],
                }
                for host, address, results in targets
            ],
        }
    ).encode()


def judged(host: Host, advisory: str = "MS01-037") -> Any:
    bulletin = find(advisory)
    assert bulletin is not None
    return Judge(bulletin).judge(host)


def test_a_registry_fills_what_the_inventory_leaves_open() -> None:
    told = {"id": "web-01", "smtp": {"state": "running"}, "domain_role": "standalone"}
    joined = join_registry(hosts(told, {"id": "else"}), SHOWN)
    assert [one.id for one in joined.hosts] == ["web-01", "else"]
    facts = joined.hosts[0].facts
    assert facts["smtp.state"] == "running"
    assert facts["os.service_pack"] == 2
    assert joined.hosts[1].facts == {}


def test_what_contradicts_itself_is_not_known_and_is_told() -> None:
    told = {"id": "WEB-01", "os": {"service_pack": 3}}
    joined = join_registry(hosts(told), SHOWN)
    assert "os.service_pack" not in joined.hosts[0].facts
    said = [one.en for one in joined.notes["WEB-01"]]
    assert any("the inventory says 3, the registry 2" in one for one in said)


def test_a_host_that_no_inventory_knows_is_judged_by_itself() -> None:
    joined = join_registry(hosts({"id": "else"}), SHOWN)
    assert [one.id for one in joined.hosts] == ["else", "WEB-01"]


_SAFER = (Verdict.AFFECTED, Verdict.UNKNOWN, Verdict.MITIGATED, Verdict.NOT_AFFECTED)


@given(st.integers(0, 4), st.sampled_from(["standalone", "member", None]))
def test_a_contradiction_is_never_safer_than_either_side(
    pack: int, role: str | None
) -> None:
    told: dict[str, Any] = {"id": "WEB-01", "os": {"service_pack": pack}}
    if role:
        told["domain_role"] = role
    alone = hosts(told)[0]
    joined = join_registry([alone], SHOWN).hosts[0]
    sides = {judged(alone).verdict, judged(host_of(SHOWN)).verdict}
    if pack != 2 and role != "member":
        assert judged(joined).verdict in {Verdict.UNKNOWN, *sides}
        assert judged(joined).verdict is not Verdict.FIXED


def test_a_probe_that_succeeded_makes_the_host_affected_whatever_is_told() -> None:
    told = {"id": "web-01", "os": {"product": "Windows 2000", "service_pack": 4}}
    audit = read_audit(report(("WEB-01.", "", {"AUTH-001": "flawed"})))
    joined = join_audit(hosts(told), audit)
    answer = judged(joined.hosts[0])
    codes = [one.code for one in answer.reasons]
    assert answer.verdict is Verdict.AFFECTED
    assert codes[0] == "R-PROBE"
    assert "R-CONTRADICTION" in codes


@pytest.mark.parametrize(
    ("probe", "advisory"),
    [("AUTH-001", "MS01-037"), ("AUTH-002", "MS01-037"), ("AUTH-004", "MS02-011")],
)
def test_each_probe_proves_its_own_bulletin(probe: str, advisory: str) -> None:
    audit = read_audit(report(("h", "", {probe: "flawed"})))
    host = join_audit(hosts({"id": "h"}), audit).hosts[0]
    assert judged(host, advisory).verdict is Verdict.AFFECTED
    other = {"MS01-037": "MS02-011", "MS02-011": "MS01-037"}[advisory]
    assert judged(host, other).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("verdict", ["safe", "suspect", "undecided", "not_applicable"])
def test_a_probe_that_failed_proves_nothing_and_is_recorded(verdict: str) -> None:
    known = hosts({"id": "h", "os": {"product": "Windows 2000", "service_pack": 2}})
    joined = join_audit(known, read_audit(report(("h", "", {"AUTH-001": verdict}))))
    assert joined.hosts == known
    assert [one.verdict for one in joined.seen["h"]] == [verdict]


def test_hosts_are_matched_by_name_or_address_and_never_by_likeness() -> None:
    known = hosts({"id": "10.0.0.5"}, {"id": "2001:db8::1"}, {"id": "web"})
    flawed = {"AUTH-001": "flawed"}
    audit = read_audit(
        report(
            ("a.example.com", "10.0.0.5", flawed),
            ("[2001:DB8:0::1]", "", flawed),
            ("web.example.com", "10.0.0.6", flawed),
        )
    )
    joined = join_audit(known, audit)
    assert [FACT in one.facts for one in joined.hosts] == [True, True, False]
    assert joined.unmatched == ["web.example.com"]
    assert joined.unasked == ["web"]


def test_several_ports_of_a_host_are_one_host() -> None:
    audit = read_audit(
        report(
            ("h", "192.0.2.1", {"AUTH-001": "safe"}),
            ("h", "192.0.2.1", {"AUTH-002": "flawed"}),
        )
    )
    joined = join_audit(hosts({"id": "h"}), audit)
    assert joined.hosts[0].facts[FACT] == frozenset({"AUTH-002"})
    assert len(joined.seen["h"]) == 2


@pytest.mark.parametrize(
    "octets", [b"", b"{}", b"[]", b"\xff\xfe\xff", b'{"targets": [{"host": 1}]}']
)
def test_what_is_no_audit_is_refused(octets: bytes) -> None:
    with pytest.raises(AuditError, match="it is no report of an audit"):
        read_audit(octets)


def test_a_registry_alone_leaves_open_what_no_registry_shows() -> None:
    (host,) = join_registry([], SHOWN).hosts
    answer = judged(host)
    assert answer.verdict is Verdict.UNKNOWN
    assert "patch.filelist" in answer.missing
    assert "smtp.state" not in host.facts
    compared = Host(host.id, {**host.facts, "patch.filelist": "match"})
    assert judged(compared).verdict is Verdict.FIXED
