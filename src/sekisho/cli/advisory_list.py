"""``sekisho advisory list``: which advisories there are."""

import click

from sekisho.advisory.bulletin import Bulletin
from sekisho.advisory.shelf import shipped
from sekisho.advisory.telling import table
from sekisho.cli.advisory_options import language_option
from sekisho.cli.options import json_option, print_json
from sekisho.model.text import Language, Text

_HEADINGS = (
    Text("id", "番号"),
    Text("published", "公開"),
    Text("updated", "更新"),
    Text("CVE", "CVE"),
    Text("title", "表題"),
)


@click.command("list")
@json_option
@language_option
def list_command(as_json: bool, language: Language) -> None:
    """List the advisories that are shipped."""
    if as_json:
        print_json([_as_map(one, language) for one in shipped()])
        return
    heading = [one.said_in(language) for one in _HEADINGS]
    for line in table([heading, *(_row(one, language) for one in shipped())]):
        click.echo(line)


def _row(bulletin: Bulletin, language: Language) -> list[str]:
    return [
        bulletin.id,
        bulletin.published.isoformat(),
        bulletin.updated.isoformat(),
        ", ".join(bulletin.cve) or "-",
        bulletin.title.said_in(language),
    ]


def _as_map(bulletin: Bulletin, language: Language) -> dict[str, object]:
    return {
        "id": bulletin.id,
        "subject": bulletin.subject,
        "title": bulletin.title.said_in(language),
        "published": bulletin.published.isoformat(),
        "updated": bulletin.updated.isoformat(),
        "revision": bulletin.revisions[-1].number,
        "cve": bulletin.cve,
        "kb": bulletin.kb,
        "severity": bulletin.severity.words.said_in(language),
        "impact": bulletin.impact.said_in(language),
    }
