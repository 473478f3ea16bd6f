"""``sekisho lab``: a server that is flawed on purpose, to see the audit find it."""

import asyncio
import signal
from ipaddress import ip_address

import click
import msgspec

from sekisho.app.control import Refusal
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.flaws import FLAWS
from sekisho.audit.lab.server import LabServer
from sekisho.audit.lab.session import Delivered
from sekisho.audit.lab.sound import PASSWORD, USER
from sekisho.cli.options import json_option, print_json
from sekisho.model.text import Language

LOOPBACK = "127.0.0.1"
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
@click.option("--lang", type=click.Choice(_LANGUAGES), default="en", help="of titles")
@json_option
def lab_command(
    flaw: str, patched: bool, address: str, port: int, lang: str, as_json: bool
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
    asyncio.run(_serve(row, patched, address, port, _Teller(row, language, as_json)))


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

    def __init__(self, flaw: Flaw, language: Language, as_json: bool) -> None:
        self._flaw = flaw
        self._title = flaw.title.said_in(language)
        self._as_json = as_json

    def listening(self, address: str, port: int, patched: bool) -> None:
        """Say where it listens, and how to audit it."""
        host = f"[{address}]" if ":" in address else address
        audit = f"sekisho audit {host}:{port}"
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

    def took(self, message: Delivered) -> None:
        """Say whereto a message would have gone."""
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
