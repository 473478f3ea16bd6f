"""``sekisho check --live``: the running service audits itself, now."""

import click
import msgspec

from sekisho.app.audit_words import Found
from sekisho.app.control import NotRunning, Refusal, ask
from sekisho.app.self_audit import AUDIT
from sekisho.cli.options import print_json
from sekisho.config.schema import Config

_WORST_FIRST = ("flawed", "suspect", "undecided")


def check_live(config: Config, *, as_json: bool) -> int:
    """Ask the service, and show what it found.

    Returns:
        The exit code: 1 where something is flawed or suspect.

    Raises:
        Refusal: No service runs, or it could not be done.

    """
    try:
        answer = ask(config.data_dir, AUDIT, {})
    except NotRunning:
        sentence = f"no service runs on {config.data_dir}"
        raise Refusal(sentence, "start it with: sekisho serve") from None
    found = msgspec.convert(answer, list[Found])
    if as_json:
        print_json(answer)
    else:
        _print(found)
    return int(any(one.verdict in ("flawed", "suspect") for one in found))


def _print(found: list[Found]) -> None:
    for verdict in _WORST_FIRST:
        for one in found:
            if one.verdict == verdict:
                where = f"{one.listener} ({one.address})"
                click.echo(f"{verdict}: {one.id} at {where}: {one.title[0]}")
                click.echo(f"  {one.evidence[0]}")
    asked = sorted({f"{one.listener} ({one.address})" for one in found})
    count = sum(one.verdict == "safe" for one in found)
    click.echo(f"{count} questions answered safely, at {', '.join(asked)}")
