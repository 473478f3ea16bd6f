"""``sekisho advisory assess``: what the advisories mean for each host."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click

from sekisho.advisory.audited import probes_asked
from sekisho.advisory.bulletin import Bulletin, When
from sekisho.advisory.conditions import plain_test
from sekisho.advisory.inventory import (
    MAX_INVENTORY_BYTES,
    Inventory,
    InventoryError,
    printable,
    read_inventory,
)
from sekisho.advisory.judge import by_urgency, exit_code, judge_all
from sekisho.advisory.shelf import shipped
from sekisho.advisory.telling import as_map, told
from sekisho.advisory.verdicts import Answer
from sekisho.cli.advisory_evidence import (
    Evidence,
    evidence_map,
    gather,
    told_evidence,
)
from sekisho.cli.advisory_options import advisory_named, language_option
from sekisho.cli.misuse import FindingCommand, refuse
from sekisho.cli.options import json_option, print_json
from sekisho.model.text import Language

_PROGRESS_STEP = 500
_FEW = 5


@click.command("assess", cls=FindingCommand)
@click.argument("inventory", metavar="[INVENTORY]", required=False)
@click.option("--advisory", "names", metavar="ID", multiple=True, help="only this one")
@click.option(
    "--registry",
    "registries",
    metavar="FILE",
    multiple=True,
    help="a registry export (.reg) or an offline hive; several of one host",
)
@click.option(
    "--audit",
    "audits",
    metavar="FILE",
    multiple=True,
    help="what sekisho audit --json wrote",
)
@json_option
@language_option
def assess_command(
    *,
    inventory: str | None,
    names: tuple[str, ...],
    registries: tuple[str, ...],
    audits: tuple[str, ...],
    as_json: bool,
    language: Language,
) -> None:
    """Judge the hosts of an inventory in JSON; - is standard input.

    A registry describes one host, with or without an inventory: what it does not show
    stays not known. Where both differ, neither is believed.

    Exit code: 1 any affected, else 3 any unknown, else 2 any mitigated, else 0; 4 for
    an inventory that cannot be read or is empty, and for wrong use.
    """
    bulletins = _bulletins(names)
    if inventory is None and not registries:
        raise click.UsageError("name an inventory, or a registry with --registry")
    described = _described(inventory) if inventory is not None else Inventory([])
    _note(described)
    found = gather(described.hosts, registries, audits)
    show = _progress(len(found.hosts))
    answers = list(judge_all(found.hosts, bulletins, show))
    if as_json:
        print_json([_as_map(one, found, language) for one in answers])
    else:
        lines = [*told(by_urgency(answers), language)]
        lines += told_evidence(found, _probes(bulletins), language)
        sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    sys.exit(exit_code(answers))


def _bulletins(names: tuple[str, ...]) -> list[Bulletin]:
    if not names:
        return [one for one in shipped() if one.subject == "host"]
    found = {one.id: one for one in map(advisory_named, names)}
    for one in found.values():
        if one.subject != "host":
            raise click.UsageError(
                f"{one.id} is about Sekisho itself, not about hosts of an inventory"
            )
    return list(found.values())


def _described(inventory: str) -> Inventory:
    if inventory == "-":
        octets = sys.stdin.buffer.read(MAX_INVENTORY_BYTES + 1)
    else:
        with Path(inventory).open("rb") as stream:
            octets = stream.read(MAX_INVENTORY_BYTES + 1)
    try:
        return read_inventory(octets)
    except InventoryError as error:
        name = "standard input" if inventory == "-" else inventory
        refuse(f"{name}: {error.sentence}", error.hint)
        raise


def _note(described: Inventory) -> None:
    """Say on standard error what was read and means nothing to us."""
    for name, host in described.strange.items():
        said = f"{printable(name)} (first of {printable(host)})"
        click.echo(f"sekisho: not a fact that is known here, ignored: {said}", err=True)
    counted = Counter(one.id for one in described.hosts)
    twice = [printable(name) for name, count in counted.items() if count > 1]
    if twice:
        more = f", and {len(twice) - _FEW} more" if len(twice) > _FEW else ""
        names = ", ".join(twice[:_FEW])
        click.echo(f"sekisho: several hosts have one id: {names}{more}", err=True)


def _progress(count: int) -> Callable[[int], None]:
    if not sys.stderr.isatty() or count <= _PROGRESS_STEP:
        return lambda _: None

    def show(done: int) -> None:
        if done == count:
            click.echo("\r\x1b[K", nl=False, err=True)
        elif done % _PROGRESS_STEP == 0:
            click.echo(f"\rjudged {done} of {count} hosts", nl=False, err=True)

    return show


def _as_map(answer: Answer, found: Evidence, language: Language) -> dict[str, object]:
    evidence = evidence_map(found, answer.host, language)
    return {**as_map(answer, language), **evidence}


def _probes(bulletins: list[Bulletin]) -> set[str]:
    tests = [one.test for bulletin in bulletins for one in _whens(bulletin)]
    return probes_asked([plain_test(one) for one in tests])


def _whens(bulletin: Bulletin) -> list[When]:
    return [
        *bulletin.definitions.values(),
        *(one.when for one in bulletin.conditions),
        *(one.when for one in bulletin.remarks),
    ]
