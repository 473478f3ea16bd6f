"""Servers that octets lead astray: ends of data, chunks, and what is kept over TLS."""

import re
from dataclasses import replace

from sekisho.audit.lab import sound
from sekisho.audit.lab.content import NO_RECIPIENTS, OUT_OF_ORDER, bdat
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.manners import SOUND, Command, Manners
from sekisho.audit.lab.session import LabSession
from sekisho.audit.lab.verbs import COMMANDS
from sekisho.audit.smuggling_probes import SEQUENCES
from sekisho.model.text import Text

_NAMES = {0: "NUL", 10: "LF", 13: "CR", 46: "."}
_LENIENT = replace(SOUND, content_checks=())
"""Takes content as it comes: what only such servers let through can be seen there."""
_ANY_OCTETS = re.compile(rb"(?!)")


def _spelled(sequence: bytes) -> str:
    return " ".join(_NAMES[octet] for octet in sequence)


def _ends_data_at(number: str, sequence: bytes) -> Flaw:
    name = _spelled(sequence)
    return Flaw(
        name="smuggling-" + name.lower().replace(".", "dot").replace(" ", "-"),
        title=Text(
            f"Ends the data at {name} as well", f"{name} でも本文を終わりとみなす"
        ),
        probes=(number,),
        manners=replace(
            _LENIENT, data_ends=re.compile(rb"\r\n\.\r\n|" + re.escape(sequence))
        ),
        twin=_LENIENT,
    )


# --- commands


def _takes_nul(session: LabSession, argument: bytes) -> bytes:
    return sound.takes_sender(session, argument.replace(b"\0", b""))


# --- chunks


async def _searches_chunks(session: LabSession, argument: bytes) -> bytes | None:
    """End a chunk at CRLF.CRLF, and read the rest as commands."""
    size = int(argument.split()[0])
    while len(session.input) < size:
        await session.more()
    end = session.input.find(b"\r\n.\r\n", 0, size)
    if end < 0:
        return await bdat(session, argument)
    del session.input[: end + 5]
    return b"250 2.0.0 taken"


async def _cuts_sizes(session: LabSession, argument: bytes) -> bytes | None:
    """Keep 32 bits of the size."""
    size, _, last = argument.partition(b" ")
    if size.isdigit():
        argument = b"%d %s" % (int(size) % 2**32, last)
    return await bdat(session, argument.strip())


async def _runs_refused_chunks(session: LabSession, argument: bytes) -> bytes | None:
    """Refuse out of order without reading what was announced."""
    if session.sender is None:
        return OUT_OF_ORDER
    if not session.recipients:
        return NO_RECIPIENTS
    return await bdat(session, argument)


async def _mixes(session: LabSession, argument: bytes) -> bytes | None:
    session.chunks = None
    return await COMMANDS["DATA"](session, argument)


async def _keeps_chunks(session: LabSession, argument: bytes) -> bytes | None:
    del session, argument
    return b"250 2.0.0 forgotten"


def _commands(**commands: Command) -> Manners:
    return replace(SOUND, commands=commands)


# --- TLS


async def _offers_starttls_always(session: LabSession, argument: bytes) -> bytes | None:
    reply = await COMMANDS["EHLO"](session, argument) or b""
    return (
        reply
        if b"STARTTLS" in reply
        else reply.replace(b"\r\n", b"\r\n250-STARTTLS\r\n", 1)
    )


def _keeps(name: str, what: str, title: Text, *probes: str) -> Flaw:
    return Flaw(
        name=name,
        title=title,
        probes=probes,
        manners=replace(SOUND, keeps_over_starttls=frozenset({what})),
    )


WIRE_FLAWS: tuple[Flaw, ...] = (
    *(_ends_data_at(number, sequence) for number, sequence in SEQUENCES.items()),
    Flaw(
        name="smuggling-dot-blank",
        title=Text(
            "Ends the data at a dot with blanks",
            "空白付きのドットで本文を終わりとみなす",
        ),
        probes=("SMG-013",),
        manners=replace(_LENIENT, data_ends=re.compile(rb"\r\n\.[ \t]*\r\n")),
        twin=_LENIENT,
    ),
    Flaw(
        name="content-before-354",
        title=Text("Takes content before its 354", "354 より前の本文を受理"),
        probes=("SMG-021",),
        manners=replace(SOUND, data_sync=False),
    ),
    Flaw(
        name="bare-cr-ends-commands",
        title=Text("Ends commands at a bare CR", "単独の CR でコマンドを区切る"),
        probes=("SMG-022",),
        manners=replace(
            SOUND,
            command_ends=re.compile(rb"\r\n|\r|\n"),
            command_refuses=_ANY_OCTETS,
        ),
    ),
    Flaw(
        name="nul-in-address",
        title=Text("Takes addresses with a NUL", "NUL を含むアドレスを受理"),
        probes=("SMG-023",),
        manners=replace(SOUND, command_refuses=_ANY_OCTETS, takes_sender=_takes_nul),
    ),
    Flaw(
        name="chunks-searched",
        title=Text("Looks for an end within chunks", "チャンク内で終端を探索"),
        probes=("BDT-001",),
        manners=_commands(BDAT=_searches_chunks),
    ),
    Flaw(
        name="chunk-size-overflow",
        title=Text(
            "Keeps 32 bits of a chunk's size", "チャンクサイズを 32 ビットに切り詰め"
        ),
        probes=("BDT-002",),
        manners=_commands(BDAT=_cuts_sizes),
    ),
    Flaw(
        name="bdat-octets-run-as-commands",
        title=Text(
            "Runs a refused chunk as commands", "拒否したチャンクをコマンドとして実行"
        ),
        probes=("BDT-003",),
        manners=_commands(BDAT=_runs_refused_chunks),
    ),
    Flaw(
        name="data-after-bdat",
        title=Text("Takes DATA after BDAT", "BDAT のあとの DATA を受理"),
        probes=("BDT-004",),
        manners=_commands(DATA=_mixes),
    ),
    Flaw(
        name="chunks-outlive-rset",
        title=Text("Keeps chunks over RSET", "RSET 後もチャンクを保持"),
        probes=("BDT-006",),
        manners=_commands(RSET=_keeps_chunks),
    ),
    _keeps(
        "starttls-injection",
        "input",
        Text("Runs under TLS what came in clear", "平文で届いた入力を TLS 内で実行"),
        *("TLS-001", "TLS-002"),
    ),
    _keeps(
        "starttls-keeps-envelope",
        "envelope",
        Text("Keeps the sender over STARTTLS", "STARTTLS 後も送信者を保持"),
        "TLS-003",
    ),
    Flaw(
        name="starttls-offered-within",
        title=Text("Offers STARTTLS under TLS", "TLS 内でも STARTTLS を提供"),
        probes=("TLS-004",),
        manners=_commands(EHLO=_offers_starttls_always),
    ),
)
