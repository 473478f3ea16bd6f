"""Puts what a registry shows beside what an inventory says of the same host.

The registry fills what the inventory leaves open. Where both speak and differ, neither
is believed: the fact becomes not known, which never makes an answer safer, and the
contradiction is told.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from sekisho.advisory.evidence import Evidence
from sekisho.advisory.facts import Value
from sekisho.advisory.inventory import Host, read_inventory
from sekisho.model.text import Text

_MANY = 5


@dataclass(slots=True)
class Described:
    """Hosts, and what is to be said of them beside the answers.

    Attributes:
        hosts: In the inventory's order; one that only the registry knows is last.
        notes: Host's id → what was seen and is no fact, or contradicts another.

    """

    hosts: list[Host]
    notes: dict[str, list[Text]] = field(default_factory=dict[str, list[Text]])


def host_of(evidence: Evidence) -> Host:
    """The host as the registry shows it.

    Raises:
        InventoryError: It calls itself in a way that no inventory could.

    """
    return read_inventory(json.dumps(evidence.host).encode()).hosts[0]


def join_registry(hosts: Sequence[Host], evidence: Evidence) -> Described:
    """Add a registry's evidence to the host of its name, or as a host of its own."""
    shown = host_of(evidence)
    described = Described([])
    found = False
    for host in hosts:
        if host.id.casefold() != shown.id.casefold():
            described.hosts.append(host)
            continue
        found = True
        merged, contradictions = _merged(host, shown)
        described.hosts.append(merged)
        described.notes.setdefault(host.id, []).extend(
            [*contradictions, *evidence.notes]
        )
    if not found:
        described.hosts.append(shown)
        described.notes[shown.id] = list(evidence.notes)
    return described


def _merged(host: Host, shown: Host) -> tuple[Host, list[Text]]:
    facts = {**shown.facts, **host.facts}
    contradictions: list[Text] = []
    for name in sorted(host.facts.keys() & shown.facts.keys()):
        ours, theirs = host.facts[name], shown.facts[name]
        if _alike(ours) == _alike(theirs):
            continue
        del facts[name]
        contradictions.append(_contradiction(name, _spelled(ours), _spelled(theirs)))
    return Host(host.id, facts), contradictions


def _contradiction(name: str, ours: str, theirs: str) -> Text:
    return Text(
        f"{name}: the inventory says {ours}, the registry {theirs}; taken as not known",
        f"{name}: 台帳では {ours}、レジストリでは {theirs}。不明として扱う",
    )


def _alike(value: Value) -> Value:
    return value.casefold() if isinstance(value, str) else value


def _spelled(value: Value) -> str:
    if not isinstance(value, frozenset):
        return str(value)
    members = sorted(map(str, value))
    more = ["…"] if len(members) > _MANY else []
    return "[" + ", ".join([*members[:_MANY], *more]) + "]"
