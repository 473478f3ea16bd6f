"""Servers that take foreign words for their own, or do harm to what they send on."""

import re
from dataclasses import replace

from sekisho.audit.lab import sound
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.manners import SOUND, Manners
from sekisho.audit.lab.session import LabSession
from sekisho.audit.lab.verbs import COMMANDS, UNKNOWN
from sekisho.model.text import Text

_LENIENT = replace(SOUND, content_checks=())
_HTTP = ("GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS")


async def _unknown(session: LabSession, argument: bytes) -> bytes | None:
    del session, argument
    return UNKNOWN


async def _takes_any_name(session: LabSession, argument: bytes) -> bytes | None:
    reply = await COMMANDS["EHLO"](session, b"audit.invalid")
    session.ehlo = argument
    return reply


def _normalises(session: LabSession, content: bytes) -> bytes:
    """Send line ends on as CRLF, as a sound server that takes them must."""
    del session
    lines = re.split(rb"\r\n|\r|\n", content)
    return b"\r\n".join(lines)


def _cuts_at_lf_dot(session: LabSession, content: bytes) -> bytes:
    """Send on by DATA to a server that ends at LF . CR LF."""
    del session
    return re.split(rb"\n\.\r\n", content)[0]


def _stuffs_twice(session: LabSession, content: bytes) -> bytes:
    del session
    return content.replace(b"\r\n.", b"\r\n..")


def _cuts_lines(session: LabSession, content: bytes) -> bytes:
    del session
    return b"\r\n".join(line[:998] for line in content.split(b"\r\n"))


def _writes_name_raw(session: LabSession, content: bytes) -> bytes:
    return b"Received: from " + session.ehlo + b" by lab.test\r\n" + content


def _adds_results(session: LabSession, content: bytes) -> bytes:
    del session
    return b"Authentication-Results: " + sound.DOMAIN + b"; dkim=none\r\n" + content


def _removes_and_adds_results(session: LabSession, content: bytes) -> bytes:
    forged = rb"(?im)^authentication-results:[^\n]*\n"
    return _adds_results(session, re.sub(forged, b"", content))


_TAKES_NAMES = replace(
    SOUND,
    command_refuses=re.compile(rb"(?!)"),
    commands={"EHLO": _takes_any_name},
)
_NORMALISES: Manners = replace(_LENIENT, sends_on=_normalises)

CONTENT_FLAWS: tuple[Flaw, ...] = (
    Flaw(
        name="sends-bare-cr",
        title=Text("Sends a bare CR on", "単独の CR をそのまま転送"),
        probes=("SMG-020",),
        manners=_LENIENT,
        twin=_NORMALISES,
    ),
    Flaw(
        name="dots-doubled",
        title=Text("Stuffs dots that are stuffed", "ドットを二重に付加"),
        probes=("SMG-024",),
        manners=replace(SOUND, sends_on=_stuffs_twice),
    ),
    Flaw(
        name="chunk-sent-as-data",
        title=Text(
            "Sends chunks on by DATA as they are", "チャンクをそのまま DATA で転送"
        ),
        probes=("BDT-005",),
        manners=replace(_LENIENT, sends_on=_cuts_at_lf_dot),
        twin=_NORMALISES,
    ),
    Flaw(
        name="http-commands",
        title=Text("Reads past HTTP headers", "HTTP ヘッダーを読み飛ばして実行"),
        probes=("INJ-002", "TLS-006"),
        manners=replace(SOUND, commands=dict.fromkeys(_HTTP, _unknown)),
    ),
    Flaw(
        name="acts-before-greeting",
        title=Text(
            "Runs commands before it greets", "グリーティング前にコマンドを実行"
        ),
        probes=("INJ-001",),
        manners=replace(SOUND, forgives_early_talkers=True, greets_late=True),
    ),
    Flaw(
        name="ehlo-into-received",
        title=Text("Writes the EHLO name as it came", "EHLO 名を無検査で記録"),
        probes=("INJ-003",),
        manners=replace(_TAKES_NAMES, sends_on=_writes_name_raw),
    ),
    Flaw(
        name="trusts-forged-results",
        title=Text(
            "Keeps a stranger's Authentication-Results",
            "第三者の Authentication-Results を保持",
        ),
        probes=("INJ-004",),
        manners=replace(SOUND, sends_on=_adds_results),
        twin=replace(SOUND, sends_on=_removes_and_adds_results),
    ),
    Flaw(
        name="lines-cut",
        title=Text("Cuts long lines", "長い行を切り詰め"),
        probes=("DOS-003",),
        manners=replace(_LENIENT, sends_on=_cuts_lines),
        twin=_LENIENT,
    ),
)
