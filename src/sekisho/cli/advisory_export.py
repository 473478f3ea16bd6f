"""``sekisho advisory export``: an advisory as a CSAF 2.0 document."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from sekisho.advisory.csaf import Publisher, csaf_document, csaf_file_name
from sekisho.cli.advisory_options import advisory_named, language_option
from sekisho.model.text import Language

_OURS = Publisher()


@click.command("export")
@click.argument("name", metavar="ID")
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    help="where to write it; a folder gets the name that CSAF has for the document",
)
@language_option
@click.option(
    "--publisher",
    default=_OURS.name,
    show_default=True,
    help="who issues the document",
)
@click.option(
    "--namespace",
    metavar="URL",
    default=_OURS.namespace,
    show_default=True,
    help="the issuer's own address, below which documents are found",
)
def export_command(
    name: str, output: str | None, language: Language, publisher: str, namespace: str
) -> None:
    """Write an advisory as CSAF 2.0, to FILE or standard output.

    The English document is the original; the Japanese one is marked as a translation.
    """
    bulletin = advisory_named(name)
    if not publisher.strip():
        raise click.UsageError("a publisher has a name")
    if urlsplit(namespace).scheme != "https" or not urlsplit(namespace).netloc:
        raise click.UsageError("a namespace is an address that begins with https://")
    octets = csaf_document(bulletin, language, Publisher(publisher, namespace))
    if output is None or output == "-":
        sys.stdout.buffer.write(octets)
        return
    path = Path(output)
    if output.endswith("/"):
        path.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        path /= csaf_file_name(bulletin, language)
    path.write_bytes(octets)
