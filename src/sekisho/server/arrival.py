"""Who is at the other end of a new connection, as the operating system tells it."""

import asyncio
import fcntl
import struct
import termios

from sekisho.model.identity import NOBODY
from sekisho.model.rules import IPAddress
from sekisho.net.unix import peer_user
from sekisho.server.client import Client
from sekisho.server.services import ListenerContext, client_address


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


def known_as(client: Client, address: IPAddress) -> None:
    """Note the client's address."""
    client.address = address
    client.text = str(address)


def has_spoken(transport: asyncio.Transport) -> bool:
    """Whether octets wait in the socket before we have said a word."""
    sock = transport.get_extra_info("socket")
    try:
        answer = fcntl.ioctl(sock.fileno(), termios.FIONREAD, b"\0\0\0\0")
    except OSError:
        return False
    return struct.unpack("i", answer)[0] > 0
