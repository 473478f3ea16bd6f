"""The client of one session: what is known of it, and what is logged of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sekisho.auth.gatekeeper import AuthContext
from sekisho.model.decision import Decision
from sekisho.model.identity import NOBODY, Identity, Who
from sekisho.model.message import Message
from sekisho.model.reply import Reply
from sekisho.model.rules import IPAddress
from sekisho.observe.events import CommandRefused, Event, MailAccepted, MailRefused


@dataclass(slots=True)
class Client:
    """Who is at the other end of a session.

    Attributes:
        address: Unmapped; behind a PROXY header the one it names.
        text: The address for logs.
        session_id: The session's name in the log.
        listener: The listener's name.
        tls_version: Such as ``TLSv1.3``; empty without TLS.
        tls_cipher: The cipher suite's name; empty without TLS.
        channel_binding: ``tls-server-end-point`` of the handshake's certificate.
        certificate: The client's, in DER; empty where the handshake brought none.
        user: Who the kernel says it is, on a Unix socket; else nobody.
        messages: How many of its messages were accepted.
        refused: How many of its commands and messages were refused.

    """

    address: IPAddress
    text: str
    session_id: str
    listener: str
    tls_version: str = ""
    tls_cipher: str = ""
    channel_binding: bytes = b""
    certificate: bytes = field(default=b"", repr=False)
    user: Who = NOBODY
    messages: int = 0
    refused: int = 0

    @property
    def is_private(self) -> bool:
        """Whether nobody can listen in: TLS, or a socket of this machine."""
        return bool(self.tls_version) or self.user is not NOBODY

    def auth_context(self) -> AuthContext:
        """What an AUTH exchange may know of it."""
        return AuthContext(
            client=self.address,
            listener=self.listener,
            channel_binding=self.channel_binding,
            session=self.session_id,
            certificate=self.certificate,
        )


class Journal:
    """Writes down what happened in one session, for log and timeline."""

    __slots__ = ("_client", "_emit")

    def __init__(self, client: Client, emit: Callable[[Event], None]) -> None:
        self._client = client
        self._emit = emit

    def command_refused(self, command: str, reply: Reply) -> None:
        """Note that the session refused a command by itself."""
        client = self._client
        client.refused += 1
        self._emit(
            CommandRefused(
                session=client.session_id,
                client=client.text,
                command=command,
                reply=str(reply),
            )
        )

    def mail_refused(
        self, *, reply: Reply, rule: str, reason: str, sender: str, to: str, who: Who
    ) -> None:
        """Note that a sender, a recipient or a message was refused, and why."""
        client = self._client
        client.refused += 1
        self._emit(
            MailRefused(
                session=client.session_id,
                listener=client.listener,
                client=client.text,
                reverse_path=sender,
                recipient=to,
                account=account_of(who),
                reply=str(reply),
                rule=rule,
                reason=reason,
            )
        )

    def mail_accepted(self, message: Message, decision: Decision, who: Who) -> None:
        """Note that a message is on disk."""
        client, envelope = self._client, message.envelope
        client.messages += 1
        self._emit(
            MailAccepted(
                message=str(message.id),
                session=client.session_id,
                listener=client.listener,
                client=client.text,
                reverse_path=str(envelope.reverse_path),
                recipients=[str(one.address) for one in envelope.recipients],
                size_bytes=message.content.size,
                rule=decision.rule,
                reason=decision.log_only or decision.reason,
                grant=decision.grant,
                account=account_of(who),
                tls=client.tls_version,
            )
        )


def account_of(who: Who) -> str:
    """The account's name, or empty for nobody."""
    return who.account if isinstance(who, Identity) else ""
