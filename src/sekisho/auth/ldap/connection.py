"""One connection to one server: one request at a time, and only its own answer.

Every answer is held against what was asked: the message's number, its type, and its
result code. Whatever else comes breaks the connection (`ServerFaultError`). Referrals
are never followed: they would send a password where nobody configured it to go.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ssl import SSLCertVerificationError, SSLContext, SSLError
from typing import TypeVar

from sansldap import (
    BindResponse,
    ExtendedResponse,
    LDAPClient,
    LDAPFilter,
    LDAPMessage,
    LDAPResult,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
    SearchScope,
)

from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.ldap.options import Channel, Server
from sekisho.auth.ldap.wire import ServerFaultError, Wire

SUCCESS = 0
PROTOCOL_ERROR = 2
SIZE_LIMIT_EXCEEDED = 4
NO_SUCH_OBJECT = 32
INVALID_CREDENTIALS = 49
BUSY = 51
UNAVAILABLE = 52
UNWILLING = 53
_START_TLS = "1.3.6.1.4.1.1466.20037"
_WHO_AM_I = "1.3.6.1.4.1.4203.1.11.3"
_M = TypeVar("_M", bound=LDAPMessage)


class ServerRefusesError(AuthUnavailableError):
    """A server answers that it cannot or will not; another one would as well."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry.

    Attributes:
        dn: As the server spells it.
        values: By attribute, in lower case and without options.

    """

    dn: str
    values: Mapping[str, tuple[bytes, ...]]

    def texts(self, attribute: str) -> list[str]:
        """An attribute's values; what is no UTF-8 is left out."""
        found: list[str] = []
        for value in self.values.get(attribute.lower(), ()):
            try:
                found.append(value.decode())
            except UnicodeDecodeError:
                continue
        return found

    def text(self, attribute: str) -> str:
        """The attribute's only value; empty where there is none, or several."""
        texts = self.texts(attribute)
        return texts[0] if len(texts) == 1 else ""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for."""

    base: str
    filter: str
    attributes: tuple[str, ...]
    limit: int
    whole_tree: bool = True


class Connection:
    """A connection; see `open`.

    Attributes:
        server: To whom it leads.

    """

    def __init__(self, server: Server, wire: Wire) -> None:
        self.server = server
        self._wire = wire
        self._client = LDAPClient()

    @classmethod
    async def open(cls, server: Server, tls: SSLContext) -> "Connection":
        """Connect, and protect the connection.

        Raises:
            ServerFaultError: It cannot be had, or is not whom we wanted.

        """
        implicit = server.channel is Channel.IMPLICIT
        loop = asyncio.get_running_loop()
        wire = Wire()
        try:
            await loop.create_connection(
                lambda: wire,
                server.host,
                server.port,
                ssl=tls if implicit else None,
                server_hostname=server.host if implicit else None,
            )
            found = cls(server, wire)
            if server.channel is Channel.STARTTLS:
                await found._start_tls(tls)
        except (OSError, ServerFaultError, asyncio.CancelledError) as error:
            if wire.transport is not None:
                wire.transport.abort()
            if isinstance(error, OSError):
                raise ServerFaultError(f"{server}: {why(error)}") from error
            raise
        return found

    async def _start_tls(self, tls: SSLContext) -> None:
        number = self._client.extended_request(_START_TLS)
        answer = await self._answer(number, ExtendedResponse)
        if answer.result.result_code != SUCCESS:
            raise ServerFaultError(f"{self.server}: it does not start TLS")
        if not self._wire.is_idle or self._wire.transport is None:
            # Sent in clear by somebody who wants it read as if it came protected.
            raise ServerFaultError(f"{self.server}: it says more before TLS begins")
        loop = asyncio.get_running_loop()
        self._wire.transport = await loop.start_tls(
            self._wire.transport, self._wire, tls, server_hostname=self.server.host
        )

    @property
    def is_usable(self) -> bool:
        """Whether it is open, and nothing came that nobody asked for."""
        transport = self._wire.transport
        return (
            self._wire.is_idle and transport is not None and not transport.is_closing()
        )

    @property
    def protection(self) -> str:
        """The version of TLS; empty in clear."""
        transport = self._wire.transport
        tls = None if transport is None else transport.get_extra_info("ssl_object")
        return "" if tls is None else str(tls.version())

    def close(self) -> None:
        """Close it at once."""
        if self._wire.transport is not None:
            self._wire.transport.abort()

    async def bind(self, name: str, password: str) -> LDAPResult:
        """Bind with a password; the result is for the caller to judge.

        Raises:
            ServerFaultError: There is no answer, or it is none.
            ValueError: The password is empty: a server may say yes to that.

        """
        if not password or not name:
            raise ValueError("an empty name or password is never asked about")
        number = self._client.bind_simple(name, password)
        return (await self._answer(number, BindResponse)).result

    async def who_am_i(self) -> str | None:
        """Ask as whom we are bound (RFC 4532); None where it does not know that."""
        number = self._client.extended_request(_WHO_AM_I)
        answer = await self._answer(number, ExtendedResponse)
        if answer.result.result_code in (PROTOCOL_ERROR, UNWILLING):
            return None
        self._require_success(answer.result)
        return (answer.value or b"").decode("utf-8", "replace")

    async def search(self, search: Search) -> list[Entry]:
        """Look entries up; one more than the limit where there are more.

        Raises:
            ServerFaultError: There is no answer, or it is none.
            ServerRefusesError: The answer is an error; also where the base is not
                there, which says nothing about an account.

        """
        number = self._client.search_request(
            search.base,
            SearchScope.SUBTREE if search.whole_tree else SearchScope.BASE,
            size_limit=search.limit + 1,
            filter=LDAPFilter.from_string(search.filter),
            attributes=list(search.attributes),
        )
        self._send()
        entries: list[Entry] = []
        while True:
            message = await self._message(number)
            match message:
                case SearchResultEntry() if len(entries) <= search.limit:
                    entries.append(_entry(message))
                case SearchResultReference():
                    continue
                case SearchResultDone(result=result):
                    if (
                        result.result_code == SIZE_LIMIT_EXCEEDED
                        and len(entries) > search.limit
                    ):
                        return entries
                    self._require_success(result)
                    return entries
                case _:
                    raise self._broken("its answer is none to a search")

    async def read(self, search: Search) -> Entry | None:
        """Look one entry up by its DN; None where it is not there, or not visible."""
        try:
            found = await self.search(search)
        except NoSuchObjectError:
            return None
        return found[0] if len(found) == 1 else None

    async def _answer(self, number: int, kind: type[_M]) -> _M:
        self._send()
        message = await self._message(number)
        if type(message) is not kind:
            raise self._broken(f"its answer is a {type(message).__name__}")
        return message

    def _send(self) -> None:
        data = self._client.data_to_send()
        transport = self._wire.transport
        if transport is None or not self._wire.is_idle:
            raise self._broken("the connection is at its end")
        transport.write(data)

    async def _message(self, number: int) -> LDAPMessage:
        try:
            octets = await self._wire.message()
        except ServerFaultError as error:
            raise self._broken(str(error)) from error
        try:
            messages = self._client.receive(octets)
        except Exception as error:
            # Whatever it is: the parser is fed by a stranger.
            raise self._broken("its answer cannot be read") from error
        if [one.message_id for one in messages] != [number]:
            raise self._broken("its answer is to another question")
        return messages[0]

    def _broken(self, reason: str) -> ServerFaultError:
        self.close()
        return ServerFaultError(f"{self.server}: {reason}")

    def _require_success(self, result: LDAPResult) -> None:
        require_success(self.server, result)


class NoSuchObjectError(ServerRefusesError):
    """There is no such entry, or we may not know of it."""


def require_success(server: Server, result: LDAPResult) -> None:
    """Take success for success, and nothing else.

    Raises:
        ServerFaultError: Another server may do it.
        ServerRefusesError: It is not done.

    """
    code = int(result.result_code)
    if code == SUCCESS:
        return
    what = f"{server}: result {code} ({result_name(result)})"
    if code in (BUSY, UNAVAILABLE):
        raise ServerFaultError(what)
    if code == NO_SUCH_OBJECT:
        raise NoSuchObjectError(what)
    raise ServerRefusesError(what)


def result_name(result: LDAPResult) -> str:
    """A result code in words."""
    return result.result_code.name.lower().replace("_", " ")


def why(error: OSError) -> str:
    """Why a connection could not be had, in words."""
    if isinstance(error, SSLCertVerificationError):
        return f"its certificate does not hold: {error.verify_message}"
    if isinstance(error, SSLError):
        return f"TLS failed: {error.reason or 'no reason given'}"
    return error.strerror or type(error).__name__


def _entry(message: SearchResultEntry) -> Entry:
    values: dict[str, tuple[bytes, ...]] = {}
    for attribute in message.attributes:
        name = attribute.name.partition(";")[0].lower()
        given: Sequence[bytes] = attribute.values
        values[name] = (*values.get(name, ()), *(bytes(one) for one in given))
    return Entry(message.object_name, values)
