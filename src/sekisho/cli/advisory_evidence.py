"""What ``advisory assess`` takes beside an inventory: registries and audits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from sekisho.advisory.audited import (
    MAX_AUDIT_BYTES,
    AuditError,
    Seen,
    join_audit,
    read_audit,
)
from sekisho.advisory.inventory import Host, InventoryError, printable
from sekisho.advisory.joining import join_registry
from sekisho.advisory.registry import RegistryError
from sekisho.advisory.registry_files import evidence_in
from sekisho.cli.misuse import refuse
from sekisho.model.text import Language, Text

_EVIDENCE = Text("evidence", "証拠")
_PROVED = Text(
    "{host}: {probe} succeeded on port {port}: that is proof",
    "{host}: {probe} がポート {port} で成功した (証拠である)",
)
_RECORDED = Text(
    "{host}: {probe} on port {port}: {verdict}; recorded, it proves nothing",
    "{host}: {probe} ポート {port}: {verdict} (記録のみ。何も証明しない)",
)


@dataclass(slots=True)
class Evidence:
    """The hosts, and what was seen of them."""

    hosts: list[Host]
    notes: dict[str, list[Text]] = field(default_factory=dict[str, list[Text]])
    seen: dict[str, list[Seen]] = field(default_factory=dict[str, list[Seen]])


def gather(
    hosts: Sequence[Host], registries: Sequence[str], audits: Sequence[str]
) -> Evidence:
    """Join files of evidence to the hosts; tell on standard error what fits none.

    Args:
        hosts: Of the inventory; none where only a registry is assessed.
        registries: Files of one host.
        audits: Reports of audits.

    """
    found = Evidence(list(hosts))
    try:
        if registries:
            taken = evidence_in([Path(one) for one in registries])
            described = join_registry(found.hosts, taken)
            found.hosts, found.notes = described.hosts, described.notes
        for one in audits:
            _join(found, one)
    except (RegistryError, InventoryError, AuditError) as error:
        refuse(error.sentence, error.hint)
    return found


def _join(found: Evidence, file: str) -> None:
    with Path(file).open("rb") as stream:
        octets = stream.read(MAX_AUDIT_BYTES + 1)
    try:
        audit = read_audit(octets)
    except AuditError as error:
        raise AuditError(f"{file}: {error.sentence}", error.hint) from None
    joined = join_audit(found.hosts, audit)
    found.hosts = joined.hosts
    for host, seen in joined.seen.items():
        found.seen.setdefault(host, []).extend(seen)
    for name in joined.unmatched:
        told = f"the audit of {printable(name)} is of no host in the inventory, ignored"
        click.echo(f"sekisho: {told}", err=True)
    if joined.unasked:
        count = len(joined.unasked)
        click.echo(f"sekisho: {count} hosts were not audited in {file}", err=True)


def told_evidence(found: Evidence, probes: set[str], language: Language) -> list[str]:
    """The lines for people: notes on each host, and the probes that were asked about.

    Args:
        found: What was gathered.
        probes: Those on which an advisory's conditions rest.
        language: Of the lines.

    """
    lines = [
        f"  {printable(f'{host}: {note.said_in(language)}')}"
        for host, notes in found.notes.items()
        for note in notes
    ]
    lines += [
        f"  {printable(_probe(host, one).said_in(language))}"
        for host, seen in found.seen.items()
        for one in seen
        if one.probe in probes
    ]
    return ["", _EVIDENCE.said_in(language), *lines] if lines else []


def evidence_map(found: Evidence, host: str, language: Language) -> dict[str, object]:
    """The same for programs: what is added to each answer of a host."""
    given: dict[str, object] = {}
    if host in found.notes:
        given["notes"] = [one.said_in(language) for one in found.notes[host]]
    if host in found.seen:
        given["audit"] = [
            {"id": one.probe, "verdict": one.verdict, "port": one.port}
            for one in found.seen[host]
        ]
    return given


def _probe(host: str, one: Seen) -> Text:
    text = _PROVED if one.is_proof else _RECORDED
    return Text(
        *(
            said.format(host=host, probe=one.probe, port=one.port, verdict=one.verdict)
            for said in (text.en, text.ja)
        )
    )
