"""What a 2xx at RCPT is taken for: no false alarm, and no alarm left out.

Each server here is the lab's sound one but for one habit, as real servers have it.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from audit.lab_visits import visit_to
from sekisho.audit.lab import sound
from sekisho.audit.lab.manners import SOUND, Manners
from sekisho.audit.lab.server import LabServer
from sekisho.audit.lab.session import HangUpError, LabSession
from sekisho.audit.relay_forms import PLAIN, Form, Whose
from sekisho.audit.relay_sequences import backscatter, line_ends_in_paths, old_verbs
from sekisho.audit.relaying import ask_forms
from sekisho.audit.verdicts import Judgement, Verdict
from sekisho.audit.visit import Visit

FOREIGN = Form(PLAIN)
PERCENT = Form("<{C}%{X}@{D}>", Whose.OURS)
NOBODYS = Form('<"{C}%{X}">', Whose.NOBODYS)


def judgement(manners: Manners, *forms: Form, canary: bool = False) -> Judgement:
    async def run() -> Judgement:
        async with LabServer(manners) as server:
            visit = visit_to(server)
            visit.arrived = server.arrived if canary else None
            return await ask_forms(visit, forms=forms)

    return asyncio.run(run())


def run(manners: Manners, probe: Callable[[Visit], Awaitable[Judgement]]) -> Judgement:
    async def asked() -> Judgement:
        async with LabServer(manners) as server:
            visit = visit_to(server)
            visit.arrived = None
            return await probe(visit)

    return asyncio.run(asked())


def knowing(judge: Callable[[bytes], bytes | None]) -> Manners:
    """Make manners that answer RCPT so, and soundly where nothing is given."""

    def knows(session: LabSession, argument: bytes) -> bytes:
        return judge(argument) or sound.knows(session, argument)

    return replace(SOUND, knows=knows)


def elsewhere(argument: bytes) -> bytes:
    del argument
    return b"nobody@lab.test"


def refused(session: LabSession, content: bytes) -> bytes:
    del session, content
    return b"554 5.7.1 no"


CATCH_ALL = knowing(
    lambda a: sound.TAKEN if a.lower().endswith(b"@lab.test>") else None
)
EVERYBODY = knowing(lambda a: sound.TAKEN if a else None)
PERCENT_ALONE = knowing(lambda a: sound.TAKEN if b"%" in a else None)
UNQUALIFIED = knowing(lambda a: sound.TAKEN if b"@" not in a else None)


@pytest.mark.parametrize("canary", [False, True])
def test_a_server_that_takes_every_local_part_is_not_accused(canary: bool) -> None:
    found = judgement(CATCH_ALL, PERCENT, canary=canary)
    assert found.verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("canary", [False, True])
def test_what_has_no_domain_may_be_a_local_user(canary: bool) -> None:
    """OpenSMTPD's well-known false alarm."""
    found = judgement(UNQUALIFIED, NOBODYS, canary=canary)
    assert found.verdict is Verdict.UNDECIDED


def test_a_strange_local_part_is_suspect_where_unknown_users_are_refused() -> None:
    assert judgement(PERCENT_ALONE, PERCENT).verdict is Verdict.SUSPECT


def test_a_foreign_recipient_is_suspect_until_the_canary_comes() -> None:
    assert judgement(EVERYBODY, FOREIGN).verdict is Verdict.SUSPECT
    assert judgement(EVERYBODY, FOREIGN, canary=True).verdict is Verdict.FLAWED


def test_a_message_that_is_taken_and_never_arrives_stays_suspect() -> None:
    """A honeypot, or a queue that is slower than the wait."""
    swallowing = replace(EVERYBODY, leads_to=elsewhere)
    assert judgement(swallowing, FOREIGN, canary=True).verdict is Verdict.SUSPECT


def test_a_message_that_is_refused_at_its_end_stays_suspect() -> None:
    late = replace(EVERYBODY, content_checks=(refused,))
    assert judgement(late, FOREIGN, canary=True).verdict is Verdict.SUSPECT


@pytest.mark.parametrize(
    "reply",
    [b"450 4.7.1 greylisted", b"550 5.7.1 Client host blocked", b"550 5.1.2 no domain"],
)
def test_a_refusal_for_another_reason_proves_nothing(reply: bytes) -> None:
    found = judgement(knowing(lambda _: reply), FOREIGN)
    assert found.verdict is Verdict.UNDECIDED
    assert reply.decode()[:3] in found.evidence.en


def hangs_up(argument: bytes) -> bytes:
    del argument
    raise HangUpError


def test_a_server_that_closes_at_a_form_is_undecided_and_the_next_is_asked() -> None:
    closing = knowing(lambda a: hangs_up(a) if b"%" in a else None)
    assert judgement(closing, PERCENT).verdict is Verdict.UNDECIDED
    everybody_else = knowing(lambda a: hangs_up(a) if b"%" in a else sound.TAKEN)
    assert judgement(everybody_else, PERCENT, FOREIGN).verdict is Verdict.SUSPECT


def test_few_errors_are_made_over_one_connection() -> None:
    """Exim closes after three syntax errors."""
    impatient = replace(SOUND, max_errors=4)
    forms = [Form(f"<{{C}}@@{{X}}{n}>") for n in range(12)]
    assert judgement(impatient, *forms).verdict is Verdict.SAFE


def test_a_form_for_an_extension_is_not_asked_without_it() -> None:
    plain = replace(SOUND, keywords=())
    form = Form(PLAIN, keyword="SMTPUTF8")
    assert judgement(plain, form).verdict is Verdict.NOT_APPLICABLE


def test_a_lone_lf_that_ends_commands_is_no_relaying() -> None:
    """Postfix reads lines so by default, and refuses the second recipient."""
    lax = replace(
        SOUND,
        command_ends=re.compile(rb"\r?\n"),
        command_refuses=re.compile(rb"\0"),
    )
    assert run(lax, line_ends_in_paths).verdict is Verdict.SAFE
    assert run(replace(lax, knows=CATCH_ALL.knows), line_ends_in_paths).verdict in {
        Verdict.SAFE,
        Verdict.UNDECIDED,
    }


def test_a_server_that_says_250_to_everything_shows_nothing_by_old_verbs() -> None:
    async def well(session: LabSession, argument: bytes) -> bytes:
        del session, argument
        return b"250 2.0.0 fine"

    verbs = ("TURN", "ATRN", "DEBUG", "WIZ", "KILL", "XADR", "XSEKISHO")
    manners = replace(SOUND, commands=dict.fromkeys(verbs, well))
    assert run(manners, old_verbs).verdict is Verdict.UNDECIDED


def test_backscatter_is_undecided_where_nothing_comes_back() -> None:
    assert run(CATCH_ALL, backscatter).verdict is Verdict.UNDECIDED
