"""The process that audits the service: ``python -P -m sekisho.app.auditing``.

Its errand comes on standard input, its findings go to standard output
(`sekisho.app.audit_words`). It runs what is safe and needs no account: nothing is
delivered, and it stops at RCPT. It gives way to the mail: it is there to look at it.
"""

import asyncio
import os
import sys

import msgspec

from sekisho.app.audit_words import Errand, Found, Knock
from sekisho.audit.catalogue import PROBES
from sekisho.audit.names import Wanted
from sekisho.audit.results import Port
from sekisho.audit.runner import audit_port
from sekisho.audit.target import Target
from sekisho.audit.targets import proxy_header
from sekisho.audit.verdicts import Severity, Verdict
from sekisho.model.text import Text

NICENESS = 10
NO_ANSWER = "SELF-001"
"""In place of a probe's id, where nothing could be asked."""


async def _audited(knock: Knock, errand: Errand) -> list[Found]:
    target = Target(
        host=errand.hostname,
        address=knock.address,
        port=knock.port,
        implicit_tls=knock.implicit_tls,
        source=(knock.source, 0),
        proxy=proxy_header(knock.source, knock.address, knock.port)
        if knock.proxy
        else b"",
    )
    known = "postmaster" if errand.domain else ""
    wanted = Wanted(domain=errand.domain or errand.hostname, known=known)
    probes = PROBES
    if knock.brief:
        probes = tuple(one for one in PROBES if one.severity is Severity.CRITICAL)
    return _found(knock, await audit_port(target, wanted, probes=probes))


def _found(knock: Knock, port: Port) -> list[Found]:
    address = str(port.target)
    if not port.results:
        why = " ".join(note.en for note in port.notes)
        said = ("the listener could not be asked", "リスナーに問い合わせできず")
        evidence = (why, " ".join(note.ja for note in port.notes))
        undecided = Verdict.UNDECIDED.value
        return [
            Found(knock.listener, address, NO_ANSWER, undecided, "high", said, evidence)
        ]
    return [
        Found(
            listener=knock.listener,
            address=address,
            id=one.probe.id,
            verdict=one.judgement.verdict.value,
            severity=one.probe.severity.value,
            title=_both(one.probe.title),
            evidence=_both(one.judgement.evidence),
        )
        for one in port.results
    ]


def _both(text: Text) -> tuple[str, str]:
    return text.en, text.ja


async def _run(errand: Errand) -> list[Found]:
    # One by one: whoever uses the service now is to notice nothing.
    return [one for knock in errand.knocks for one in await _audited(knock, errand)]


def main() -> None:
    """Run the errand."""
    os.nice(NICENESS)
    errand = msgspec.json.decode(sys.stdin.buffer.read(), type=Errand)
    found = asyncio.run(_run(errand))
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
