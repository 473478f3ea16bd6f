"""Servers that count papers where, or as long as, they are none."""

from dataclasses import replace

from sekisho.audit.lab import sound, verbs
from sekisho.audit.lab.exchange_flaws import anyone_sends, of_anyone, offering
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.manners import SOUND, Command, Mechanism
from sekisho.audit.lab.session import ExchangeEndedError, LabSession
from sekisho.model.text import Text

TRUSTED_NAMES = frozenset({b"localhost", b"[127.0.0.1]", sound.DOMAIN})


async def _starttls_again(session: LabSession, argument: bytes) -> bytes | None:
    if session.secured:
        return b"220 2.0.0 go on"
    return await verbs.starttls(session, argument)


async def _forgetful_rset(session: LabSession, argument: bytes) -> bytes:
    del session, argument
    return b"250 2.0.0 forgotten"


async def _auth_twice(session: LabSession, argument: bytes) -> bytes:
    session.identity = ""
    return await verbs.auth(session, argument)


async def _auth_within(session: LabSession, argument: bytes) -> bytes:
    sender, session.sender = session.sender, None
    reply = await verbs.auth(session, argument)
    session.sender = sender
    return reply


def _remembering(mechanism: Mechanism) -> Mechanism:
    """Remember who tried, whether it went well or not."""

    async def remembers(session: LabSession, initial: bytes | None) -> bytes:
        reply = await mechanism(session, initial)
        session.identity = session.identity or "somebody"
        return reply

    return remembers


def _remembering_aborts(mechanism: Mechanism) -> Mechanism:
    async def remembers(session: LabSession, initial: bytes | None) -> bytes:
        try:
            return await mechanism(session, initial)
        except ExchangeEndedError:
            session.identity = "somebody"
            raise

    return remembers


async def _ahead(session: LabSession, initial: bytes | None) -> bytes:
    """Let commands that wait already run as if AUTH had succeeded."""
    if session.input:
        session.identity = "somebody"
    return await sound.plain(session, initial)


def _by_parameter(session: LabSession, argument: bytes) -> bytes:
    if b" AUTH=postmaster" in argument:
        session.identity = "postmaster"
    return anyone_sends(session, argument)


async def _xclient(session: LabSession, argument: bytes) -> bytes:
    del argument
    session.identity = "admin"
    return b"220 " + session.manners.greeting


async def _proxy(session: LabSession, argument: bytes) -> None:
    del session, argument


def _by_name(session: LabSession, argument: bytes) -> bytes:
    reply = sound.knows(session, argument)
    trusted = session.ehlo in TRUSTED_NAMES and reply == sound.RELAYING_DENIED
    return sound.TAKEN if trusted else reply


def _for_everybody(session: LabSession, argument: bytes) -> bytes:
    reply = sound.knows(session, argument)
    return sound.TAKEN if reply == sound.RELAYING_DENIED else reply


_EARLY: dict[str, Command] = {"PROXY": _proxy}
IN_CLEAR = replace(SOUND, auth_in_clear=True)

STATE_FLAWS: tuple[Flaw, ...] = (
    Flaw(
        name="auth-in-clear",
        title=Text("AUTH is offered without TLS", "TLS なしで AUTH を提供する"),
        probes=("AUTH-050",),
        manners=IN_CLEAR,
    ),
    Flaw(
        name="auth-survives-starttls",
        title=Text(
            "Who signed in before STARTTLS still is after it",
            "STARTTLS の前の認証状態が残る",
        ),
        probes=("AUTH-051",),
        manners=replace(IN_CLEAR, keeps_over_starttls=frozenset({"identity"})),
        twin=IN_CLEAR,
    ),
    Flaw(
        name="ehlo-survives-starttls",
        title=Text(
            "EHLO is remembered over STARTTLS", "STARTTLS の前の EHLO が有効なまま残る"
        ),
        probes=("AUTH-052",),
        manners=replace(SOUND, keeps_over_starttls=frozenset({"ehlo"})),
    ),
    Flaw(
        name="starttls-twice",
        title=Text("STARTTLS is taken within TLS", "TLS 内で STARTTLS を受け付ける"),
        probes=("AUTH-053",),
        manners=replace(SOUND, commands={"STARTTLS": _starttls_again}),
    ),
    Flaw(
        name="rset-forgets-nothing",
        title=Text(
            "RSET leaves the transaction open", "RSET の後もトランザクションが残る"
        ),
        probes=("AUTH-054",),
        manners=replace(SOUND, commands={"RSET": _forgetful_rset}),
    ),
    Flaw(
        name="auth-twice",
        title=Text("One may sign in twice", "再び認証できる"),
        probes=("AUTH-055",),
        manners=replace(SOUND, commands={"AUTH": _auth_twice}),
    ),
    Flaw(
        name="auth-within-mail",
        title=Text(
            "One may sign in within a transaction",
            "トランザクションの途中で認証できる",
        ),
        probes=("AUTH-056",),
        manners=replace(SOUND, commands={"AUTH": _auth_within}),
    ),
    Flaw(
        name="relays-after-failure",
        title=Text(
            "Who failed to sign in may relay", "認証に失敗した利用者が中継できる"
        ),
        probes=("AUTH-057",),
        manners=of_anyone(offering({"PLAIN": _remembering(sound.plain)})),
    ),
    Flaw(
        name="relays-after-abort",
        title=Text(
            "Who gave up signing in may relay", "認証を中断した利用者が中継できる"
        ),
        probes=("AUTH-058",),
        manners=of_anyone(offering({"LOGIN": _remembering_aborts(sound.login)})),
    ),
    Flaw(
        name="pipelined-auth",
        title=Text(
            "What waits behind AUTH runs as if it had succeeded",
            "AUTH と同時に届いた命令が認証済みとして実行される",
        ),
        probes=("AUTH-059",),
        manners=of_anyone(offering({"PLAIN": _ahead})),
    ),
    Flaw(
        name="auth-parameter",
        title=Text(
            "AUTH= of MAIL is authentication", "MAIL の AUTH= が認証とみなされる"
        ),
        probes=("AUTH-060",),
        manners=replace(of_anyone(SOUND), takes_sender=_by_parameter),
    ),
    Flaw(
        name="xclient",
        title=Text("XCLIENT is taken from anybody", "誰からの XCLIENT でも受け入れる"),
        probes=("AUTH-061",),
        manners=replace(SOUND, commands={"XCLIENT": _xclient}),
    ),
    Flaw(
        name="proxy-header",
        title=Text(
            "A PROXY header is taken from anybody",
            "誰からの PROXY ヘッダーでも受け入れる",
        ),
        probes=("AUTH-061",),
        manners=replace(SOUND, forgives_early_talkers=True, commands=_EARLY),
        twin=replace(SOUND, forgives_early_talkers=True),
    ),
    Flaw(
        name="trusted-name",
        title=Text("A name in EHLO is trusted", "EHLO の名前を信用する"),
        probes=("AUTH-062",),
        manners=replace(SOUND, knows=_by_name),
    ),
    Flaw(
        name="auth-not-needed",
        title=Text(
            "AUTH is offered, and nobody needs it",
            "AUTH を提供するが、認証なしで中継する",
        ),
        probes=("AUTH-064",),
        manners=replace(SOUND, knows=_for_everybody),
    ),
)
