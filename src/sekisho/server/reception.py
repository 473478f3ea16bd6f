"""One session's events carried out: facts gathered, the decision asked and done.

Data goes one way: an event of the session comes in, facts are gathered (identity,
counters, call-out), `policy` decides, and the session is answered; what passes goes on
to `sekisho.server.acceptance`. The session machine knows nothing of policy, and policy
nothing of sockets.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, ClassVar

from msgspec.structs import replace

from sekisho.auth.gatekeeper import Challenge
from sekisho.model import replies
from sekisho.model.content import Body, FileBody
from sekisho.model.decision import Decision
from sekisho.model.envelope import Recipient
from sekisho.model.facts import Facts, HeaderFacts, Offered, QuotaKey, Usage
from sekisho.model.identity import Identity
from sekisho.model.reply import Reply
from sekisho.observe.events import Alarm
from sekisho.policy.brake import refused_key
from sekisho.queue.errors import PutRefused
from sekisho.server.acceptance import Acceptance, do_nothing, used
from sekisho.server.authentication import Authentication
from sekisho.server.client import Client, Journal, account_of
from sekisho.server.collector import Collector
from sekisho.server.services import ListenerContext, Services
from sekisho.server.transaction import Transaction
from sekisho.session import events
from sekisho.session.server import ServerSession
from sekisho.shared.store import StoreUnavailableError
from sekisho.wire.header import header_facts


class Reception:
    """Carries out what one session says.

    Attributes:
        is_busy: An answer is being worked on; `resume` is called when it is there.

    """

    def __init__(
        self,
        services: Services,
        listener: ListenerContext,
        session: ServerSession,
        client: Client,
        *,
        resume: Callable[[], None],
        abort: Callable[[], None],
    ) -> None:
        self._services = services
        self._session = session
        self._client = client
        self._journal = Journal(client, services.emit)
        self._resume = resume
        self._authentication = Authentication(services, client)
        self._authentication.who = client.user
        self._acceptance = Acceptance(
            services,
            listener,
            session,
            client,
            self._journal,
            resume=self._stored,
            abort=abort,
        )
        self._transaction: Transaction | None = None
        self._task: asyncio.Task[None] | None = None
        self.is_busy = False

    @property
    def is_idle(self) -> bool:
        """Whether the session can end now without breaking anything off."""
        return self._transaction is None and not self.is_busy

    def handle(self, event: events.Event) -> None:
        """Carry out one event: answer the session now, or be busy and resume."""
        try:
            self._HANDLERS[type(event)](self, event)
        except StoreUnavailableError as error:
            self._cannot_count(error)
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing passes
            self._failed(error)

    def tls_started(self) -> None:
        """Forget what was said in the clear (RFC 3207 §4.2)."""
        self._authentication.forget()
        self._drop_transaction()

    def abandon(self) -> None:
        """Forget everything: the client has gone. What the queue has, it keeps."""
        if self._task is not None:
            self._task.cancel()
        self._authentication.cancel()
        self._drop_transaction()
        self._acceptance.abandon()
        self._resume = do_nothing

    # MAIL and RCPT

    def _sender(self, event: events.SenderOffered) -> None:
        services, session, envelope = self._services, self._session, event.envelope
        who = self._authentication.who
        if services.draining:
            session.refuse(replies.SHUTTING_DOWN)
            return
        if isinstance(who, Identity) and not services.is_current(who):
            # Identity is not for ever: the account was changed since.
            session.refuse(replies.STALE_IDENTITY)
            return
        self._transaction = transaction = Transaction(envelope, Collector(services))
        if not services.queue.has_room():
            reason = "free disk is below min_free_bytes"
            self._refuse(replies.STORAGE_LOW, "storage", reason)
            self._transaction = None
            session.answer(replies.STORAGE_LOW)
            return
        try:
            if services.policy.counts(self._client.listener, self._client.address, who):
                services.quotas.look()
            decision = self._decide(transaction, (), None)
        except StoreUnavailableError as error:
            self._cannot_count(error)
            self._drop_transaction()
            return
        if not decision.accepts:
            self._refuse(decision.reply, decision.rule, decision.reason)
            self._transaction = None
        session.answer(decision.reply)

    def _recipient(self, event: events.RecipientOffered) -> None:
        transaction, policy = self._transaction, self._services.policy
        recipient = event.recipient
        if transaction is None:
            self._session.answer(replies.BAD_SEQUENCE)
            return
        if not recipient.address.domain:
            # <postmaster> without a domain is ours alone (RFC 5321 §4.5.1).
            recipient = replace(recipient, address=policy.rules.postmaster)
        offered = Offered(recipient.address)
        decision = self._decide(transaction, (offered,), None)
        if not decision.accepts:
            self._recipient_refused(recipient, decision)
        elif not decision.grant and self._client_sends_too_much():
            reply = replies.TOO_MANY_CLIENT_MESSAGES
            reason = "max_messages_per_client_per_hour is reached"
            self._refuse(reply, "client-rate", reason, recipient)
            self._session.answer(reply)
        elif policy.wants_callout(recipient.address):
            self._later(self._ask_host(transaction, recipient))
        else:
            transaction.add(recipient, offered)
            self._session.answer(decision.reply)

    async def _ask_host(self, transaction: Transaction, recipient: Recipient) -> None:
        standing = await self._services.callout.ask(recipient.address)
        offered = Offered(recipient.address, standing)
        decision = self._decide(transaction, (offered,), None)
        if decision.accepts:
            transaction.add(recipient, offered)
            self._session.answer(decision.reply)
        else:
            self._recipient_refused(recipient, decision)

    def _recipient_refused(self, recipient: Recipient, decision: Decision) -> None:
        self._refuse(decision.reply, decision.rule, decision.reason, recipient)
        self._count_refused()
        self._session.answer(decision.reply)

    def _count_refused(self) -> None:
        """Count a refused recipient for the brake; it is refused in any case."""
        services, who = self._services, self._authentication.who
        most = services.policy.rules.brake.refused_recipients_per_hour
        if most and isinstance(who, Identity):
            with (
                suppress(StoreUnavailableError),
                services.quotas.counting(services.clock()) as usage,
            ):
                usage.add(refused_key(who.account), 0, 1)

    def _client_sends_too_much(self) -> bool:
        services = self._services
        if account_of(self._authentication.who):
            return False
        sent = services.clients.messages_last_hour(
            self._client.address, services.ticks()
        )
        return sent >= services.limits.max_messages_per_client_per_hour

    # Content

    def _started(self, event: events.ContentStarted) -> None:
        del event
        self._session.answer(replies.START_DATA)

    def _content(self, event: events.ContentReceived) -> None:
        if self._transaction is not None:
            collector = self._transaction.collector
            collector.add(event.data)
            if collector.must_spill:
                self._later(collector.spill())

    def _aborted(self, event: events.ContentAborted) -> None:
        self._refuse(event.reply, "content", "the content broke a rule")
        self._drop_transaction()

    def _completed(self, event: events.ContentCompleted) -> None:
        del event
        transaction = self._transaction
        if transaction is None:
            self._session.answer(replies.BAD_SEQUENCE)
        elif transaction.collector.is_inline:
            self._whole(transaction, transaction.collector.inline())
        else:
            self._later(self._finish_file(transaction))

    async def _finish_file(self, transaction: Transaction) -> None:
        try:
            body = await transaction.collector.finish_file()
        except PutRefused as error:
            self._refuse(replies.STORAGE_LOW, "storage", str(error))
            self._drop_transaction()
            self._session.answer(replies.STORAGE_LOW)
        else:
            self._whole(transaction, body)

    def _whole(self, transaction: Transaction, body: Body) -> None:
        """Decide on a message whose content is whole."""
        header, offered = (
            header_facts(transaction.collector.header),
            tuple(transaction.offered),
        )
        try:
            # Counted before it is stored: two sessions cannot both use the last.
            with self._services.quotas.counting(self._services.clock()) as usage:
                decision = self._decide(transaction, offered, header, usage)
                for key, recipients in used(decision):
                    usage.add(key, 1, recipients)
        except StoreUnavailableError as error:
            self._cannot_count(error)
            self._drop_transaction()
            if isinstance(body, FileBody):
                self._services.queue.bodies.remove(body)
            return
        if decision.accepts:
            self._transaction = None
            who = self._authentication.who
            self._acceptance.store(transaction, body, decision, who)
            self.is_busy = True
            return
        self._refuse(decision.reply, decision.rule, decision.reason)
        self._transaction = None
        if isinstance(body, FileBody):
            self._services.queue.bodies.remove(body)
        self._session.answer(decision.reply)

    def _stored(self) -> None:
        self.is_busy = False
        self._resume()

    # The rest

    def _decide(
        self,
        transaction: Transaction,
        recipients: tuple[Offered, ...],
        header: HeaderFacts | None,
        usage: Mapping[QuotaKey, Usage] | None = None,
    ) -> Decision:
        services, client = self._services, self._client
        now = services.clock()
        return services.policy.decide(
            Facts(
                listener=client.listener,
                client=client.address,
                tls=client.is_private,
                reverse_path=transaction.envelope.reverse_path,
                now=now,
                who=self._authentication.who,
                recipients=recipients,
                header=header,
                usage=services.quotas.view(now) if usage is None else usage,
            )
        )

    def _reset(self, event: events.TransactionReset) -> None:
        del event
        self._drop_transaction()

    def _auth_begins(self, event: events.AuthRequested) -> None:
        step = self._authentication.begin(event.mechanism, event.initial)
        self._later(self._auth(step))

    def _auth_goes_on(self, event: events.AuthResponded) -> None:
        self._later(self._auth(self._authentication.respond(event.data)))

    def _auth_cancelled(self, event: events.AuthCancelled) -> None:
        del event
        self._authentication.cancel()

    def _command_refused(self, event: events.CommandRefused) -> None:
        self._journal.command_refused(event.command, event.reply)

    def _of_connection(self, event: events.TlsRequested | events.SessionEnded) -> None:
        """Nothing: it is the connection's business, which has seen to it."""

    async def _auth(self, step: Coroutine[Any, Any, Reply | Challenge]) -> None:
        answer = await step
        if isinstance(answer, Challenge):
            self._session.challenge(answer.data)
        else:
            self._session.answer(answer)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Work on an answer while the session waits."""
        self.is_busy = True
        self._task = asyncio.ensure_future(work)
        self._task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._task = None
        self.is_busy = self._acceptance.is_storing
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, StoreUnavailableError):
            self._cannot_count(error)
        elif error is not None:
            self._failed(error)
        self._resume()

    def _cannot_count(self, error: StoreUnavailableError) -> None:
        """What the workers share is lost, and with it what the answer hangs on."""
        self._refuse(replies.TRY_LATER, "shared-store", str(error))
        self._session.answer(replies.TRY_LATER)

    def _failed(self, error: BaseException) -> None:
        """Every doubt is a refusal: what nobody foresaw ends the session."""
        detail = f"{type(error).__name__}: {error}"
        self._services.emit(Alarm("a session failed", detail))
        self._drop_transaction()
        self._session.refuse(replies.LOCAL_ERROR)

    def _drop_transaction(self) -> None:
        if self._transaction is not None:
            self._transaction.collector.discard()
            self._transaction = None

    def _refuse(
        self, reply: Reply, rule: str, reason: str, to: Recipient | None = None
    ) -> None:
        transaction = self._transaction
        self._journal.mail_refused(
            reply=reply,
            rule=rule,
            reason=reason,
            sender=str(transaction.envelope.reverse_path) if transaction else "",
            to=str(to.address) if to else "",
            who=self._authentication.who,
        )

    # The key is the type of the value's argument, which no annotation can say.
    _HANDLERS: ClassVar[Mapping[type[events.Event], Callable[[Any, Any], None]]] = {
        events.SenderOffered: _sender,
        events.RecipientOffered: _recipient,
        events.ContentStarted: _started,
        events.ContentReceived: _content,
        events.ContentCompleted: _completed,
        events.ContentAborted: _aborted,
        events.TransactionReset: _reset,
        events.TlsRequested: _of_connection,
        events.AuthRequested: _auth_begins,
        events.AuthResponded: _auth_goes_on,
        events.AuthCancelled: _auth_cancelled,
        events.CommandRefused: _command_refused,
        events.SessionEnded: _of_connection,
    }
