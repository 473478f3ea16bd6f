"""One port: who answers, the controls, then the probes by group.

A probe never ends an audit: what hinders it, takes too long or goes wrong in it leaves
its question undecided. After each group the controls are asked again. If one now
fails, all since the last good one is undecided, except what was proved: a 235 for
wrong credentials stays one, whoever is banned afterwards. A server that answers no
more is left alone; what was not asked then is undecided too.

Authentication comes late, as it is what servers ban for, and loads come last. What
signs in or guesses is asked one by one, each with the controls after it, so that a
lockout costs no more than one probe's answer.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from sekisho.audit import canary as canaries
from sekisho.audit.budget import Budget, spent_text
from sekisho.audit.canary import Canary
from sekisho.audit.catalogue import PROBES
from sekisho.audit.controls import SIGN_IN, Controls, Failure
from sekisho.audit.conversation import HindranceError
from sekisho.audit.fingerprint import Fingerprint, fingerprint
from sekisho.audit.hindrances import hindered, told
from sekisho.audit.names import Wanted, names_for
from sekisho.audit.pace import Pace, pace_for
from sekisho.audit.probe import Group, Need, Probe
from sekisho.audit.results import Port, Result
from sekisho.audit.target import Target
from sekisho.audit.transcript import Transcript
from sekisho.audit.vantage import vantage
from sekisho.audit.verdicts import Judgement, Verdict, flawed, not_applicable
from sekisho.audit.visit import Account, Names, Visit
from sekisho.model.text import Text

PROBE_SECONDS = 120.0
STRESS_SECONDS = 400.0
"""DOS-007 waits a little longer than the five minutes that servers may."""
CANARY_WAITS = 12
"""So many messages a probe may wait for."""
AT_ONCE = 4
"""Probes at one host; each has a connection or two."""
ORDER = (
    Group.RELAY,
    Group.SMUGGLING,
    Group.CHUNKING,
    Group.STARTTLS,
    Group.INJECTION,
    Group.LOAD,
    Group.AUTHENTICATION,
)
_FOUND = (Verdict.FLAWED, Verdict.SUSPECT)
_OPTIONS = {
    Need.ACCOUNT: "--user",
    Need.CANARY: "--canary",
    Need.STRESS: "--stress",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was given for an audit.

    Attributes:
        wanted: Names.
        probes: Which may be run.
        account: Of the administrator, at the server.
        canary: Where arrivals are seen.
        stress: Whether loads are allowed.
        at_once: Probes at one host.
        claimed: The source in the PROXY header, where one is sent.

    """

    wanted: Wanted = field(default_factory=Wanted)
    probes: tuple[Probe, ...] = PROBES
    account: Account | None = None
    canary: Canary | None = None
    stress: bool = False
    at_once: int = AT_ONCE
    claimed: str = ""

    @property
    def runnable(self) -> tuple[Probe, ...]:
        """Those for which all was given."""
        given = {
            Need.ACCOUNT: self.account is not None,
            Need.CANARY: self.canary is not None,
            Need.STRESS: self.stress,
        }
        return tuple(
            probe for probe in self.probes if all(given[one] for one in probe.needs)
        )

    @property
    def left_out(self) -> Text | None:
        """Say how many are not run, and what they need."""
        left = [one for one in self.probes if one not in self.runnable]
        if not left:
            return None
        needs = {need for probe in left for need in probe.needs}
        options = ", ".join(_OPTIONS[need] for need in Need if need in needs)
        return Text(
            f"{len(left)} probes were not run: they need {options}",
            f"{len(left)} 件の検査は未実施: {options} が必要",
        )


Tell = Callable[[Target, Result], None]


def _silent(target: Target, result: Result) -> None:
    del target, result


@dataclass(slots=True)
class _Asked:
    """A result, and by what its message would be known."""

    result: Result
    token: str


class PortAudit:
    """The audit of one port; what is done can be had at any time by `port`."""

    def __init__(
        self,
        target: Target,
        terms: Terms,
        *,
        pace: Pace,
        budget: Budget,
        notes: tuple[Text, ...] = (),
        tell: Tell = _silent,
    ) -> None:
        self._target = target
        self._terms = terms
        self._pace = pace
        self._budget = budget
        self._tell = tell
        self._notes = [*notes]
        self._fingerprint: Fingerprint | None = None
        self._names = names_for(terms.wanted, host=target.host, account=terms.account)
        self._asked: list[_Asked] = []
        self._offers_auth = True
        self._signs_in = False
        self._confirmed = 0
        self._sure = True
        self._vantage = vantage(target, terms.claimed)

    def port(self) -> Port:
        """Give what was found so far."""
        notes = [*self._notes]
        left = len(self._asked) - self._confirmed
        if left:
            notes.append(
                Text(
                    f"stopped: no control confirms the last {left} results",
                    f"中断のため、最後の {left} 件は対照による確認なし",
                )
            )
        results = tuple(asked.result for asked in self._asked)
        return Port(self._target, self._fingerprint, tuple(notes), results)

    async def run(self) -> None:
        """Ask everything."""
        try:
            await self._meet()
        except HindranceError as error:
            self._notes.append(told(error))
            return
        opened = partial(self._visit, secrets.token_hex(6), account=True)
        controls = Controls(opened, self._budget)
        self._names, notes = await controls.begin(
            self._terms.wanted, self._names, self._terms.account
        )
        self._signs_in = SIGN_IN in controls.good
        self._notes += notes
        self._notes += filter(None, [self._vantage, self._terms.left_out])
        await self._run_groups(controls)
        await self._look_again()

    async def _meet(self) -> None:
        async with self._visit("").dial() as conversation:
            reply = await conversation.ehlo()
            self._fingerprint = fingerprint(conversation.greeting, conversation.offers)
            self._names = names_for(
                self._terms.wanted,
                host=self._target.host,
                greeting=conversation.greeting,
                ehlo=reply,
                account=self._terms.account,
            )
            mechanisms = conversation.offers.mechanisms
            with suppress(HindranceError):
                if "STARTTLS" in conversation.offers.keywords:
                    await conversation.start_tls()
                    await conversation.ehlo()
            self._offers_auth = bool(mechanisms | conversation.offers.mechanisms)
            await conversation.quit()

    async def _run_groups(self, controls: Controls) -> None:
        gone: Failure | None = None
        for batch in batches(self._terms.runnable):
            if gone is not None:
                self._not_asked(batch, gone)
                continue
            await self._run_batch(batch)
            failure = await controls.again()
            self._settle(failure)
            gone = failure if failure and failure.control.essential else None
        self._confirmed = len(self._asked)

    async def _run_batch(self, probes: list[Probe]) -> None:
        """Run some at once; the results stand in the order of the rows."""
        begun = len(self._asked)
        turns = asyncio.Semaphore(self._terms.at_once)

        async def one(probe: Probe) -> None:
            async with turns:
                await self._run(probe)

        async with asyncio.TaskGroup() as tasks:
            for probe in probes:
                tasks.create_task(one(probe))
        order = {probe.id: n for n, probe in enumerate(probes)}
        self._asked[begun:] = sorted(
            self._asked[begun:], key=lambda asked: order[asked.result.probe.id]
        )

    async def _run(self, probe: Probe) -> None:
        token, transcript = secrets.token_hex(6), Transcript()
        began = time.monotonic()
        judgement, notes = await self._judged(probe, token, transcript)
        if judgement.verdict in _FOUND and self._vantage is not None:
            notes = (*notes, self._vantage)
        self._add(
            Result(
                probe,
                judgement,
                tuple(transcript.lines),
                notes,
                time.monotonic() - began,
            ),
            token,
        )

    async def _judged(
        self, probe: Probe, token: str, transcript: Transcript
    ) -> tuple[Judgement, tuple[Text, ...]]:
        if not self._budget.holds(probe.attempts):
            return hindered(spent_text(self._budget.limit)), ()
        if _wants_sign_in(probe) and not self._offers_auth:
            return _NO_AUTH, ()
        signs_in = Need.ACCOUNT in probe.needs
        signs_in |= probe.account_helps and self._signs_in
        visit = self._visit(token, transcript, account=signs_in)
        limit = self._limit(probe)
        try:
            async with asyncio.timeout(limit):
                return await probe.run(visit), ()
        except HindranceError as error:
            return hindered(told(error)), ()
        except TimeoutError:
            return hindered(
                Text(f"it took longer than {limit:g} s", f"{limit:g} 秒以内に終わらず")
            ), ()
        except Exception as error:  # noqa: BLE001 - one probe must not end the audit
            return _went_wrong(error)

    def _limit(self, probe: Probe) -> float:
        limit = STRESS_SECONDS if Need.STRESS in probe.needs else PROBE_SECONDS
        canary = self._terms.canary
        return limit + (CANARY_WAITS * canary.seconds if canary else 0.0)

    def _visit(
        self, token: str, transcript: Transcript | None = None, *, account: bool = False
    ) -> Visit:
        canary = self._terms.canary
        return Visit(
            target=self._target,
            names=self._names,
            token=token,
            account=self._terms.account if account else None,
            transcript=transcript or Transcript(),
            pace=self._pace.wait,
            arrived=partial(canaries.arrived, canary) if canary else None,
            fetched=partial(canaries.fetched, canary) if canary else None,
            spent=self._budget.spend,
        )

    def _add(self, result: Result, token: str = "") -> None:
        self._asked.append(_Asked(result, token))
        self._tell(self._target, result)

    # --- afterwards

    def _settle(self, failure: Failure | None) -> None:
        """Confirm what was found since the last good control, or doubt it."""
        if failure is not None or not self._sure:
            why = failure.text if failure else _AGAIN_WELL
            for asked in self._asked[self._confirmed :]:
                asked.result = _doubted(asked.result, why)
        self._confirmed = len(self._asked)
        self._sure = failure is None

    def _not_asked(self, probes: list[Probe], failure: Failure) -> None:
        for probe in probes:
            self._add(Result(probe, hindered(failure.text), (), (), 0.0))

    async def _look_again(self) -> None:
        """What came late proves what was suspect."""
        canary = self._terms.canary
        if canary is None:
            return
        for asked in self._asked:
            suspected = asked.result.judgement.verdict is Verdict.SUSPECT
            if suspected and asked.token and await canary.has(asked.token):
                asked.result = _proved(asked.result)


_AGAIN_WELL = Text(
    "the controls failed before this, and went well again only after it",
    "この検査の前に対照が失敗しており、成功に戻ったのは検査の後",
)


_NO_AUTH = not_applicable("AUTH is not offered here", "AUTH の提供なし")


def _wants_sign_in(probe: Probe) -> bool:
    return probe.group is Group.AUTHENTICATION and Need.ACCOUNT in probe.needs


def batches(probes: tuple[Probe, ...]) -> list[list[Probe]]:
    """Part probes into what is run before the controls are asked again.

    By group, those that may be run beside one another; then one by one who signs in,
    who guesses, and at the very end what is a load.
    """
    stress = [one for one in probes if Need.STRESS in one.needs]
    signs = [one for one in probes if _wants_sign_in(one) and one not in stress]
    guesses = [one for one in probes if one.attempts and one not in [*stress, *signs]]
    alone = [*signs, *guesses, *stress]
    together = (
        [one for one in probes if one.group is group and one not in alone]
        for group in ORDER
    )
    return [*filter(None, together), *([one] for one in alone)]


def _went_wrong(error: Exception) -> tuple[Judgement, tuple[Text, ...]]:
    kind = type(error).__name__
    judgement = hindered(
        Text(f"the probe itself went wrong: {kind}", f"検査自体の異常終了: {kind}")
    )
    note = Text(
        f"a fault of this program, please report it: {kind}: {error}",
        f"このプログラムの不具合です。報告してください: {kind}: {error}",
    )
    return judgement, (note,)


def _doubted(result: Result, why: Text) -> Result:
    verdict = result.judgement.verdict
    if verdict is Verdict.FLAWED:
        return replace(result, notes=(*result.notes, why))
    was = result.judgement.evidence
    note = Text(
        f"it read {verdict.value}: {was.en}", f"{verdict.value} の応答: {was.ja}"
    )
    return replace(result, judgement=hindered(why), notes=(*result.notes, note))


def _proved(result: Result) -> Result:
    was = result.judgement.evidence
    judgement = flawed(
        f"the canary has arrived after all: {was.en}",
        f"カナリアが遅れて到着: {was.ja}",
    )
    return replace(result, judgement=judgement)


async def audit_port(  # noqa: PLR0913 - what can be given
    target: Target,
    names: Wanted | Names,
    *,
    probes: tuple[Probe, ...] = PROBES,
    account: Account | None = None,
    canary: Canary | None = None,
    stress: bool = False,
    at_once: int = AT_ONCE,
    pace: Pace | None = None,
    budget: Budget | None = None,
) -> Port:
    """Audit one port: the entry for programs.

    Args:
        target: Whom.
        names: As far as they are known.
        probes: Which; those for which something is missing are left out.
        account: At the server.
        canary: Where arrivals are seen.
        stress: Whether loads are allowed.
        at_once: Probes at the same time.
        pace: The host's; by its address if None.
        budget: The host's; a fresh one if None.

    """
    if isinstance(names, Names):
        names = Wanted(
            domain=names.domain,
            known=names.known,
            other=names.other,
            foreign=names.foreign,
            canary=names.canary,
        )
    terms = Terms(
        wanted=names,
        probes=probes,
        account=account,
        canary=canary,
        stress=stress,
        at_once=at_once,
    )
    audit = PortAudit(
        target,
        terms,
        pace=pace or pace_for((target.address,)),
        budget=budget or Budget(),
    )
    await audit.run()
    return audit.port()
