"""``sekisho lab``: a server that is flawed on purpose, to see the audit find it."""

import asyncio
import signal
import time
from ipaddress import ip_address
from pathlib import Path

import click
import msgspec

from sekisho.app.control import Refusal
from sekisho.audit.catalogue import PROBES
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.flaws import FLAWS
from sekisho.audit.lab.server import LabServer, is_foreign
from sekisho.audit.lab.session import Delivered
from sekisho.audit.lab.sound import PASSWORD, USER
from sekisho.audit.probe import Need
from sekisho.cli.options import json_option, print_json
from sekisho.model.text import Language

LOOPBACK = "127.0.0.1"
CANARY = "watch@canary.test"
_LANGUAGES = [language.value for language in Language]


@click.command("lab")
@click.argument("flaw", metavar="list|FLAW")
@click.option("--patched", is_flag=True, help="its twin without the flaw")
@click.option(
    "--address",
    metavar="IP",
    default=LOOPBACK,
    help="a loopback address; all others are refused",
)
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    default=0,
    help="where to listen; any free port if not given",
)
@click.option(
    "--maildir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="write there what would have been relayed, for the audit's --canary-maildir",
)
@click.option("--lang", type=click.Choice(_LANGUAGES), default="en", help="of titles")
@json_option
def lab_command(  # noqa: PLR0913 - one parameter an option
    *,
    flaw: str,
    patched: bool,
    address: str,
    port: int,
    maildir: Path | None,
    lang: str,
    as_json: bool,
) -> None:
    """Serve one flaw on this machine alone, until Ctrl-C; or list all flaws.

    Nothing is ever sent on. What would have been relayed is told, and kept in memory.
    """
    language = Language(lang)
    if flaw == "list":
        _list(language, as_json)
        return
    _require_loopback(address)
    row = _named(flaw)
    if maildir is not None:
        for name in ("tmp", "new", "cur"):
            (maildir / name).mkdir(parents=True, exist_ok=True)
    teller = _Teller(row, language, maildir, as_json)
    asyncio.run(_serve(row, patched, address, port, teller))


def _list(language: Language, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "name": flaw.name,
                    "title": flaw.title.said_in(language),
                    "probes": list(flaw.probes),
                }
                for flaw in FLAWS
            ]
        )
        return
    width = max(len(flaw.name) for flaw in FLAWS)
    for flaw in FLAWS:
        probes = " ".join(flaw.probes)
        title = flaw.title.said_in(language)
        click.echo(f"{flaw.name:{width}}  {title}  ({probes})")


def _require_loopback(address: str) -> None:
    try:
        if ip_address(address).is_loopback:
            return
    except ValueError:
        raise click.UsageError(f"{address} is no IP address") from None
    raise click.UsageError(
        f"{address} is no loopback address: nobody else must reach a flawed server"
    )


def _named(name: str) -> Flaw:
    for flaw in FLAWS:
        if flaw.name == name:
            return flaw
    raise click.UsageError(f"there is no flaw {name!r}; see: sekisho lab list")


class _Teller:
    """Says what happens, for people or as JSON lines."""

    def __init__(
        self, flaw: Flaw, language: Language, maildir: Path | None, as_json: bool
    ) -> None:
        self._flaw = flaw
        self._maildir = maildir
        self._count = 0
        self._title = flaw.title.said_in(language)
        self._as_json = as_json

    def listening(self, address: str, port: int, patched: bool) -> None:
        """Say where it listens, and how to audit it."""
        host = f"[{address}]" if ":" in address else address
        audit = f"sekisho audit {host}:{port}{self._options()}"
        if self._as_json:
            self._line(
                event="listening",
                flaw=self._flaw.name,
                title=self._title,
                patched=patched,
                address=address,
                port=port,
                probes=list(self._flaw.probes),
                user=USER.decode(),
                password=PASSWORD.decode(),
                audit=audit,
            )
            return
        what = "the patched twin of " if patched else ""
        click.echo(f"{what}{self._flaw.name}: {self._title}")
        click.echo(f"listens on {host}:{port}; nothing is ever sent on")
        click.echo(f"found by:  {' '.join(self._flaw.probes)}")
        click.echo(f"audit it:  {audit}")
        click.echo(f"account:   {USER.decode()}, password {PASSWORD.decode()}")
        click.echo("Ctrl-C ends it")

    def _options(self) -> str:
        """Give what the audit has to be given for the probes that find this flaw."""
        needs = {
            need
            for probe in PROBES
            if probe.id in self._flaw.probes
            for need in probe.needs
        }
        options = " --user user --password-file FILE" if Need.ACCOUNT in needs else ""
        options += " --stress" if Need.STRESS in needs else ""
        if self._maildir is not None:
            options += f" --canary {CANARY} --canary-maildir {self._maildir}"
        return options

    def took(self, message: Delivered) -> None:
        """Say whereto a message would have gone."""
        if self._maildir is not None and is_foreign(message):
            self._count += 1
            name = f"{time.time_ns()}.{self._count}.lab"
            (self._maildir / "tmp" / name).write_bytes(message.content)
            (self._maildir / "tmp" / name).rename(self._maildir / "new" / name)
        to = [
            mailbox.decode("ascii", "backslashreplace") for mailbox in message.mailboxes
        ]
        if self._as_json:
            self._line(event="taken", mailboxes=to, octets=len(message.content))
        else:
            click.echo(f"took a message for {', '.join(map(repr, to))}; it stays here")

    def _line(self, **values: object) -> None:
        click.echo(msgspec.json.encode(values).decode())


async def _serve(
    flaw: Flaw, patched: bool, address: str, port: int, teller: _Teller
) -> None:
    manners = flaw.twin if patched else flaw.manners
    server = LabServer(manners, host=address, port=port, tell=teller.took)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        await server.start()
    except OSError as error:
        sentence = f"port {port} of {address}: {error.strerror or error}"
        raise Refusal(sentence, "leave --port out for a free one") from None
    try:
        teller.listening(address, server.port, patched)
        await ended.wait()
    finally:
        await server.close()
