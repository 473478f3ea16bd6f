"""What the lab's table does not show of section D: servers that must not be blamed.

And whom its messages go to, for from DATA on a message may be delivered.
"""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from audit.lab_visits import ACCOUNT, visit_to
from sekisho.audit.catalogue import PROBES
from sekisho.audit.content import NotTakenError
from sekisho.audit.conversation import HindranceError
from sekisho.audit.counting import speaks_of_lines
from sekisho.audit.hindrances import told
from sekisho.audit.lab.manners import SOUND, Command, Manners
from sekisho.audit.lab.server import LabServer
from sekisho.audit.lab.session import HangUpError, LabSession
from sekisho.audit.lab.sound import PASSWORD
from sekisho.audit.lab.verbs import COMMANDS
from sekisho.audit.lab.wire_flaws import WIRE_FLAWS
from sekisho.audit.probe import Need, Probe
from sekisho.audit.smuggling_probes import SEQUENCES
from sekisho.audit.verdicts import Judgement, Verdict
from sekisho.model.reply import Reply

Judge = Callable[..., Judgement]
BY_ID = {probe.id: probe for probe in PROBES}
LF_DOT_LF = next(flaw for flaw in WIRE_FLAWS if "SMG-001" in flaw.probes)
LENIENT = LF_DOT_LF.twin
SLOWER_THAN_QUIET = 0.5


def with_commands(base: Manners, **commands: Command) -> Manners:
    return replace(base, commands=commands)


async def data_answered_late(session: LabSession, argument: bytes) -> bytes | None:
    """As a server does whose filters take their time."""
    reply = await COMMANDS["DATA"](session, argument)
    await asyncio.sleep(SLOWER_THAN_QUIET)
    return reply


async def data_refused_at_once(session: LabSession, argument: bytes) -> bytes | None:
    """Refuse at the first bare octet, and close; as Sekisho does."""
    del argument
    await session.send(b"354 go on")
    while b"\n.\n" not in session.input:
        await session.more()
    raise HangUpError(b"550 5.5.2 bare LF")


async def data_lost(session: LabSession, argument: bytes) -> bytes | None:
    """Go down for a reason of its own."""
    del argument
    await session.send(b"354 go on")
    await session.more()
    raise HangUpError(b"421 4.3.2 shutting down")


# -- smuggling ------------------------------------------------------------------------


@pytest.mark.parametrize("number", SEQUENCES)
def test_late_reply_is_no_smuggling(judge: Judge, number: str) -> None:
    found = judge(BY_ID[number], with_commands(LENIENT, DATA=data_answered_late))
    assert found.verdict is Verdict.SAFE, found.evidence.en


def test_smuggling_through_a_slow_server_is_counted(judge: Judge) -> None:
    slow = with_commands(LF_DOT_LF.manners, DATA=data_answered_late)
    found = judge(BY_ID["SMG-001"], slow)
    assert found.verdict is Verdict.FLAWED, found.evidence.en
    assert "replies to one message" in found.evidence.en


def test_refusal_at_the_sequence_is_safe(judge: Judge) -> None:
    found = judge(BY_ID["SMG-001"], with_commands(SOUND, DATA=data_refused_at_once))
    assert found.verdict is Verdict.SAFE
    assert "550 5.5.2" in found.evidence.en


def test_421_for_another_reason_says_nothing(judge: Judge) -> None:
    found = judge(BY_ID["SMG-001"], with_commands(SOUND, DATA=data_lost))
    assert found.verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("reply", "about_lines"),
    [
        (Reply(421, "4.5.2", ("bare LF not allowed",)), True),
        (Reply(521, "5.5.2", ("see RFC 5321",)), True),
        (Reply(421, "4.7.0", ("too many connections",)), False),
        (Reply(421, "4.3.2", ("shutting down",)), False),
    ],
)
def test_refusals_about_line_ends_are_told_apart(
    reply: Reply, *, about_lines: bool
) -> None:
    assert speaks_of_lines(reply) is about_lines


def test_bare_lf_that_ends_a_command_is_no_finding(judge: Judge) -> None:
    """Postfix with its cure, Exim and OpenSMTPD all take it."""
    lenient = replace(
        SOUND,
        command_ends=re.compile(rb"\r?\n"),
        command_refuses=re.compile(rb"(?!)"),
    )
    found = judge(BY_ID["SMG-022"], lenient)
    assert found.verdict is Verdict.SAFE
    assert "a bare LF does" in found.evidence.en


# -- what is not there ----------------------------------------------------------------


@pytest.mark.parametrize("number", ["BDT-001", "BDT-002", "BDT-003", "BDT-004"])
def test_without_chunking_there_is_nothing_to_ask(judge: Judge, number: str) -> None:
    keywords = tuple(word for word in SOUND.keywords if word != "CHUNKING")
    found = judge(BY_ID[number], replace(SOUND, keywords=keywords))
    assert found.verdict is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize("number", ["TLS-001", "TLS-002", "TLS-003", "TLS-004"])
def test_without_starttls_there_is_nothing_to_ask(judge: Judge, number: str) -> None:
    found = judge(BY_ID[number], replace(SOUND, starttls=False))
    assert found.verdict is Verdict.NOT_APPLICABLE


async def _no_tls(session: LabSession, argument: bytes) -> bytes | None:
    del argument
    await session.send(b"220 go on")
    await session.more()
    raise HangUpError


@pytest.mark.parametrize("number", ["TLS-001", "TLS-002", "TLS-003"])
def test_tls_that_never_works_is_not_called_safe(judge: Judge, number: str) -> None:
    with pytest.raises(HindranceError, match="TLS"):
        judge(BY_ID[number], with_commands(SOUND, STARTTLS=_no_tls))


# -- whom messages go to --------------------------------------------------------------


def nobody(session: LabSession, argument: bytes) -> bytes:
    del session, argument
    return b"550 5.7.1 relaying denied"


def test_no_recipient_of_ours_is_said_in_both_languages(judge: Judge) -> None:
    with pytest.raises(NotTakenError) as caught:
        judge(BY_ID["SMG-001"], replace(SOUND, knows=nobody))
    assert "550 5.7.1" in told(caught.value).ja
    assert "宛先をすべて拒否" in told(caught.value).ja


WIRE = [
    probe
    for probe in PROBES
    if probe.id[:3] in {"SMG", "BDT", "TLS", "INJ", "DOS"} and probe.id != "DOS-007"
]


@pytest.mark.parametrize("probe", WIRE, ids=lambda probe: probe.id)
def test_messages_go_to_the_administrator_alone(probe: Probe) -> None:
    """Without the canary nothing goes to anybody; no secret stands in what was said."""

    async def run() -> None:
        async with LabServer(LENIENT) as server:
            visit = replace(visit_to(server, probe), account=ACCOUNT)
            if Need.CANARY not in probe.needs:
                visit = replace(visit, account=None)
            with suppress(HindranceError):
                await probe.run(visit)
            mailboxes = {box for each in server.delivered for box in each.mailboxes}
            wanted = {b"user@lab.test", visit.text("{C}@{X}").encode()}
            assert mailboxes <= (wanted if Need.CANARY in probe.needs else set())
            said = " ".join(line.text for line in visit.transcript.lines)
            assert PASSWORD.decode() not in said

    asyncio.run(run())


def test_where_strangers_may_not_send_the_account_does(judge: Judge) -> None:
    """As on a submission port; a stranger's question would stay open there."""
    closed = replace(LF_DOT_LF.manners, wants_auth=True)

    async def run() -> Judgement:
        async with LabServer(closed) as server:
            visit = visit_to(server, BY_ID["SMG-001"])
            return await BY_ID["SMG-001"].run(replace(visit, account=ACCOUNT))

    assert asyncio.run(run()).verdict is Verdict.FLAWED
    with pytest.raises(NotTakenError, match="sender"):
        judge(BY_ID["SMG-001"], closed)
    assert BY_ID["SMG-001"].account_helps


async def _runs_chunks_slowly(session: LabSession, argument: bytes) -> bytes | None:
    del argument
    await asyncio.sleep(SLOWER_THAN_QUIET)
    return b"503 5.5.1 out of order"


async def _slow_noop(session: LabSession, argument: bytes) -> bytes | None:
    await asyncio.sleep(SLOWER_THAN_QUIET)
    return await COMMANDS["NOOP"](session, argument)


@pytest.mark.parametrize("number", ["BDT-002", "BDT-003"])
def test_slow_server_that_runs_chunks_is_not_called_safe(
    judge: Judge, number: str
) -> None:
    """Silence is waited for by what a reply takes there."""
    slow = with_commands(SOUND, BDAT=_runs_chunks_slowly, NOOP=_slow_noop)
    assert judge(BY_ID[number], slow).verdict is Verdict.FLAWED


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        ("TLS-001", Verdict.NOT_APPLICABLE),
        ("TLS-004", Verdict.SAFE),
        ("TLS-006", Verdict.SAFE),
    ],
)
def test_ports_with_tls_from_the_start_are_asked_within(
    number: str, verdict: Verdict
) -> None:
    async def run() -> Judgement:
        async with LabServer(SOUND, implicit_tls=True) as server:
            visit = visit_to(server, BY_ID[number])
            visit.target = replace(visit.target, implicit_tls=True)
            return await BY_ID[number].run(visit)

    assert asyncio.run(run()).verdict is verdict


@pytest.mark.parametrize(
    ("refusal", "verdict"),
    [(b"550 5.7.1 no", Verdict.NOT_APPLICABLE), (b"451 4.7.1 later", None)],
)
def test_without_sign_in_nothing_is_sent_on(
    judge: Judge, refusal: bytes, verdict: Verdict | None
) -> None:
    """Unless it was only put off."""

    def refuses(session: LabSession, argument: bytes) -> bytes:
        del session, argument
        return refusal

    listener = replace(SOUND, mechanisms={}, takes_sender=refuses)
    if verdict is None:
        with pytest.raises(NotTakenError, match="451"):
            judge(BY_ID["SMG-024"], listener)
    else:
        assert judge(BY_ID["SMG-024"], listener).verdict is verdict
