"""The service audits itself: after its start, after each reload, and when asked.

A process of its own knocks at every listener (`sekisho.app.auditing`): it needs memory
for half a minute only, and what goes wrong in it ends nothing else. It comes from a
loopback address that was chosen by chance and that no grant covers; for that long the
workers count none of its failed sign-ins, and let it say PROXY for that address alone.

A grave flaw closes relaying, unless the configuration says that an alarm is enough.
The next audit that finds nothing opens it again. An audit that could not be done
changes nothing, and is an alarm.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, ip_address
from time import monotonic

import msgspec

from sekisho.app.audit_words import Errand, Found, Knock
from sekisho.app.bulletin import Bulletin
from sekisho.app.control import Refusal
from sekisho.app.hostfacts import look_at_host
from sekisho.app.orders import Settings
from sekisho.app.proof import policy_of
from sekisho.config.schema import Config
from sekisho.model.rules import IPAddress, TlsMode
from sekisho.observe.events import AuditFinished
from sekisho.policy.decide import Policy

AUDIT = "audit"
"""The operation, and what its alarms are about."""

LONGEST_SECONDS = 120.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024
TRIES = 20
"""Loopback addresses drawn until one is in no grant; there are sixteen million."""

_WRONG = {"flawed", "suspect"}
_GRAVE = {"critical", "high"}
"""Lesser flaws (a name that NTLM tells) give nobody the right to relay."""
_CLOSED = "what grants let through is answered 451 until an audit finds nothing"
_NOT_DONE = "the audit of the service by itself could not be done"


@dataclass(frozen=True, slots=True)
class Hands:
    """What the audit does to the service.

    Attributes:
        settings: What workers go by now.
        tell: Has all workers go by other settings.
        addresses: Where each listener is bound.
        randomness: So many bits of chance.

    """

    settings: Callable[[], Settings]
    tell: Callable[[Settings], Awaitable[None]]
    addresses: Callable[[], dict[str, list[str]]]
    randomness: Callable[[int], int]


class SelfAudit:
    """One audit at a time."""

    def __init__(self, hands: Hands, bulletin: Bulletin) -> None:
        self._hands = hands
        self._bulletin = bulletin
        self._one_at_a_time = asyncio.Lock()

    async def by_itself(self) -> None:
        """Do it, unless the configuration says no; what is wrong is told by alarms."""
        if not self._hands.settings().config.audit.enabled:
            await self._close(closed=False)
            return
        try:
            await self.run()
        except Refusal as refusal:
            self._bulletin.alarm(AUDIT, refusal.sentence, refusal.hint)

    async def run(self) -> list[Found]:
        """Knock at every listener, and act on what is found.

        Raises:
            Refusal: It could not be done.

        """
        async with self._one_at_a_time:
            began = monotonic()
            errand = self._errand()
            auditors = frozenset(ip_address(one.source) for one in errand.knocks)
            await self._tell(auditors=auditors)
            try:
                found = await _sent(errand)
            finally:
                await self._tell(auditors=frozenset[IPAddress]())
            await self._act(found, monotonic() - began)
            return found

    def _errand(self) -> Errand:
        config = self._hands.settings().config
        policy = policy_of(config, look_at_host())
        knocks: list[Knock] = []
        four = self._uncovered(config, policy)
        bound = self._hands.addresses()
        for listener in config.listeners:
            places = [_place(one) for one in bound.get(listener.name, [])]
            has_four = any(where.version == 4 for where, _ in places)  # noqa: PLR2004
            for where, port in places:
                is_four = where.version == 4  # noqa: PLR2004
                source = four if is_four else where
                if policy.held_at(listener.name, source):
                    continue  # IPv6 has one loopback address, and a grant covers it.
                knock = Knock(
                    listener=listener.name,
                    address=str(where),
                    port=port,
                    implicit_tls=listener.tls is TlsMode.IMPLICIT,
                    proxy=bool(listener.proxy_protocol),
                    source=str(source),
                    brief=has_four and not is_four,
                )
                knocks.append(knock)
        return Errand(knocks, next(iter(config.domains), ""), config.hostname)

    def _uncovered(self, config: Config, policy: Policy) -> IPAddress:
        for _ in range(TRIES):
            drawn = 1 + self._hands.randomness(24) % (2**24 - 2)
            source = IPv4Address((127 << 24) + drawn)
            if not any(policy.held_at(one.name, source) for one in config.listeners):
                return source
        raise Refusal(_NOT_DONE, "grants cover all of 127.0.0.0/8")

    async def _act(self, found: Sequence[Found], seconds: float) -> None:
        counts = {"flawed": 0, "suspect": 0, "undecided": 0, "safe": 0}
        for one in found:
            if one.verdict in counts:
                counts[one.verdict] += 1
        config = self._hands.settings().config
        grave = any(one.verdict == "flawed" and one.severity in _GRAVE for one in found)
        # What was not answered is no reason to open again.
        doubt = self._hands.settings().relaying_closed and counts["undecided"] > 0
        closed = (grave or doubt) and config.audit.on_flaw == "close"
        await self._close(closed=closed)
        wrong = [
            f"{one.id} at {one.listener} ({one.address}): {one.verdict}"
            for one in found
            if one.verdict in _WRONG
        ]
        self._bulletin.emit(
            AuditFinished(
                **counts,
                seconds=round(seconds, 3),
                found=wrong,
                relaying_closed=closed,
            )
        )
        if not wrong:
            self._bulletin.settled(AUDIT)
            return
        hint = "see: sekisho check --live"
        if closed:
            hint = f"{_CLOSED}; {hint}"
        self._bulletin.alarm(AUDIT, "; ".join(wrong), hint)

    async def _close(self, *, closed: bool) -> None:
        if self._hands.settings().relaying_closed is not closed:
            settings = self._hands.settings()
            await self._hands.tell(replace(settings, relaying_closed=closed))

    async def _tell(self, *, auditors: frozenset[IPAddress]) -> None:
        await self._hands.tell(replace(self._hands.settings(), auditors=auditors))


def _place(spelled: str) -> tuple[IPAddress, int]:
    """Where to knock at an address that is bound: "any" is reached over loopback."""
    host, _, port = spelled.rpartition(":")
    bound = ip_address(host.strip("[]"))
    if bound.is_unspecified:
        bound = ip_address("127.0.0.1" if bound.version == 4 else "::1")  # noqa: PLR2004
    return bound, int(port)


async def _sent(errand: Errand) -> list[Found]:
    """Have a process of its own run the errand.

    Raises:
        Refusal: It did not come back, or with nothing that can be read.

    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "sekisho.app.auditing",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MAX_ANSWER_BYTES,
    )
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            said, _ = await process.communicate(msgspec.json.encode(errand))
    except TimeoutError:
        raise Refusal(_NOT_DONE, f"no end within {LONGEST_SECONDS:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise Refusal(_NOT_DONE, f"its process ended with {process.returncode}")
    try:
        return msgspec.json.decode(said, type=list[Found])
    except msgspec.DecodeError as error:
        raise Refusal(_NOT_DONE, f"its answer cannot be read: {error}") from error
