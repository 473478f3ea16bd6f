"""Positive controls: is a refusal a rule of the server's, or does it refuse us anyway?

Three things must go well: the server answers, a local recipient is taken, and good
credentials sign in. What went well at first is asked again after each group of probes;
if it now fails, what was found since it last went well is worth nothing. Where a
recipient or an account was named and is refused from the start, or none was named, the
results prove less, and a note says so.
"""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from sekisho.audit.budget import Budget, spent_text
from sekisho.audit.conversation import Conversation, HindranceError
from sekisho.audit.hindrances import told
from sekisho.audit.names import Wanted
from sekisho.audit.visit import Account, Names, Visit, spelled
from sekisho.model.reply import Reply
from sekisho.model.text import Text

SIGNED_IN = 235
AUTH_WANTED = 530
PASSWORD_MECHANISMS = frozenset({"PLAIN", "LOGIN"})
TRIES = 3
SECONDS_BETWEEN_TRIES = 1.0
"""A server that counts connections needs a moment to see that ours are closed."""
_GOOD = 2

Opened = Callable[[], Visit]


@dataclass(frozen=True, slots=True)
class Control:
    """One thing that has to go well.

    Attributes:
        what: What it is, for people.
        ask: Gives None where it goes well, else what stood in the way.
        essential: Without it nothing else can be asked.

    """

    what: Text
    ask: Callable[[Visit], Awaitable[Text | None]]
    essential: bool = False


ANSWERS_WHAT = Text("the server answers", "サーバーの応答")
RECIPIENT_WHAT = Text("a local recipient is taken", "ローカル宛先の受理")
SIGN_IN_WHAT = Text("good credentials sign in", "正しい資格情報でのサインイン")
NOT_HERE = Text("it cannot be asked at this port", "このポートでは実施不能")
"""No failure: a submission port wants sign-in first, a port for servers offers none."""
NO_CONTROL = Text(
    "no positive control could be run (name a local recipient with --domain and "
    "--known-user, or an account with --user): refusals prove less, as this server "
    "may refuse us everything",
    "陽性対照を実施できず(--domain と --known-user、または --user を指定して"
    "ください)。あらゆる要求が拒否されている可能性があり、拒否の証明力は低い",
)


async def _answers(visit: Visit) -> Text | None:
    async with visit.dial() as conversation:
        reply = await conversation.ehlo()
        await conversation.quit()
    return None if _well(reply) else _said("EHLO", reply)


async def _recipient(visit: Visit) -> Text | None:
    local = visit.names.known or "postmaster"
    async with visit.ready() as conversation:
        lines = ("MAIL FROM:<spamtest@{X}>", f"RCPT TO:<{local}@{{D}}>")
        for line in lines:
            reply = await conversation.say(visit.text(line))
            if reply.code == AUTH_WANTED:
                return NOT_HERE
            if not _well(reply):
                return _said(visit.text(line), reply)
        await conversation.say("RSET")
        await conversation.quit()
    return None


async def _sign_in(visit: Visit) -> Text | None:
    account = visit.account
    if account is None:
        return None
    async with visit.ready() as conversation:
        if not conversation.offers.mechanisms & PASSWORD_MECHANISMS:
            return NOT_HERE
        reply = await sign_in(conversation, account)
        if reply.code == SIGNED_IN:
            await conversation.quit()
            return None
    return _said("AUTH", reply)


async def sign_in(conversation: Conversation, account: Account) -> Reply:
    """Sign in by what is offered of PLAIN and LOGIN; the last reply."""
    user, password = account.user.encode(), account.password.encode()
    token = b"\0" + user + b"\0" + password
    for secret in (password, token):
        conversation.transcript.hide(secret)
    if "PLAIN" not in conversation.offers.mechanisms:
        await conversation.say("AUTH LOGIN")
        reply = await conversation.say(b64encode(user))
        wanted = reply.code == 334  # noqa: PLR2004 - RFC 4954
        return await conversation.say(b64encode(password)) if wanted else reply
    return await conversation.say(b"AUTH PLAIN " + b64encode(token))


def _well(reply: Reply) -> bool:
    return reply.code // 100 == _GOOD


def _said(line: str, reply: Reply) -> Text:
    said = f"{line} → {spelled(reply)}"
    return Text(said, said)


ANSWERS = Control(ANSWERS_WHAT, _answers, essential=True)
RECIPIENT = Control(RECIPIENT_WHAT, _recipient)
SIGN_IN = Control(SIGN_IN_WHAT, _sign_in)


@dataclass(slots=True)
class Failure:
    """A control that was good, and is no more."""

    control: Control
    why: Text

    @property
    def text(self) -> Text:
        """Say it in one sentence."""
        return Text(
            f"a control that went well before now fails ({self.control.what.en}): "
            f"{self.why.en}",
            f"先に成功した対照が失敗 ({self.control.what.ja}): {self.why.ja}",
        )


@dataclass(slots=True)
class Controls:
    """Those of one port.

    Attributes:
        opened: Makes a visit; the account is in it where there is one.
        budget: The host's; a sign-in that fails takes of it.
        good: What went well last.

    """

    opened: Opened
    budget: Budget
    good: list[Control] = field(default_factory=list[Control])

    async def begin(
        self, wanted: Wanted, names: Names, account: Account | None
    ) -> tuple[Names, tuple[Text, ...]]:
        """Run all that can be run for the first time.

        Returns:
            The names, with the domain that the server takes mail for where none was
            named; and what is to be known of all results.

        """
        self.good = [ANSWERS]
        notes: list[Text] = []
        names, why = await self._local(wanted, names)
        if why not in (None, NOT_HERE):
            notes.append(_refused(RECIPIENT, why))
        if account is not None and self.budget.holds(1):
            why = await self._first(SIGN_IN, names)
            if why not in (None, NOT_HERE):
                self.budget.spend()
                notes.append(_refused(SIGN_IN, why))
        if self.good == [ANSWERS] and not notes:
            notes.append(NO_CONTROL)
        return names, tuple(notes)

    async def _local(self, wanted: Wanted, names: Names) -> tuple[Names, Text | None]:
        """Find the recipient that is taken; what is guessed may be refused."""
        if wanted.domain or names.known:
            return names, await self._first(RECIPIENT, names)
        for domain in dict.fromkeys((names.domain, names.server)):
            guessed = replace(names, domain=domain)
            if await self._first(RECIPIENT, guessed) is None:
                return guessed, None
        return names, None

    async def _first(self, control: Control, names: Names) -> Text | None:
        why = await _asked(control, self._visit(names))
        if why is None:
            self.good.append(control)
        return why

    def _visit(self, names: Names | None = None) -> Visit:
        visit = self.opened()
        if names is not None:
            visit.names = names
        return visit

    async def again(self) -> Failure | None:
        """Ask all that went well before; give the first that fails.

        One that fails is tried again after a moment; a sign-in is not, for it might
        lock the account, nor is it asked at all once the budget is spent.
        """
        for control in self.good:
            why = (
                await self._signed_in()
                if control is SIGN_IN
                else await self._tried(control)
            )
            if why is not None:
                return Failure(control, why)
        return None

    async def _tried(self, control: Control) -> Text | None:
        for _ in range(TRIES - 1):
            if await _asked(control, self._visit()) is None:
                return None
            await asyncio.sleep(SECONDS_BETWEEN_TRIES)
        return await _asked(control, self._visit())

    async def _signed_in(self) -> Text | None:
        if not self.budget.holds(1):
            return spent_text(self.budget.limit)
        why = await _asked(SIGN_IN, self._visit())
        if why is not None:
            self.budget.spend()
        return why


async def _asked(control: Control, visit: Visit) -> Text | None:
    try:
        return await control.ask(visit)
    except HindranceError as error:
        return told(error)


def _refused(control: Control, why: Text | None) -> Text:
    why = why or NOT_HERE
    return Text(
        f"a positive control failed ({control.what.en}): {why.en}; refusals prove "
        "little, as this server may refuse us everything",
        f"陽性対照が失敗 ({control.what.ja}): {why.ja}。あらゆる要求が拒否されている"
        "可能性があり、拒否の証明力は低い",
    )
