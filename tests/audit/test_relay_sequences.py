"""Relaying by order and by verbs: what each habit of a server is taken for."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from audit.lab_visits import visit_to
from sekisho.audit import relay_sequences as sequences
from sekisho.audit.lab import sound
from sekisho.audit.lab.flaws import FLAWS
from sekisho.audit.lab.manners import SOUND, Manners
from sekisho.audit.lab.server import LabServer
from sekisho.audit.lab.session import HangUpError, LabSession
from sekisho.audit.verdicts import Judgement, Verdict
from sekisho.audit.visit import Visit

Asked = Callable[[Visit], Awaitable[Judgement]]
SAFE, SUSPECT, FLAWED = Verdict.SAFE, Verdict.SUSPECT, Verdict.FLAWED
UNDECIDED, NOT_APPLICABLE = Verdict.UNDECIDED, Verdict.NOT_APPLICABLE
BY_NAME = {flaw.name: flaw.manners for flaw in FLAWS}

TRANSACTIONS: tuple[Asked, ...] = (
    sequences.out_of_order,
    sequences.data_after_refusals,
    sequences.bdat_after_refusals,
    sequences.mixed_recipients,
    sequences.pipelined_batch,
)
ALL: tuple[Asked, ...] = (
    *TRANSACTIONS,
    sequences.line_ends_in_paths,
    sequences.backscatter,
    sequences.old_verbs,
)


def verdict(manners: Manners, asked: Asked, *, canary: bool) -> Verdict:
    async def run() -> Judgement:
        async with LabServer(manners) as server:
            visit = visit_to(server)
            visit.arrived = server.arrived if canary else None
            return await asked(visit)

    return asyncio.run(run()).verdict


def name(asked: Asked) -> str:
    return getattr(asked, "__name__", "")


def everybody(session: LabSession, argument: bytes) -> bytes:
    del session, argument
    return sound.TAKEN


def later(session: LabSession, argument: bytes) -> bytes:
    del session, argument
    return b"450 4.7.1 greylisted"


def foreign_later(session: LabSession, argument: bytes) -> bytes:
    reply = sound.knows(session, argument)
    return b"450 4.7.1 greylisted" if reply == sound.RELAYING_DENIED else reply


def nobodys(argument: bytes) -> bytes:
    del argument
    return b"nobody@lab.test"


def refused(session: LabSession, content: bytes) -> bytes:
    del session, content
    return b"554 5.7.1 no"


OPEN = replace(SOUND, knows=everybody)


@pytest.mark.parametrize("asked", ALL, ids=name)
def test_a_port_that_wants_papers_first_is_safe(asked: Asked) -> None:
    assert verdict(replace(SOUND, wants_auth=True), asked, canary=True) is SAFE


@pytest.mark.parametrize("asked", ALL, ids=name)
def test_a_server_that_puts_senders_off_is_undecided(asked: Asked) -> None:
    found = verdict(replace(SOUND, takes_sender=later), asked, canary=True)
    assert found is (SAFE if asked is sequences.old_verbs else UNDECIDED)


@pytest.mark.parametrize("asked", TRANSACTIONS, ids=name)
def test_a_server_that_puts_recipients_off_is_undecided(asked: Asked) -> None:
    greylisting = replace(SOUND, knows=foreign_later)
    assert verdict(greylisting, asked, canary=True) is UNDECIDED


@pytest.mark.parametrize(
    ("canary", "manners", "expected"),
    [
        (False, OPEN, SUSPECT),
        (True, OPEN, FLAWED),
        (True, replace(OPEN, leads_to=nobodys), SUSPECT),
    ],
    ids=["unwatched", "watched", "swallowing"],
)
@pytest.mark.parametrize("asked", TRANSACTIONS, ids=name)
def test_an_open_relay_is_suspect_until_the_canary_comes(
    asked: Asked, canary: bool, manners: Manners, expected: Verdict
) -> None:
    # Mixed recipients are asked only with a canary, and batches need DATA unsynced.
    if asked is sequences.mixed_recipients and not canary:
        expected = NOT_APPLICABLE
    manners = replace(manners, data_sync=False)
    assert verdict(manners, asked, canary=canary) is expected


@pytest.mark.parametrize(
    ("asked", "unwatched", "swallowed", "refused_at_the_end"),
    [
        (sequences.data_after_refusals, UNDECIDED, SUSPECT, SAFE),
        (sequences.bdat_after_refusals, SUSPECT, SUSPECT, SAFE),
        (sequences.pipelined_batch, UNDECIDED, SUSPECT, SAFE),
    ],
    ids=["data", "bdat", "batch"],
)
def test_content_for_nobody_is_judged_by_its_end(
    asked: Asked, unwatched: Verdict, swallowed: Verdict, refused_at_the_end: Verdict
) -> None:
    """354 alone is allowed (RFC 2920 §3.1), a 250 at the end is not."""
    kept = replace(BY_NAME["refused-recipients-kept"], data_sync=False)
    assert verdict(kept, asked, canary=False) is unwatched
    assert verdict(replace(kept, leads_to=nobodys), asked, canary=True) is swallowed
    strict = replace(kept, content_checks=(refused,))
    assert verdict(strict, asked, canary=True) is refused_at_the_end


def test_what_is_not_offered_is_not_asked() -> None:
    bare = replace(SOUND, keywords=())
    assert verdict(bare, sequences.pipelined_batch, canary=True) is NOT_APPLICABLE
    assert verdict(bare, sequences.bdat_after_refusals, canary=True) is NOT_APPLICABLE


def test_backscatter_that_is_refused_at_its_end_is_none() -> None:
    late = replace(OPEN, content_checks=(refused,))
    assert verdict(late, sequences.backscatter, canary=True) is SAFE


def test_a_server_that_closes_at_every_verb_is_undecided() -> None:
    async def hangs_up(session: LabSession, argument: bytes) -> bytes:
        del session, argument
        raise HangUpError

    verbs = ("TURN", "ATRN", "DEBUG", "WIZ", "KILL", "XADR", "SEND", "SOML", "SAML")
    closing = replace(SOUND, commands=dict.fromkeys(verbs, hangs_up))
    assert verdict(closing, sequences.old_verbs, canary=False) is UNDECIDED


def test_send_that_is_done_and_does_not_relay_is_safe() -> None:
    async def well(session: LabSession, argument: bytes) -> bytes:
        session.sender = argument[5:]
        return b"250 2.1.0 shown on the terminal"

    showing = replace(SOUND, commands={"SEND": well})
    assert verdict(showing, sequences.old_verbs, canary=False) is SAFE
