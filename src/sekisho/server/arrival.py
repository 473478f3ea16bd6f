"""A new connection: who is there, whether there is room, what it is offered."""

import asyncio

from sekisho.model import replies
from sekisho.model.identity import NOBODY
from sekisho.model.reply import Reply
from sekisho.model.rules import IPAddress, TlsMode
from sekisho.net.unix import peer_user
from sekisho.server.client import Client
from sekisho.server.services import (
    ListenerContext,
    Services,
    client_address,
    is_one_of,
)
from sekisho.session.extensions import TlsState


def identify(
    transport: asyncio.Transport, listener: ListenerContext, client: Client
) -> bool:
    """Find out who is there: an address, or a user of this machine.

    Returns:
        Whether somebody is: who has gone again has no address, and a user id without
        a name is nobody.

    """
    if listener.identify is None:
        peer = transport.get_extra_info("peername")
        if peer:
            known_as(client, client_address(str(peer[0])))
        return bool(peer)
    try:
        descriptor = transport.get_extra_info("socket").fileno()
        client.user = listener.identify(peer_user(descriptor))
    except OSError:
        return False
    known_as(client, client_address("127.0.0.1"))
    return client.user is not NOBODY


def is_proxy(services: Services, listener: ListenerContext, client: Client) -> bool:
    """Whether the peer may say for whom it speaks: a proxy, or our own audit."""
    address = client.address
    return is_one_of(address, listener.proxies) or address in services.auditors


def spoken_for(services: Services, client: Client, source: IPAddress | None) -> bool:
    """Note for whom the peer speaks; our own audit speaks for itself alone.

    Returns:
        Whether it may.

    """
    if source is None:
        return True
    if client.address in services.auditors and source != client.address:
        return False
    known_as(client, source)
    return True


def known_as(client: Client, address: IPAddress) -> None:
    """Note the client's address."""
    client.address = address
    client.text = str(address)


def no_room(services: Services, of_client: int) -> Reply | None:
    """Why there is no session: one too many, of all clients or of this one.

    Args:
        services: Where sessions are counted.
        of_client: How many this client has, this one among them.

    """
    if services.draining:
        return replies.SHUTTING_DOWN
    if services.clients.sessions > services.limits.max_sessions:
        return replies.TOO_MANY_SESSIONS
    if of_client > services.limits.max_sessions_per_client:
        return replies.TOO_MANY_CLIENT_SESSIONS
    return None


def tls_state(services: Services, listener: ListenerContext) -> TlsState:
    """How a session comes to TLS; where it does before the greeting, it has it."""
    if listener.tls_mode is TlsMode.IMPLICIT:
        return TlsState.ACTIVE
    if listener.tls_mode is TlsMode.OFF or services.tls is None:
        return TlsState.UNAVAILABLE
    return TlsState.OFFERED


def mechanisms(
    services: Services, listener: ListenerContext, client: Client
) -> tuple[str, ...]:
    """What AUTH offers once TLS is there; before, as far as is known."""
    if not listener.offers_auth or services.tls is None:
        return ()
    bound = bool(services.tls.channel_binding)
    return services.gatekeeper.mechanisms(
        listener.name, channel_binding=bound, certificate=bool(client.certificate)
    )
