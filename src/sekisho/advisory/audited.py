"""What an audit found, joined to the hosts of an inventory.

A probe that succeeded is a fact about the host, whatever anybody wrote down of it. A
probe that failed proves nothing: it may have been refused for another reason, or sent
from an address that is treated otherwise. It is recorded and changes no verdict.

A target is a host if its name or its address is the host's id. Nothing is guessed: a
short name is not taken for a long one, since a wrong match would accuse a wrong host.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import cast

import msgspec

from sekisho.advisory.inventory import Host

MAX_AUDIT_BYTES = 256 << 20
FACT = "probe.flawed"
_FLAWED = "flawed"


class AuditError(Exception):
    """A file that is no audit's report, in one sentence."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint


class _Result(msgspec.Struct):
    id: str
    verdict: str


class _Target(msgspec.Struct):
    host: str
    results: list[_Result]
    port: int = 0
    address: str = ""


class _Report(msgspec.Struct):
    targets: list[_Target]


@dataclass(frozen=True, slots=True)
class Seen:
    """One probe's result on one port."""

    probe: str
    verdict: str
    host: str
    port: int

    @property
    def is_proof(self) -> bool:
        """Whether it shows the flaw; all else shows nothing."""
        return self.verdict == _FLAWED


@dataclass(slots=True)
class Joined:
    """The hosts with what was found on them.

    Attributes:
        hosts: In the inventory's order.
        seen: Host's id → what was asked of it.
        unmatched: Targets of the audit that are no host of the inventory.
        unasked: Hosts that the audit did not visit.

    """

    hosts: list[Host]
    seen: dict[str, list[Seen]] = field(default_factory=dict[str, list[Seen]])
    unmatched: list[str] = field(default_factory=list[str])
    unasked: list[str] = field(default_factory=list[str])


def read_audit(octets: bytes) -> dict[tuple[str, ...], list[Seen]]:
    """Read an audit's JSON report: names of a target → what was asked there.

    Raises:
        AuditError: It is none.

    """
    if len(octets) > MAX_AUDIT_BYTES:
        raise AuditError(f"the audit's report is larger than {MAX_AUDIT_BYTES} octets")
    hint = "write it with: sekisho audit HOST --json"
    try:
        text = octets.decode(json.detect_encoding(octets)).lstrip("\ufeff")
        report = msgspec.json.decode(text, type=_Report)
    except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError) as error:
        raise AuditError(f"it is no report of an audit: {error}", hint) from None
    found: dict[tuple[str, ...], list[Seen]] = {}
    for target in report.targets:
        names = (target.host, target.address) if target.address else (target.host,)
        found.setdefault(names, []).extend(
            Seen(one.id, one.verdict, target.host, target.port)
            for one in target.results
        )
    return found


def join_audit(
    hosts: Sequence[Host], audit: Mapping[tuple[str, ...], Iterable[Seen]]
) -> Joined:
    """Give each host the probes that succeeded on it."""
    ids: dict[str, list[str]] = {}
    for host in hosts:
        ids.setdefault(_alike(host.id), []).append(host.id)
    joined = Joined([])
    for names, seen in audit.items():
        matched = {one for name in names for one in ids.get(_alike(name), ())}
        for one in matched:
            joined.seen.setdefault(one, []).extend(seen)
        if not matched:
            joined.unmatched.append(names[0])
    for host in hosts:
        if host.id not in joined.seen:
            joined.unasked.append(host.id)
        joined.hosts.append(_with_proofs(host, joined.seen.get(host.id, [])))
    return joined


def probes_asked(value: object) -> set[str]:
    """Which probes tests rest on, of tests as an advisory file spells them."""
    if isinstance(value, dict):
        table = cast("dict[str, object]", value)
        if table.get("fact") == FACT:
            named = table.get("has")
            listed = cast("list[object]", named) if isinstance(named, list) else [named]
            return {str(one) for one in listed}
        return probes_asked(list(table.values()))
    if isinstance(value, list):
        return {
            one for inner in cast("list[object]", value) for one in probes_asked(inner)
        }
    return set()


def _with_proofs(host: Host, seen: Sequence[Seen]) -> Host:
    proofs = frozenset(one.probe for one in seen if one.is_proof)
    return host.with_facts({FACT: proofs}) if proofs else host


def _alike(name: str) -> str:
    """A name or an address as it is compared."""
    bare = name.strip().strip("[]").rstrip(".").casefold()
    try:
        return str(ip_address(bare))
    except ValueError:
        return bare
