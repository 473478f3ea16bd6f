"""What the lab's table does not show of the probes of AUTH."""

import asyncio
from base64 import b64encode
from dataclasses import replace

import pytest

from audit.lab_visits import visit_to
from sekisho.audit.authentication import AUTHENTICATION
from sekisho.audit.authentication.otp import one_time_password
from sekisho.audit.authentication.ranks import differ, p_value
from sekisho.audit.conversation import HindranceError
from sekisho.audit.lab import sound
from sekisho.audit.lab.authentication_flaws import AUTHENTICATION_FLAWS
from sekisho.audit.lab.exchange_flaws import NTLM_OFFERED, offering, proves_nothing
from sekisho.audit.lab.manners import SOUND, Manners
from sekisho.audit.lab.mechanism_flaws import SCRAM_OFFERED
from sekisho.audit.lab.server import LabServer
from sekisho.audit.lab.session import HangUpError, LabSession
from sekisho.audit.probe import Need, Probe
from sekisho.audit.verdicts import Judgement, Verdict
from sekisho.audit.visit import Visit

BY_ID = {probe.id: probe for probe in AUTHENTICATION}
BY_NAME = {flaw.name: flaw for flaw in AUTHENTICATION_FLAWS}
ASKED_OF_STRANGERS = [probe for probe in AUTHENTICATION if not probe.needs]
NOT_LOAD = [probe for probe in AUTHENTICATION if Need.STRESS not in probe.needs]
WITH_ACCOUNT = [
    probe
    for probe in AUTHENTICATION
    if Need.ACCOUNT in probe.needs and Need.STRESS not in probe.needs
]
MOST_ATTEMPTS = 10

EVERYTHING = replace(
    SOUND,
    mechanisms={
        **NTLM_OFFERED.mechanisms,
        **SCRAM_OFFERED.mechanisms,
        "CRAM-MD5": proves_nothing,
    },
)


def judge(probe: Probe, manners: Manners, *, canary: bool = False) -> Judgement:
    """Run one probe; a hindrance counts as the runner has it."""
    return visited(probe, manners, canary=canary)[0]


def visited(
    probe: Probe, manners: Manners, *, canary: bool = False
) -> tuple[Judgement, Visit, int]:
    """Run one probe; its judgement, its visit, and how often it guessed."""
    spent: list[str] = []

    async def run() -> tuple[Judgement, Visit]:
        async with LabServer(manners) as server:
            visit = visit_to(server, probe, canary=canary)
            visit.spent = lambda: spent.append(probe.id)
            return await probe.run(visit), visit

    judgement, visit = asyncio.run(run())
    return judgement, visit, len(spent)


# --- the second step


@pytest.mark.parametrize(
    "name", ["ntlm-guest", "relays-after-failure", "relays-after-abort"]
)
def test_relaying_after_a_refusal_is_suspect_and_by_a_canary_proved(name: str) -> None:
    flaw = BY_NAME[name]
    probe = BY_ID[flaw.probes[0]]
    assert judge(probe, flaw.manners).verdict is Verdict.SUSPECT
    assert judge(probe, flaw.manners, canary=True).verdict is Verdict.FLAWED


@pytest.mark.parametrize("id_", ["AUTH-001", "AUTH-010", "AUTH-057", "AUTH-059"])
def test_open_relay_is_not_blamed_on_authentication(id_: str) -> None:
    """It relays before anything was tried, so what was tried opened nothing."""
    open_relay = BY_NAME["auth-not-needed"].manners
    judgement = judge(BY_ID[id_], open_relay, canary=True)
    assert judgement.verdict is Verdict.UNDECIDED


def test_refused_sender_is_not_taken_for_refused_relaying() -> None:
    """The session relays, but not from the first sender that is offered."""

    def takes_sender(session: LabSession, argument: bytes) -> bytes:
        if argument.startswith(b"<audit@"):
            return b"550 5.7.1 not from outside"
        return b"250 2.1.0 ok"

    guest = BY_NAME["ntlm-guest"]
    manners = replace(guest.manners, takes_sender=takes_sender)
    assert judge(BY_ID["AUTH-005"], manners).verdict is Verdict.SUSPECT


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (b"454 4.7.1 Relay access denied", Verdict.SAFE),
        (b"550 relay not permitted", Verdict.SAFE),
        (b"451 4.7.1 Greylisted, come back later", Verdict.UNDECIDED),
        (b"554 5.7.1 blocked by a block list", Verdict.UNDECIDED),
        (b"452 4.3.1 no space", Verdict.UNDECIDED),
    ],
)
def test_only_a_refusal_for_the_right_reason_is_safe(
    reply: bytes, verdict: Verdict
) -> None:
    def knows(session: LabSession, argument: bytes) -> bytes:
        del session, argument
        return reply

    manners = replace(SOUND, knows=knows)
    assert judge(BY_ID["AUTH-057"], manners).verdict is verdict


# --- what stands in the way


async def _backend_is_away(session: LabSession, initial: bytes | None) -> bytes:
    await session.response(initial)
    return b"454 4.7.0 temporary authentication failure"


async def _hangs_up(session: LabSession, initial: bytes | None) -> bytes:
    del session, initial
    raise HangUpError


async def _bans(session: LabSession, initial: bytes | None) -> bytes:
    del session, initial
    raise HangUpError(b"421 4.7.0 too many failures")


@pytest.mark.parametrize("mechanism", [_backend_is_away, _hangs_up, _bans])
@pytest.mark.parametrize("id_", ["AUTH-010", "AUTH-057", "AUTH-016"])
def test_what_was_not_judged_is_not_safe(id_: str, mechanism: object) -> None:
    manners = replace(SOUND, mechanisms={"PLAIN": mechanism, "LOGIN": mechanism})
    assert judge(BY_ID[id_], manners).verdict is Verdict.UNDECIDED


def test_greeting_that_turns_away_is_a_hindrance() -> None:
    async def run() -> None:
        async with LabServer(replace(SOUND, max_sessions=0)) as server:
            await BY_ID["AUTH-001"].run(visit_to(server))

    with pytest.raises(HindranceError):
        asyncio.run(run())


def test_tls_that_is_wanted_first_stands_in_the_way() -> None:
    manners = replace(SOUND, starttls=False)
    assert judge(BY_ID["AUTH-010"], manners).verdict is Verdict.UNDECIDED
    assert judge(BY_ID["AUTH-050"], manners).verdict is Verdict.SAFE


def test_454_to_the_malformed_is_a_refusal_where_535_is_known() -> None:
    async def as_cyrus(session: LabSession, initial: bytes | None) -> bytes:
        said = await session.response(initial)
        if not said:
            return sound.BAD_CREDENTIALS
        return b"454 4.7.0 Temporary authentication failure: generic failure"

    manners = replace(SOUND, mechanisms={"PLAIN": as_cyrus})
    assert judge(BY_ID["AUTH-011"], manners).verdict is Verdict.SAFE
    # A guess that is put off was not judged, whatever else was.
    assert judge(BY_ID["AUTH-057"], manners).verdict is Verdict.UNDECIDED


def test_server_that_closes_at_the_second_failure_is_still_judged() -> None:
    manners = replace(SOUND, max_failed_logins=2)
    assert judge(BY_ID["AUTH-010"], manners).verdict is Verdict.SAFE
    manners = replace(BY_NAME["empty-user"].manners, max_failed_logins=2)
    assert judge(BY_ID["AUTH-011"], manners).verdict is Verdict.FLAWED


# --- not applicable


@pytest.mark.parametrize("probe", ASKED_OF_STRANGERS, ids=lambda probe: probe.id)
def test_server_without_authentication_is_decided(probe: Probe) -> None:
    judgement = judge(probe, replace(SOUND, mechanisms={}))
    assert judgement.verdict in {Verdict.SAFE, Verdict.NOT_APPLICABLE}


@pytest.mark.parametrize("id_", ["AUTH-066", "AUTH-067"])
def test_nobody_is_compared_with_nobody(id_: str) -> None:
    async def run() -> Judgement:
        async with LabServer(SOUND) as server:
            visit = visit_to(server, BY_ID[id_])
            visit.names = replace(visit.names, known="")
            return await BY_ID[id_].run(visit)

    assert asyncio.run(run()).verdict is Verdict.NOT_APPLICABLE


# --- manners of the audit itself


@pytest.mark.parametrize("manners", [SOUND, EVERYTHING], ids=["sound", "everything"])
@pytest.mark.parametrize("probe", NOT_LOAD, ids=lambda probe: probe.id)
def test_no_more_guesses_than_the_row_says(probe: Probe, manners: Manners) -> None:
    _, _, spent = visited(probe, manners)
    assert spent <= probe.attempts


def test_a_whole_run_stays_within_the_bound() -> None:
    assert sum(probe.attempts for probe in NOT_LOAD) <= MOST_ATTEMPTS


def test_nothing_is_guessed_where_the_mechanism_is_absent() -> None:
    manners = replace(SOUND, mechanisms={"GSSAPI": proves_nothing})
    assert all(visited(probe, manners)[2] == 0 for probe in ASKED_OF_STRANGERS)


@pytest.mark.parametrize("probe", WITH_ACCOUNT, ids=lambda probe: probe.id)
def test_password_stands_in_no_transcript(probe: Probe) -> None:
    _, visit, _ = visited(probe, EVERYTHING)
    said = "\n".join(line.text for line in visit.transcript.lines)
    user, password = sound.USER, sound.PASSWORD
    for secret in (
        password,
        b64encode(password),
        b64encode(b"\0" + user + b"\0" + password),
        b64encode(password)[:40],
    ):
        assert secret.decode() not in said


def test_a_shy_mechanism_is_given_all_the_junk() -> None:
    """It is not offered, and works all the same."""

    async def anything(session: LabSession, initial: bytes | None) -> bytes:
        answer = await session.raw_challenge() if initial is None else initial
        return session.signed_in(b"x") if answer == b"!!!!" else sound.BAD_CREDENTIALS

    hidden = offering({"KERBEROS_V4": anything})

    async def ehlo(session: LabSession, argument: bytes) -> bytes:
        session.ehlo, session.extended = argument, True
        return (
            b"250-lab.test\r\n250 AUTH PLAIN"
            if session.secured
            else (b"250-lab.test\r\n250 STARTTLS")
        )

    manners = replace(hidden, commands={"EHLO": ehlo})
    assert judge(BY_ID["AUTH-003"], manners).verdict is Verdict.FLAWED


# --- what the probes count with


def test_one_time_passwords_are_those_of_the_rfc() -> None:
    """RFC 2289, appendix C."""
    phrase = "This is a test."
    for challenge, answer in (
        ("otp-md5 0 TeSt", "9e876134d90499dd"),
        ("otp-md5 1 TeSt ext", "7965e05436f5029f"),
        ("otp-sha1 0 TeSt", "bb9e6ae1979d8ff4"),
        ("otp-sha1 1 TeSt", "63d936639734385b"),
    ):
        assert one_time_password(phrase, challenge) == f"hex:{answer}"
    assert one_time_password(phrase, "otp-md4 1 TeSt") is None
    assert one_time_password(phrase, "otp-md5 99999 TeSt") is None


def test_times_differ_only_where_it_shows_and_can_be_used() -> None:
    quick = [0.001 * n for n in range(30)]
    slow = [one + 0.1 for one in quick]
    assert p_value(quick, slow) < 1e-9
    assert differ(quick, slow)
    assert p_value(quick, quick) == 1
    assert not differ(quick, quick)
    # Certain, but too small to be told apart over a network.
    assert not differ([0.0] * 30, [0.005] * 30)
    assert p_value([1.0] * 5, [2.0] * 5) == pytest.approx(0.009, abs=0.002)
