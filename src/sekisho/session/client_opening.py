"""From the greeting to readiness: EHLO or HELO or LHLO, STARTTLS, AUTH.

Each reply leads to one `Move`: the next command, the handshake, readiness, or the end.
RFC 5321 §3.1 and §3.2, RFC 3207, RFC 4954, RFC 2033 (LMTP has no HELO to fall back to).
"""

import binascii
from base64 import b64encode
from typing import TYPE_CHECKING

from sekisho.model.outcome import Cause, Deferred, Failed
from sekisho.model.reply import Reply, reply
from sekisho.model.route import TlsPolicy
from sekisho.session.client_events import ClientProfile, SessionReady, TlsWanted
from sekisho.session.client_extensions import (
    NO_CAPABILITIES,
    Capabilities,
    parse_capabilities,
)
from sekisho.session.client_login import Login, LoginError, choose_login
from sekisho.session.client_transaction import (
    Command,
    ProtocolError,
    Step,
    is_done,
    refusal,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TLS_MISSING = reply(454, "4.7.5", "Next host does not offer STARTTLS")
LOGIN_NEEDS_TLS = reply(454, "4.7.5", "Login is not sent to a host without TLS")
LOGIN_NOT_OFFERED = reply(454, "4.7.0", "Next host offers no login that we speak")

_CODE_READY = 220
_CODE_AUTHENTICATED = 235
_CODE_CHALLENGE = 334
_MAX_INITIAL_OCTETS = 450
"""AUTH with more would pass the 512 octets of a command line (RFC 4954 §4)."""

Move = Command | TlsWanted | SessionReady | Deferred | Failed


class Opening:
    """How far the session has come.

    Attributes:
        offered: What the host's last EHLO offered.
        tls: TLS version, or empty.

    """

    __slots__ = ("_handlers", "_login", "_profile", "offered", "tls")

    def __init__(self, profile: ClientProfile, tls: str) -> None:
        self._profile = profile
        self._login: Login | None = None
        self.offered: Capabilities = NO_CAPABILITIES
        self.tls = tls
        self._handlers: dict[Step, Callable[[Reply], Move]] = {
            Step.GREETING: self._on_greeting,
            Step.EHLO: self._on_ehlo,
            Step.HELO: self._on_helo,
            Step.STARTTLS: self._on_starttls,
            Step.AUTH: self._on_auth,
        }

    def answered(self, step: Step, answer: Reply) -> Move:
        """Take the reply to the last command, or the greeting.

        Raises:
            ProtocolError: It makes no sense there.

        """
        return self._handlers[step](answer)

    def secured(self, version: str) -> Command:
        """Begin again under TLS: what was said in plain text is forgotten."""
        self.tls = version
        self.offered = NO_CAPABILITIES
        return self._hello()

    def _refused(self, answer: Reply) -> Deferred | Failed:
        return refusal(answer, self._profile.host)

    def _deferred(self, cause: Cause, words: Reply) -> Deferred:
        return Deferred(cause, words, self._profile.host)

    def _on_greeting(self, answer: Reply) -> Move:
        return self._hello() if answer.code == _CODE_READY else self._refused(answer)

    def _hello(self) -> Command:
        verb = "LHLO" if self._profile.lmtp else "EHLO"
        return (Step.EHLO, f"{verb} {self._profile.hostname}\r\n".encode())

    def _on_ehlo(self, answer: Reply) -> Move:
        if is_done(answer):
            self.offered = parse_capabilities(answer)
            return self._greeted()
        if answer.is_positive or answer.is_transient or self._profile.lmtp:
            return self._refused(answer)
        return (Step.HELO, f"HELO {self._profile.hostname}\r\n".encode())

    def _on_helo(self, answer: Reply) -> Move:
        return self._greeted() if is_done(answer) else self._refused(answer)

    def _greeted(self) -> Move:
        if self.tls or self._profile.tls is TlsPolicy.OFF:
            return self._log_in()
        if "STARTTLS" in self.offered.keywords:
            return (Step.STARTTLS, b"STARTTLS\r\n")
        return self._without_tls()

    def _without_tls(self) -> Move:
        if self._profile.tls is TlsPolicy.REQUIRED:
            return self._deferred(Cause.TLS, TLS_MISSING)
        return self._log_in()

    def _on_starttls(self, answer: Reply) -> Move:
        if answer.code == _CODE_READY:
            return TlsWanted()
        if answer.is_positive:
            raise ProtocolError
        return self._without_tls()

    def _log_in(self) -> Move:
        credentials = self._profile.credentials
        if credentials is None:
            return SessionReady()
        if not self.tls:
            return self._deferred(Cause.TLS, LOGIN_NEEDS_TLS)
        offered, nonce = self.offered.mechanisms, self._profile.nonce
        self._login = login = choose_login(offered, credentials, nonce)
        if login is None:
            return self._deferred(Cause.UPSTREAM_AUTH, LOGIN_NOT_OFFERED)
        command = b"AUTH " + login.mechanism.encode()
        initial = b64encode(login.initial())
        if 0 < len(initial) <= _MAX_INITIAL_OCTETS:
            command += b" " + initial
        return (Step.AUTH, command + b"\r\n")

    def _on_auth(self, answer: Reply) -> Move:
        login = self._login
        if answer.code == _CODE_AUTHENTICATED and login is not None and login.may_end():
            return SessionReady()
        if answer.code == _CODE_CHALLENGE and login is not None:
            return self._respond(login, answer.lines[0])
        if answer.is_positive:
            raise ProtocolError
        # Never `Failed`: it is our login that is wrong, not the message.
        return self._deferred(Cause.UPSTREAM_AUTH, answer)

    def _respond(self, login: Login, challenge: str) -> Move:
        try:
            response = login.respond(binascii.a2b_base64(challenge, strict_mode=True))
        except (LoginError, ValueError) as error:
            said = error if isinstance(error, LoginError) else "no base64"
            words = reply(454, "4.7.0", f"Login at the next host failed: {said}")
            return self._deferred(Cause.UPSTREAM_AUTH, words)
        return (Step.AUTH, b64encode(response) + b"\r\n")
