"""The end of a message's content: store it, and only then say 250.

The order here carries the second promise: the content is whole, `policy` has decided,
the row is on disk, and only then is the client told. A message that is on disk goes on
its way even if its client has gone meanwhile.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from sekisho.model import replies
from sekisho.model.content import Body, Content, FileBody
from sekisho.model.decision import Decision, Verdict
from sekisho.model.facts import QuotaKey
from sekisho.model.identity import Who
from sekisho.model.message import Message
from sekisho.policy.brake import SENT
from sekisho.queue.errors import PutRefused
from sekisho.report.trace import Trace, missing_fields, received_field
from sekisho.server.client import Client, Journal, account_of
from sekisho.server.services import ListenerContext, Services
from sekisho.server.transaction import Transaction
from sekisho.session.server import ServerSession
from sekisho.shared.store import StoreUnavailableError
from sekisho.wire.header import begins_with_field, rewrite_from


def used(decision: Decision) -> list[tuple[QuotaKey, int]]:
    """What a decision counts: quotas, and how many recipients passed by each."""
    rulings = decision.rulings
    return [
        (
            key,
            len(rulings)
            if key.grant == SENT
            else sum(ruling.grant == key.grant for ruling in rulings),
        )
        for key in decision.counted
    ]


def do_nothing() -> None:
    """What is left to do for a client that has gone."""


class Acceptance:
    """Takes whole messages of one session into the queue.

    Attributes:
        is_storing: The queue has not answered yet.

    """

    __slots__ = (
        "_abort",
        "_client",
        "_journal",
        "_listener",
        "_resume",
        "_services",
        "_session",
        "is_storing",
    )

    def __init__(  # noqa: PLR0913 - one caller
        self,
        services: Services,
        listener: ListenerContext,
        session: ServerSession,
        client: Client,
        journal: Journal,
        *,
        resume: Callable[[], None],
        abort: Callable[[], None],
    ) -> None:
        self._services = services
        self._listener = listener
        self._session = session
        self._client = client
        self._journal = journal
        self._resume = resume
        self._abort = abort
        self.is_storing = False

    def abandon(self) -> None:
        """Tell the connection nothing any more: it has gone.

        It and its TLS would otherwise be garbage that only a collection finds.
        """
        self._resume = self._abort = do_nothing

    def store(
        self, transaction: Transaction, body: Body, decision: Decision, who: Who
    ) -> None:
        """Hand an accepted message to the queue; the session is answered later."""
        services = self._services
        message = self._message(transaction, body, decision, who)
        if not decision.grant and not account_of(who):
            services.clients.sent(self._client.address, services.ticks())
        stored = services.queue.put(message, decision)
        self.is_storing = True
        stored.add_done_callback(partial(self._stored, message, decision, who))

    def _message(
        self, transaction: Transaction, body: Body, decision: Decision, who: Who
    ) -> Message:
        services, client = self._services, self._client
        header, envelope = transaction.collector.header, transaction.whole_envelope()
        now, hostname = services.clock(), services.policy.rules.hostname
        account, id_ = account_of(who), services.new_id(now)
        prefix = received_field(
            Trace(
                hostname=hostname,
                greeting_name=self._session.greeting_name,
                client=client.text,
                esmtp=self._session.esmtp,
                lmtp=self._session.lmtp,
                smtputf8=envelope.smtputf8,
                tls_version=client.tls_version,
                tls_cipher=client.tls_cipher,
                authenticated=bool(account),
                account=account if services.shows_user else "",
                id=id_,
                # Only a lone recipient is named: others are none of his business.
                for_recipient=envelope.recipients[0].address
                if len(envelope.recipients) == 1
                else None,
                now=now,
            )
        )
        if self._listener.adds_missing_fields:
            prefix += missing_fields(header, id=id_, hostname=hostname, now=now)
        if not begins_with_field(header):
            prefix += b"\r\n"
        skip = 0
        if decision.rewrite_from is not None:
            prefix += rewrite_from(header, decision.rewrite_from)
            skip = len(header)
        return Message(
            id=id_,
            envelope=envelope,
            content=Content(prefix, body, skip),
            received_at=now,
            source=f"{client.listener} {client.text} {account}".rstrip(),
        )

    def _stored(
        self,
        message: Message,
        decision: Decision,
        who: Who,
        stored: asyncio.Future[None],
    ) -> None:
        """The queue has answered: say 250, or say why not, or say nothing at all."""
        self.is_storing = False
        if stored.cancelled():
            self._abort()
            return
        error = stored.exception()
        if error is None:
            if decision.verdict is Verdict.ACCEPT:
                self._services.accepted(message)
            elif alarm := self._services.bell.ring(
                account_of(who), decision.reason, message.received_at
            ):
                self._services.emit(alarm)
            self._journal.mail_accepted(message, decision, who)
            self._session.answer(replies.queued(str(message.id)))
        elif isinstance(error, PutRefused):
            if isinstance(body := message.content.body, FileBody):
                self._services.queue.bodies.remove(body)
            with suppress(StoreUnavailableError):
                self._services.quotas.give_back(used(decision), message.received_at)
            self._journal.mail_refused(
                reply=replies.STORAGE_LOW,
                rule="storage",
                reason=str(error),
                sender=str(message.envelope.reverse_path),
                to="",
                who=who,
            )
            self._session.answer(replies.STORAGE_LOW)
        else:
            # A commit that failed: nobody knows what is on disk, so nobody is told.
            self._abort()
            return
        self._resume()
