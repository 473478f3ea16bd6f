"""An open relay that really relays is proved by the canary, from RCPT to arrival."""

import asyncio
import smtplib
import socket
from typing import Any

from aiosmtpd.controller import Controller

from sekisho.audit.canary import ListeningCanary
from sekisho.audit.catalogue import PROBES
from sekisho.audit.names import Wanted
from sekisho.audit.results import Port
from sekisho.audit.runner import audit_port
from sekisho.audit.target import Target
from sekisho.audit.verdicts import Verdict

ONE = tuple(one for one in PROBES if one.id == "RLY-001")


class Relaying:
    """Sends everything on, or keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        del server, session
        if self._port:
            await asyncio.to_thread(self._send, envelope)
        return "250 2.0.0 taken"

    def _send(self, envelope: Any) -> None:
        with smtplib.SMTP("127.0.0.1", self._port, timeout=5) as client:
            client.sendmail(
                envelope.mail_from, envelope.rcpt_tos, envelope.original_content
            )


def audited(*, relays: bool) -> Port:
    async def run() -> Port:
        canary = ListeningCanary("w@canary.test", "127.0.0.1", 0, 1.0)
        await canary.start()
        handler = Relaying(canary.port if relays else 0)
        # Its `start` knocks at its own port, so 0 will not do.
        controller = Controller(handler, hostname="127.0.0.1", port=_free_port())
        await asyncio.to_thread(controller.start)
        try:
            target = Target("127.0.0.1", "127.0.0.1", controller.port)
            wanted = Wanted(canary=canary.address)
            return await audit_port(target, wanted, probes=ONE, canary=canary)
        finally:
            await asyncio.to_thread(controller.stop)
            await canary.close()

    return asyncio.run(run())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_an_open_relay_is_proved_by_what_arrives() -> None:
    (result,) = audited(relays=True).results
    assert result.judgement.verdict is Verdict.FLAWED
    assert "the canary has arrived" in result.judgement.evidence.en


def test_a_server_that_takes_and_keeps_is_only_suspect() -> None:
    (result,) = audited(relays=False).results
    assert result.judgement.verdict is Verdict.SUSPECT
