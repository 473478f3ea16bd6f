"""The audit of one port: a ban never reads as safe, and no probe ends it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from audit.lab_visits import ACCOUNT
from sekisho.audit import controls, runner
from sekisho.audit.budget import Budget
from sekisho.audit.canary import Arrivals
from sekisho.audit.catalogue import PROBES
from sekisho.audit.conversation import ClosedError, HindranceError
from sekisho.audit.lab.flaws import FLAWS
from sekisho.audit.lab.manners import SOUND, Manners
from sekisho.audit.lab.server import LabServer
from sekisho.audit.names import Wanted
from sekisho.audit.probe import Group, Need, Probe
from sekisho.audit.results import Port, Result
from sekisho.audit.runner import audit_port
from sekisho.audit.target import Target
from sekisho.audit.vantage import LOOPBACK
from sekisho.audit.verdicts import (
    Judgement,
    Severity,
    Verdict,
    flawed,
    not_applicable,
    safe,
    suspect,
)
from sekisho.audit.visit import Account, Visit
from sekisho.model.text import Text

LOCAL = Wanted(domain="lab.test", known="user")
SAID = Text("x", "x")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "SECONDS_BETWEEN_TRIES", 0.01)


def row(
    name: str,
    run: Callable[[Visit], object],
    *,
    group: Group = Group.RELAY,
    needs: frozenset[Need] = frozenset(),
    attempts: int = 0,
) -> Probe:
    """Make a probe of a function."""

    async def carried_out(visit: Visit) -> Judgement:
        found = run(visit)
        return await found if asyncio.iscoroutine(found) else found  # type: ignore[return-value]

    return Probe(
        id=name,
        group=group,
        title=SAID,
        severity=Severity.HIGH,
        wire=(),
        safe=SAID,
        advice=SAID,
        references=(),
        run=carried_out,
        needs=needs,
        attempts=attempts,
    )


def says(judgement: Judgement) -> Callable[[Visit], Judgement]:
    return lambda _: judgement


SAFE = says(safe("refused", "拒否"))


def at(port: int) -> Target:
    return Target(host="127.0.0.1", address="127.0.0.1", port=port)


def audited(
    *probes: Probe,
    wanted: Wanted = LOCAL,
    manners: Manners = SOUND,
    account: Account | None = None,
    stress: bool = False,
    budget: Budget | None = None,
) -> Port:
    async def run() -> Port:
        async with LabServer(manners) as server:
            return await audit_port(
                at(server.port),
                wanted,
                probes=probes,
                account=account,
                stress=stress,
                budget=budget,
            )

    return asyncio.run(run())


def verdicts(port: Port) -> dict[str, Verdict]:
    return {one.probe.id: one.judgement.verdict for one in port.results}


def notes(said: tuple[Text, ...]) -> str:
    return "\n".join(one.en for one in said)


# --- whole audits


def test_a_flaw_of_the_lab_is_found_and_its_twin_is_not() -> None:
    flaw = next(one for one in FLAWS if one.name == "ms01-037")
    probes = [one for one in PROBES if one.id in ("AUTH-001", "AUTH-002", "RLY-001")]
    found = audited(*probes, manners=flaw.manners)
    assert verdicts(found)["AUTH-001"] is Verdict.FLAWED
    result = next(one for one in found.results if one.probe.id == "AUTH-001")
    assert any("235" in line.text for line in result.transcript)
    assert result.notes == (LOOPBACK,)
    patched = audited(*probes, manners=flaw.twin)
    assert set(verdicts(patched).values()) <= {Verdict.SAFE, Verdict.NOT_APPLICABLE}
    assert all(not one.notes for one in patched.results)


def test_results_stand_in_the_order_of_the_rows() -> None:
    async def slow(visit: Visit) -> Judgement:
        del visit
        await asyncio.sleep(0.05)
        return safe("x", "x")

    found = audited(row("A", slow), row("B", SAFE), row("C", slow), row("D", SAFE))
    assert [one.probe.id for one in found.results] == ["A", "B", "C", "D"]


def test_nobody_at_the_port_is_a_note_and_no_result() -> None:
    port = asyncio.run(audit_port(at(1), LOCAL, probes=(row("A", SAFE),)))
    assert port.results == ()
    assert "no connection" in port.notes[0].en


def test_a_greeting_that_turns_away_is_a_note_and_no_result() -> None:
    async def run() -> Port:
        async with turncoat(well=0) as port:
            return await audit_port(at(port), LOCAL, probes=(row("A", SAFE),))

    found = asyncio.run(run())
    assert found.results == ()
    assert "554" in found.notes[0].en


# --- what goes wrong in a probe


def test_no_probe_ends_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PROBE_SECONDS", 0.1)

    def broken(visit: Visit) -> Judgement:
        raise ZeroDivisionError(visit.token)

    def hindered(visit: Visit) -> Judgement:
        raise ClosedError("the server closed the connection")

    async def endless(visit: Visit) -> Judgement:
        del visit
        await asyncio.sleep(30)
        return safe("x", "x")

    found = audited(
        row("A", broken), row("B", hindered), row("C", endless), row("D", SAFE)
    )
    undecided = Verdict.UNDECIDED
    expected = {"A": undecided, "B": undecided, "C": undecided, "D": Verdict.SAFE}
    assert verdicts(found) == expected
    by_id = {one.probe.id: one for one in found.results}
    assert "ZeroDivisionError" in notes(by_id["A"].notes)
    assert "closed the connection" in by_id["B"].judgement.evidence.en
    assert "切断" in by_id["B"].judgement.evidence.ja
    assert "longer than" in by_id["C"].judgement.evidence.en


# --- what was not given


def test_what_lacks_something_is_left_out_and_told() -> None:
    account, stress = frozenset({Need.ACCOUNT}), frozenset({Need.STRESS})
    probes = (
        row("A", SAFE),
        row("B", SAFE, needs=account),
        row("C", SAFE, needs=stress, group=Group.LOAD),
        row("D", SAFE, needs=account | stress),
    )
    found = audited(*probes)
    assert list(verdicts(found)) == ["A"]
    assert "3 probes were not run: they need --user, --stress" in notes(found.notes)
    assert list(verdicts(audited(*probes, account=ACCOUNT))) == ["A", "B"]
    whole = audited(*probes, account=ACCOUNT, stress=True)
    assert list(verdicts(whole)) == ["A", "B", "C", "D"]


def test_only_those_that_need_it_are_given_the_account() -> None:
    seen: dict[str, Account | None] = {}

    def remember(name: str) -> Callable[[Visit], Judgement]:
        def run(visit: Visit) -> Judgement:
            seen[name] = visit.account
            return safe("x", "x")

        return run

    needs = frozenset({Need.ACCOUNT})
    audited(
        row("A", remember("A")), row("B", remember("B"), needs=needs), account=ACCOUNT
    )
    assert seen == {"A": None, "B": ACCOUNT}


def test_past_ten_attempts_probes_are_undecided_and_not_run() -> None:
    ran: list[str] = []

    def spends(name: str) -> Callable[[Visit], Judgement]:
        def run(visit: Visit) -> Judgement:
            ran.append(name)
            assert visit.spent is not None
            for _ in range(4):
                visit.spent()
            return safe("x", "x")

        return run

    probes = [row(name, spends(name), attempts=4) for name in "ABC"]
    budget = Budget()
    found = audited(*probes, budget=budget)
    assert ran == ["A", "B"]
    assert verdicts(found)["C"] is Verdict.UNDECIDED
    assert "10 attempts" in found.results[2].judgement.evidence.en
    # A host's next port has no more than is left.
    assert verdicts(audited(*probes, budget=budget))["A"] is Verdict.UNDECIDED
    assert ran == ["A", "B"]


def test_a_probe_that_asks_too_often_is_stopped() -> None:
    def spends(visit: Visit) -> Judgement:
        assert visit.spent is not None
        for _ in range(11):
            visit.spent()
        return safe("x", "x")

    found = audited(row("A", spends))
    assert verdicts(found) == {"A": Verdict.UNDECIDED}


# --- controls


def test_without_a_control_results_prove_less() -> None:
    def knows_nobody(*_: object) -> bytes:
        return b"550 5.1.1 nobody"

    manners = replace(SOUND, knows=knows_nobody)
    guessed = audited(row("A", SAFE), wanted=Wanted(), manners=manners)
    assert "no positive control" in notes(guessed.notes)
    named = audited(row("A", SAFE), manners=manners)
    assert "a positive control failed" in notes(named.notes)
    assert "550 5.1.1 nobody" in notes(named.notes)
    well = audited(row("A", SAFE))
    assert "control" not in notes(well.notes)


def test_wrong_credentials_are_told_and_tried_once() -> None:
    budget = Budget()
    wrong = Account("user", "wrong-password")
    found = audited(
        row("A", SAFE), row("B", SAFE, group=Group.LOAD), account=wrong, budget=budget
    )
    assert "good credentials sign in" in notes(found.notes)
    assert "wrong-password" not in repr(found)
    assert budget.left == budget.limit - 1


def test_a_server_with_login_alone_is_signed_in_to_as_well() -> None:
    only = {name: run for name, run in SOUND.mechanisms.items() if name == "LOGIN"}
    assert only
    found = audited(
        row("A", SAFE), account=ACCOUNT, manners=replace(SOUND, mechanisms=only)
    )
    assert "control" not in notes(found.notes)


def test_without_auth_an_account_is_no_failure() -> None:
    needs = frozenset({Need.ACCOUNT})
    probe = row("A", SAFE, group=Group.AUTHENTICATION, needs=needs)
    found = audited(probe, account=ACCOUNT, manners=replace(SOUND, mechanisms={}))
    assert verdicts(found) == {"A": Verdict.NOT_APPLICABLE}
    assert "control" not in notes(found.notes)


def test_the_domain_is_the_one_that_the_server_takes_mail_for() -> None:
    domains: list[str] = []

    def look(visit: Visit) -> Judgement:
        domains.append(visit.names.domain)
        return safe("x", "x")

    audited(row("A", look), wanted=Wanted())
    assert domains == ["lab.test"]


@asynccontextmanager
async def turncoat(*, well: int, then: int = 10_000) -> AsyncGenerator[int]:
    """A server that turns away after so many connections, for so many."""
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        banned = well < count <= well + then
        writer.write(b"554 5.7.1 go away\r\n" if banned else b"220 mx.test ESMTP\r\n")
        while not banned and (line := await reader.readline()):
            writer.write(b"250 2.0.0 ok\r\n")
            if line.startswith(b"QUIT"):
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def three_groups() -> tuple[Probe, ...]:
    return (
        row("R1", SAFE),
        row("S1", SAFE, group=Group.SMUGGLING),
        row("S2", says(flawed("235", "235")), group=Group.SMUGGLING),
        row("S3", says(not_applicable("x", "x")), group=Group.SMUGGLING),
        row("S4", says(suspect("x", "x")), group=Group.SMUGGLING),
        row("C1", SAFE, group=Group.CHUNKING),
        row("L1", SAFE, group=Group.LOAD),
    )


def ban(well: int, then: int) -> dict[str, Result]:
    """Run three groups, with a ban after so many connections."""

    async def run() -> Port:
        async with turncoat(well=well, then=then) as port:
            return await audit_port(at(port), LOCAL, probes=three_groups())

    return {one.probe.id: one for one in asyncio.run(run()).results}


GOOD_FOR_ONE_GROUP = 4
"""The first look, the recipient, and both again after the first group."""


def test_a_ban_does_not_read_as_safe() -> None:
    found = ban(GOOD_FOR_ONE_GROUP, 10_000)
    read = {name: one.judgement.verdict for name, one in found.items()}
    undecided = Verdict.UNDECIDED
    assert read == {
        "R1": Verdict.SAFE,
        "S1": undecided,
        "S2": Verdict.FLAWED,
        "S3": undecided,
        "S4": undecided,
        "C1": undecided,
        "L1": undecided,
    }
    assert "a control that went well before now fails" in notes(found["S2"].notes)
    assert "554 5.7.1" in found["S1"].judgement.evidence.en
    assert "it read safe" in notes(found["S1"].notes)


def test_a_short_hitch_is_tried_again() -> None:
    found = ban(GOOD_FOR_ONE_GROUP, controls.TRIES - 1)
    assert found["S1"].judgement.verdict is Verdict.SAFE
    assert found["L1"].judgement.verdict is Verdict.SAFE


def test_what_was_asked_between_a_bad_and_a_good_control_is_doubted_too() -> None:
    lets_in = 0

    def recipients(*_: object) -> bytes:
        nonlocal lets_in
        lets_in += 1
        # Taken at first; refused after the first group; taken from then on.
        refused = 1 < lets_in <= 1 + controls.TRIES
        return b"450 4.7.1 slow down" if refused else b"250 2.1.5 ok"

    found = audited(
        row("R1", SAFE),
        row("S1", SAFE, group=Group.SMUGGLING),
        row("C1", SAFE, group=Group.CHUNKING),
        manners=replace(SOUND, knows=recipients),
    )
    assert verdicts(found) == {
        "R1": Verdict.UNDECIDED,
        "S1": Verdict.UNDECIDED,
        "C1": Verdict.SAFE,
    }


# --- the canary


class SlowCanary:
    """It has each message when `has` is asked, and never while it is waited for."""

    address = "w@canary.test"
    seconds = 0.0

    def __init__(self) -> None:
        self.late = False
        self.arrivals = Arrivals()

    async def has(self, token: str) -> bool:
        del token
        return self.late

    async def message(self, token: str) -> bytes | None:
        return self.arrivals.message(token)


def test_a_canary_that_comes_late_proves_what_was_suspect() -> None:
    canary = SlowCanary()

    async def asks(visit: Visit) -> Judgement:
        assert visit.arrived is not None
        assert visit.text("{C}").startswith("w+audit-")
        assert not await visit.arrived(visit.token)
        return suspect("accepted", "受理")

    def late(visit: Visit) -> Judgement:
        del visit
        canary.late = True
        return safe("x", "x")

    async def run() -> Port:
        async with LabServer(SOUND) as server:
            return await audit_port(
                at(server.port),
                replace(LOCAL, canary=canary.address),
                probes=(row("A", asks), row("B", late, group=Group.LOAD)),
                canary=canary,
            )

    found = asyncio.run(run())
    assert verdicts(found) == {"A": Verdict.FLAWED, "B": Verdict.SAFE}
    assert "after all" in found.results[0].judgement.evidence.en


def test_hindrances_are_no_crash() -> None:
    def fails(visit: Visit) -> Judgement:
        del visit
        raise HindranceError("something new")

    found = audited(row("A", fails))
    assert "something new" in found.results[0].judgement.evidence.ja
