"""Carrying out relay forms: MAIL, RCPT, and where a canary watches, the message.

Servers slow down or close after some refusals (Exim after three syntax errors, Postfix
from the tenth error on), so a connection is used for three forms and then left.
"""

from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from sekisho.audit.conversation import ClosedError, Conversation
from sekisho.audit.refusals import Meaning, at_mail, at_rcpt
from sekisho.audit.relay_forms import ENCODED_PLUS, STRANGER, Form, Whose
from sekisho.audit.verdicts import (
    Judgement,
    Verdict,
    flawed,
    not_applicable,
    safe,
    suspect,
    undecided,
)
from sekisho.audit.visit import Visit, spelled
from sekisho.model.reply import Reply

FORMS_PER_CONNECTION = 3
GO_ON = 354
_WORST_FIRST = (
    Verdict.FLAWED,
    Verdict.SUSPECT,
    Verdict.UNDECIDED,
    Verdict.SAFE,
    Verdict.NOT_APPLICABLE,
)


def worst(judgements: Iterable[Judgement]) -> Judgement:
    """Give the worst, and of several such the first."""
    return min(judgements, key=lambda judgement: _WORST_FIRST.index(judgement.verdict))


def is_taken(reply: Reply) -> bool:
    """Whether it is a 2xx."""
    return reply.code // 100 == 2  # noqa: PLR2004 - the class of RFC 5321 §4.2.1


def message(visit: Visit) -> bytes:
    """Write the canary's message, its end included."""
    lines = (
        "From: <spamtest@{X}>",
        "To: <{C}@{X}>",
        "Subject: sekisho audit {C}",
        "Message-ID: <{C}@{X}>",
        "",
        "A test message of an audit of this server; nothing has to be done.",
        ".",
        "",
    )
    return visit.text("\r\n".join(lines)).encode()


async def hand_over(conversation: Conversation, visit: Visit) -> Reply:
    """Say DATA, and the message where it is wanted; the last reply."""
    reply = await conversation.say("DATA")
    if reply.code != GO_ON:
        return reply
    await conversation.send(message(visit))
    return await conversation.reply()


def accepted(said: str) -> Judgement:
    """Judge a foreign recipient that was taken, where no canary watches."""
    return suspect(
        f"accepted at RCPT, not yet proved: {said}",
        f"RCPT で受理(中継は未証明): {said}",
    )


async def prove(conversation: Conversation, visit: Visit, said: str) -> Judgement:
    """Judge what was taken: hand a message over where a canary watches.

    Args:
        conversation: With a recipient taken.
        visit: The probe's.
        said: What was taken, and how it was answered.

    """
    if visit.arrived is None:
        return accepted(said)
    reply = await hand_over(conversation, visit)
    if not is_taken(reply):
        return suspect(
            f"accepted at RCPT, but not the message ({spelled(reply)}): {said}",
            f"RCPT で受理、本文は拒否 ({spelled(reply)}): {said}",
        )
    if await visit.arrived(visit.token):
        return flawed(
            f"relayed, the canary has arrived: {said}",
            f"中継を確認(カナリアが到着): {said}",
        )
    return suspect(
        f"accepted with the message, but no canary came within the wait: {said}",
        f"本文まで受理、待ち時間内にカナリアは未到着: {said}",
    )


@dataclass(slots=True)
class Asker:
    """Asks forms one after another, over as many connections as they need."""

    visit: Visit
    _stack: AsyncExitStack
    _conversation: Conversation | None = None
    _asked: int = 0
    _beside: dict[str, bool] | None = None

    async def ask(self, form: Form) -> Judgement:
        """Ask one form, on a fresh connection if this one is used up or closed."""
        try:
            return await self._ask(await self._connected(), form)
        except ClosedError:
            await self._leave()
        try:
            return await self._ask(await self._connected(), form)
        except ClosedError:
            await self._leave()
            said = self._spelled(form)
            return undecided(
                f"the server closes the connection at: {said}",
                f"次の要求で接続が切断: {said}",
            )

    async def _connected(self) -> Conversation:
        if self._asked >= FORMS_PER_CONNECTION:
            await self._leave()
        if self._conversation is None:
            self._conversation = await self._stack.enter_async_context(
                self.visit.ready()
            )
        elif self._asked:
            await self._conversation.say("RSET")
        self._asked += 1
        return self._conversation

    async def _leave(self) -> None:
        if self._conversation is not None:
            await self._conversation.quit()
        self._conversation, self._asked = None, 0
        await self._stack.aclose()

    def _recipient(self, form: Form) -> str:
        if not form.recipient.startswith(ENCODED_PLUS):
            return self.visit.text(form.recipient)
        canary = self.visit.text("{C}").replace("+", "+2B")
        return self.visit.text(form.recipient.replace("{C}", canary))

    def _spelled(self, form: Form) -> str:
        sender, recipient = (
            self.visit.text(form.sender),
            self.visit.text(form.recipient),
        )
        return f"MAIL FROM:{sender}, RCPT TO:{recipient}".encode(
            "ascii", "backslashreplace"
        ).decode()

    async def _ask(self, conversation: Conversation, form: Form) -> Judgement:
        if form.keyword and form.keyword not in conversation.offers.keywords:
            return not_applicable(
                f"{form.keyword} is not offered", f"{form.keyword} の提供なし"
            )
        text, said = self.visit.text, self._spelled(form)
        if "{U}" in form.sender + form.recipient and not text("{U}"):
            return not_applicable("no local user is named", "既知の利用者の指定なし")
        meaning, reply = await self._answer(conversation, form)
        said = f"{said} → {spelled(reply)}"
        match meaning:
            case Meaning.REFUSED:
                return safe(f"refused: {said}", f"拒否: {said}")
            case Meaning.HINDERED:
                return undecided(
                    f"refused for another reason: {said}", f"別の理由による拒否: {said}"
                )
            case Meaning.TAKEN:
                return await self._taken(conversation, form, said)

    async def _answer(
        self, conversation: Conversation, form: Form
    ) -> tuple[Meaning, Reply]:
        """Say it; what the last reply means."""
        text = self.visit.text
        for line in form.before:
            await conversation.say(text(line))
        reply = await conversation.say("MAIL FROM:" + text(form.sender))
        meaning = at_mail(reply, odd=form.is_odd_sender)
        if meaning is not Meaning.TAKEN and form.sender_is_habit:
            # Any other sender would do as well; the recipient is the question.
            reply = await conversation.say("MAIL FROM:" + text(STRANGER))
            meaning = at_mail(reply)
        if meaning is Meaning.TAKEN:
            reply = await conversation.say("RCPT TO:" + self._recipient(form))
            meaning = at_rcpt(reply, plain=form.is_plain)
        return meaning, reply

    async def _taken(
        self, conversation: Conversation, form: Form, said: str
    ) -> Judgement:
        watched = self.visit.arrived is not None and form.carries
        judgement = (
            await prove(conversation, self.visit, said) if watched else accepted(said)
        )
        if form.whose is Whose.FOREIGN or judgement.verdict is Verdict.FLAWED:
            return judgement
        if form.whose is Whose.OURS and await self._refuses_unknown(form):
            return suspect(
                f"accepted, though an unknown user beside it is refused: {said}",
                f"同じドメインの未知の利用者は拒否されるのに受理: {said}",
            )
        return undecided(
            f"accepted, perhaps for a mailbox of its own; only a canary shows: {said}",
            f"受理。自ドメイン宛てと解釈した可能性あり(判定にはカナリアが必要): {said}",
        )

    async def _refuses_unknown(self, form: Form) -> bool:
        """Ask the unknown user beside the form, on a connection of its own."""
        self._beside = self._beside or {}
        if form.beside not in self._beside:
            async with self.visit.ready() as conversation:
                await conversation.say("MAIL FROM:" + self.visit.text(form.sender))
                reply = await conversation.say(
                    "RCPT TO:" + self.visit.text(form.beside)
                )
            refused = at_rcpt(reply, plain=False) is Meaning.REFUSED
            self._beside[form.beside] = refused
        return self._beside[form.beside]


async def ask_forms(visit: Visit, *, forms: tuple[Form, ...]) -> Judgement:
    """Ask all forms; the worst counts, and a proof ends it."""
    judgements: list[Judgement] = []
    async with AsyncExitStack() as stack:
        asker = Asker(visit, stack)
        for form in forms:
            judgements.append(await asker.ask(form))
            if judgements[-1].verdict is Verdict.FLAWED:
                break
    return worst(judgements)
