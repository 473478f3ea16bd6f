"""``sekisho audit``: does a server relay for strangers, or take wrong papers?

Exit codes are the report's: 2 flawed, 1 suspect, 3 undecided, 0 none of these; and 4
where it could not run or was called wrongly, so that a pipeline never takes a typing
mistake for a finding.
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from sekisho.app.clock import unix_seconds
from sekisho.app.control import Refusal
from sekisho.audit.canary import Canary, ListeningCanary, MaildirCanary
from sekisho.audit.catalogue import PROBES
from sekisho.audit.fleet import Watch, audit_hosts
from sekisho.audit.names import Wanted
from sekisho.audit.pace import PACE_SECONDS
from sekisho.audit.probe import Probe
from sekisho.audit.reports.baseline import (
    BaselineError,
    Comparison,
    compare,
    read_baseline,
)
from sekisho.audit.reports.html import html
from sekisho.audit.reports.json_report import json_report
from sekisho.audit.reports.junit import junit
from sekisho.audit.reports.outcome import exit_code
from sekisho.audit.reports.sarif import sarif
from sekisho.audit.reports.text import text
from sekisho.audit.results import Report, Result
from sekisho.audit.runner import Terms
from sekisho.audit.selection import PatternError, selected
from sekisho.audit.target import Target
from sekisho.audit.targets import (
    Host,
    Place,
    PlaceError,
    read_place,
    read_places,
    resolve,
)
from sekisho.audit.verdicts import Verdict
from sekisho.audit.visit import Account
from sekisho.cli.misuse import FindingCommand
from sekisho.cli.options import first_line, print_json
from sekisho.model.text import Language

CANARY_SECONDS = 20.0
_COLOURS = {Verdict.FLAWED: "red", Verdict.SUSPECT: "yellow"}


def _address(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> str | None:
    del ctx
    if value is None:
        return None
    try:
        return str(ip_address(value))
    except ValueError:
        raise click.BadParameter(f"{value} is no IP address", param=param) from None


def _mailbox(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> str | None:
    del ctx
    local, _, domain = (value or "").rpartition("@")
    if value is not None and not (local and domain and value.split() == [value]):
        raise click.BadParameter(f"{value} is no mail address", param=param)
    return value


@dataclass(frozen=True, slots=True)
class _Output:
    """In which forms, and where."""

    language: Language
    as_json: bool
    brief: bool
    sarif: str | None
    junit: str | None
    html: str | None


@click.command("audit", cls=FindingCommand)
@click.argument("words", metavar="TARGET…", nargs=-1)
@click.option("--targets", "file", metavar="FILE", help="more targets, one a line")
@click.option("--authorized", is_flag=True, help="you may audit these servers")
@click.option("--user", metavar="U", help="a test account at the server")
@click.option("--password-file", metavar="F", help="its first line; - is stdin")
@click.option("--domain", metavar="D", default="", help="one that it takes mail for")
@click.option("--known-user", metavar="A", default="", help="one of its users")
@click.option("--other-user", metavar="A", default="", help="another one")
@click.option("--foreign-domain", metavar="D", default="", help="it must not relay to")
@click.option(
    "--canary",
    metavar="ADDRESS",
    callback=_mailbox,
    help="yours, elsewhere: deliver to it; a * in it is each probe's token",
)
@click.option("--canary-maildir", metavar="DIR", help="where its mail arrives")
@click.option("--canary-listen", metavar="ADDRESS:PORT", help="receive it here")
@click.option(
    "--canary-seconds",
    type=click.FloatRange(0, 3600),
    default=CANARY_SECONDS,
    show_default=True,
    help="wait so long for a message",
)
@click.option("--stress", is_flag=True, help="load and timing, bounded, too")
@click.option("--only", multiple=True, metavar="ID", help="these alone; AUTH-* too")
@click.option("--skip", multiple=True, metavar="ID", help="all but these")
@click.option(
    "--proxy-protocol",
    "claimed",
    metavar="SRC",
    callback=_address,
    help="say a PROXY header that names this source",
)
@click.option(
    "--pace",
    type=click.FloatRange(0, 60),
    default=PACE_SECONDS,
    show_default=True,
    help="seconds between connections to a host",
)
@click.option("--list", "listing", is_flag=True, help="show the probes, ask nothing")
@click.option("--json", "as_json", is_flag=True, help="answer as JSON")
@click.option("--sarif", "sarif_file", metavar="FILE", help="write SARIF 2.1.0")
@click.option("--junit", "junit_file", metavar="FILE", help="write JUnit XML")
@click.option("--html", "html_file", metavar="FILE", help="write one HTML page")
@click.option("--baseline", metavar="FILE", help="an earlier --json to compare with")
@click.option("--brief", is_flag=True, help="a line a finding")
@click.option(
    "--lang", type=click.Choice([one.value for one in Language]), default="en"
)
def audit_command(  # noqa: PLR0913 - one parameter an option
    words: tuple[str, ...],
    *,
    file: str | None,
    authorized: bool,
    user: str | None,
    password_file: str | None,
    domain: str,
    known_user: str,
    other_user: str,
    foreign_domain: str,
    canary: str | None,
    canary_maildir: str | None,
    canary_listen: str | None,
    canary_seconds: float,
    stress: bool,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    claimed: str | None,
    pace: float,
    listing: bool,
    as_json: bool,
    sarif_file: str | None,
    junit_file: str | None,
    html_file: str | None,
    baseline: str | None,
    brief: bool,
    lang: str,
) -> None:
    """Show whether servers relay for strangers, take wrong papers, or are tricked.

    TARGET is HOST, HOST:PORT, [IPv6]:PORT or smtps://HOST:PORT; without a port all of
    25, 465, 587 and 2525 that answer. Only loopback without --authorized.
    """
    language = Language(lang)
    with _hinted():
        probes = selected(PROBES, only, skip)
    if listing:
        _list(probes, language, as_json=as_json)
        return
    watcher = _canary(canary, canary_maildir, canary_listen, canary_seconds)
    with _hinted():
        before = read_baseline(Path(baseline)) if baseline else None
        places = _places(words, file)
    terms = Terms(
        wanted=Wanted(
            domain=domain,
            known=known_user,
            other=other_user,
            foreign=foreign_domain,
            canary=canary or "",
        ),
        probes=probes,
        account=_account(user, password_file),
        canary=watcher,
        stress=stress,
        claimed=claimed or "",
    )
    report = asyncio.run(_audit(places, terms, watcher, authorized, pace))
    comparison = compare(before, report, language) if before else None
    out = _Output(language, as_json, brief, sarif_file, junit_file, html_file)
    _write(report, out, comparison)
    sys.exit(exit_code(report))


@contextmanager
def _hinted() -> Generator[None]:
    try:
        yield
    except (PlaceError, PatternError, BaselineError) as error:
        raise Refusal(str(error), error.hint) from error


def _places(words: tuple[str, ...], file: str | None) -> list[Place]:
    places = [read_place(word) for word in words]
    if file is not None:
        places += read_places(Path(file))
    if not places:
        raise click.UsageError("name a target, or a file of them with --targets")
    return places


def _account(user: str | None, password_file: str | None) -> Account | None:
    if user is None:
        if password_file is not None:
            raise click.UsageError("--password-file is for --user")
        return None
    if password_file is None:
        password = click.prompt("password", hide_input=True, err=True)
        return Account(user, str(password))
    return Account(user, first_line(password_file))


def _canary(
    address: str | None, maildir: str | None, listen: str | None, seconds: float
) -> MaildirCanary | ListeningCanary | None:
    if address is None:
        if maildir or listen:
            raise click.UsageError("--canary-maildir and --canary-listen want --canary")
        return None
    if (maildir is None) == (listen is None):
        raise click.UsageError(
            "--canary wants one way to see what comes: --canary-maildir DIR or "
            "--canary-listen ADDRESS:PORT"
        )
    if maildir is not None:
        if not Path(maildir, "new").is_dir():
            raise click.UsageError(f"{maildir} is no Maildir: it has no folder new")
        return MaildirCanary(address, Path(maildir), seconds)
    host, _, port = str(listen).rpartition(":")
    if not (host and port.isdecimal()):
        raise click.UsageError("--canary-listen is ADDRESS:PORT")
    return ListeningCanary(address, host.strip("[]"), int(port), seconds)


async def _audit(
    places: list[Place],
    terms: Terms,
    canary: Canary | None,
    authorized: bool,
    pace: float,
) -> Report:
    stop = asyncio.Event()
    with _interruptible(stop):
        hosts = await resolve(places)
        if not authorized:
            _only_loopback(hosts)
        if isinstance(canary, ListeningCanary):
            await canary.start()
        try:
            with _progress() as watch:
                return await audit_hosts(
                    hosts,
                    terms,
                    started=datetime.fromtimestamp(unix_seconds(), UTC),
                    stop=stop,
                    watch=watch,
                    pace_seconds=pace,
                )
        finally:
            if isinstance(canary, ListeningCanary):
                await canary.close()


@contextmanager
def _interruptible(stop: asyncio.Event) -> Generator[None]:
    """The first Ctrl-C ends the audit with a report, the second at once."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def ended() -> None:
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, ended)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _only_loopback(hosts: list[Host]) -> None:
    for host in hosts:
        if host.addresses and not host.is_here:
            raise Refusal(
                f"{host.place.host} is not this machine, and nobody said that you may "
                "audit it",
                "say --authorized if it is yours or its owner has agreed",
            )


@contextmanager
def _progress() -> Generator[Watch | None]:
    """A bar on a terminal; nothing elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("looking for open ports", total=None)
        total = 0

        def planned(count: int) -> None:
            nonlocal total
            total += count
            bar.update(task, total=total)

        def asked(target: Target, result: Result) -> None:
            bar.update(task, advance=1, description=f"{target} {result.probe.id}")
            colour = _COLOURS.get(result.judgement.verdict)
            if colour:
                verdict = result.judgement.verdict.value
                bar.console.print(
                    f"{verdict}: {result.probe.id} at {target}",
                    style=colour,
                    markup=False,
                    highlight=False,
                )

        yield Watch(planned, asked)


def _list(probes: tuple[Probe, ...], language: Language, *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "id": one.id,
                    "group": one.group.value,
                    "severity": one.severity.value,
                    "title": one.title.said_in(language),
                    "needs": sorted(need.value for need in one.needs),
                }
                for one in probes
            ]
        )
        return
    for one in probes:
        needs = ", ".join(sorted(need.value for need in one.needs))
        title = one.title.said_in(language)
        more = f"  (needs {needs})" if needs else ""
        click.echo(f"{one.id:9} {one.severity.value:9} {title}{more}")


def _write(report: Report, out: _Output, comparison: Comparison | None) -> None:
    def write(name: str | None, make: Callable[[], str]) -> None:
        if name is not None:
            Path(name).write_text(make(), encoding="utf-8")

    language = out.language
    write(out.sarif, lambda: sarif(report, language, comparison=comparison))
    write(out.junit, lambda: junit(report, language))
    write(out.html, lambda: html(report, language, comparison=comparison))
    if out.as_json:
        sys.stdout.write(json_report(report, language, comparison=comparison))
        return
    console = Console()
    page = text(
        report,
        language,
        brief=out.brief,
        colour=console.is_terminal and not console.no_color,
        comparison=comparison,
        width=max(console.width, 60),
    )
    click.echo(page, nl=False, color=True)
