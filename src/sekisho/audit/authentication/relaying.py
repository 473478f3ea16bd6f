"""The second step of every probe of AUTH: relaying is still refused after it.

A server can say 535 and let the session relay all the same: an account for guests did
that. So mail for a foreign domain is offered in the session that just failed. What
counts is the difference: a server that relays for a session in which nobody tried to
authenticate relays for everybody, and says nothing about AUTH.
"""

from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from sekisho.audit import refusals
from sekisho.audit.conversation import ClosedError, Conversation
from sekisho.audit.verdicts import Judgement, flawed, safe, suspect, undecided
from sekisho.audit.visit import Visit, spelled
from sekisho.model.reply import Reply

SHUTTING_DOWN = 421
AUTHENTICATION_REQUIRED = 530
START_MAIL_INPUT = 354
RECIPIENT = "{C}@{X}"


class Relaying(Enum):
    """What became of mail for a foreign domain."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    ENDED = "ended"
    """The server closed: nothing can be relayed in this session any more."""
    UNCLEAR = "unclear"
    """Refused for another reason, or for now."""


def succeeded(reply: Reply) -> bool:
    """Whether it is a 2xx."""
    return reply.code < 300  # noqa: PLR2004 - RFC 5321 §4.2.1


@dataclass(frozen=True, slots=True)
class Offer:
    """What became of one offer.

    Attributes:
        outcome: In a word.
        reply: The last one, or None where the server closed without one.
        final: Another sender would be answered alike.

    """

    outcome: Relaying
    reply: Reply | None
    final: bool = True

    @property
    def said(self) -> str:
        """The reply for people."""
        return spelled(self.reply) if self.reply is not None else ""


async def offered(
    visit: Visit, conversation: Conversation, sender: str, parameters: str = ""
) -> Offer:
    """Offer mail from this sender for a foreign domain, up to RCPT."""
    at_rcpt = False
    try:
        await conversation.say("RSET")
        reply = await conversation.say(visit.text(f"MAIL FROM:<{sender}>{parameters}"))
        if succeeded(reply):
            at_rcpt = True
            reply = await conversation.say(visit.text(f"RCPT TO:<{RECIPIENT}>"))
    except ClosedError:
        return Offer(Relaying.ENDED, None)
    if reply.code == SHUTTING_DOWN:
        return Offer(Relaying.ENDED, reply)
    return read(reply, at_rcpt=at_rcpt)


def read(reply: Reply, *, at_rcpt: bool) -> Offer:
    """Read the last reply to MAIL or RCPT.

    Where the session wants AUTH or TLS first, it does not relay as it is.
    """
    if reply.code == AUTHENTICATION_REQUIRED:
        return Offer(Relaying.REFUSED, reply)
    if at_rcpt:
        meaning = refusals.at_rcpt(reply, plain=True)
    else:
        meaning = refusals.at_mail(reply)
    match meaning:
        case refusals.Meaning.TAKEN:
            return Offer(Relaying.ACCEPTED, reply)
        case refusals.Meaning.REFUSED:
            return Offer(Relaying.REFUSED, reply, final=at_rcpt)
        case refusals.Meaning.HINDERED:
            return Offer(Relaying.UNCLEAR, reply, final=False)
        case _:
            assert_never(meaning)


async def relays(
    visit: Visit, conversation: Conversation, parameters: str = ""
) -> Offer:
    """Offer it from one sender after the other, until it is clear.

    A sender may be refused for whose it is, which says nothing about relaying.
    """
    senders = ["audit@{D}", ""]
    if visit.text("{U}"):
        senders.append("{U}@{D}")
    offer = await offered(visit, conversation, senders[0], parameters)
    for sender in senders[1:]:
        if offer.final:
            break
        offer = await offered(visit, conversation, sender, parameters)
    return offer


async def delivered(visit: Visit, conversation: Conversation, header: str = "") -> bool:
    """Send a message in the transaction that is open; whether it came to the canary.

    Args:
        visit: With a canary.
        conversation: After a RCPT that was accepted.
        header: The lines ``From`` and the like; the audit's own by default.

    """
    if visit.arrived is None:
        return False
    reply = await conversation.say("DATA")
    if reply.code != START_MAIL_INPUT:
        return False
    said = (header or "From: <audit@{D}>") + (
        f"\r\nTo: <{RECIPIENT}>\r\nSubject: Sekisho audit {visit.token}"
        f"\r\nMessage-ID: <{visit.token}@{{D}}>\r\n\r\nAn audit of {{H}}.\r\n."
    )
    reply = await conversation.say(visit.text(said))
    return succeeded(reply) and await visit.arrived(visit.token)


async def second_step(visit: Visit, conversation: Conversation) -> Judgement:
    """Judge whether what was tried in this session opened it for relaying."""
    return await judged_offer(visit, conversation, await relays(visit, conversation))


async def judged_offer(
    visit: Visit, conversation: Conversation, offer: Offer
) -> Judgement:
    """Judge an offer that has to be refused."""
    said = offer.said
    match offer.outcome:
        case Relaying.REFUSED:
            return safe(
                f"refused, and relaying is refused as before: {said}",
                f"拒否され、中継も変わらず拒否された: {said}",
            )
        case Relaying.ENDED:
            return safe(
                "refused, and the server ended the session",
                "拒否され、サーバーがセッションを終了した",
            )
        case Relaying.UNCLEAR:
            return undecided(
                f"relaying was refused, but for another reason: {said}",
                f"中継は拒否されたが、別の理由による: {said}",
            )
        case Relaying.ACCEPTED:
            return await _accepted(visit, conversation, said)
        case _:
            assert_never(offer.outcome)


async def _accepted(visit: Visit, conversation: Conversation, said: str) -> Judgement:
    """Compare with a session in which nothing was tried."""
    async with visit.ready() as stranger:
        before = (await relays(visit, stranger)).outcome
    if before is Relaying.ACCEPTED:
        return undecided(
            "this server accepts foreign recipients from everybody",
            "このサーバーは誰からの外部宛てでも受け付けるため、判定できない",
        )
    if before is not Relaying.REFUSED:
        return undecided(
            f"a foreign recipient was accepted ({said}), but there is no clear "
            "refusal of a stranger to compare it with",
            f"外部宛てが受け付けられた ({said}) が、"
            "比較対象となる明確な拒否応答が得られなかった",
        )
    if await delivered(visit, conversation):
        return flawed(
            "this session relays, though strangers are refused; the message arrived",
            "通常は拒否される中継がこのセッションでは行われ、メールが実際に届いた",
        )
    return suspect(
        f"a foreign recipient is accepted, though strangers are refused: {said}",
        f"通常は拒否される外部宛てが受け付けられた: {said}",
    )
