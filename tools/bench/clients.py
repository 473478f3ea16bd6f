"""What smtp-source cannot do: sessions that only stay, a client that waits."""

import socket
import ssl
from pathlib import Path

SIZE = 4096
SENDER, RECIPIENT = "s@src.test", "r@dest.test"
USER, PASSWORD = "user@own.test", "correct horse battery staple"


class Client:
    """One connection to a server on loopback, from its greeting on."""

    def __init__(self, port: int) -> None:
        self.stream: socket.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.say(b"", b"220")
        self.say(b"EHLO client.test\r\n", b"250")

    def say(self, octets: bytes, wanted: bytes) -> None:
        """Send, and want this kind of reply."""
        if octets:
            self.stream.sendall(octets)
        reply = b""
        while not (reply.endswith(b"\n") and reply.splitlines()[-1][3:4] == b" "):
            more = self.stream.recv(4096)
            if not more:
                raise ConnectionError(f"closed after {octets[:40]!r}: {reply!r}")
            reply += more
        if not reply.startswith(wanted):
            raise ConnectionError(f"{octets[:40]!r} was answered {reply!r}")

    def starttls(self, trust: ssl.SSLContext) -> None:
        """Go on under TLS."""
        self.say(b"STARTTLS\r\n", b"220")
        self.stream = trust.wrap_socket(self.stream, server_hostname="127.0.0.1")
        self.say(b"EHLO client.test\r\n", b"250")

    def envelope(self, sender: str) -> None:
        """All up to the content."""
        self.say(f"MAIL FROM:<{sender}>\r\n".encode(), b"250")
        self.say(f"RCPT TO:<{RECIPIENT}>\r\n".encode(), b"25")
        self.say(b"DATA\r\n", b"354")

    def quit(self) -> None:
        """End well."""
        self.say(b"QUIT\r\n", b"221")
        self.stream.close()


def content(sender: str, size: int = SIZE) -> bytes:
    """A message of so many octets, and the dot after it."""
    fields = [f"From: <{sender}>", f"To: <{RECIPIENT}>", "Subject: bench", "", ""]
    header = "\r\n".join(fields).encode()
    lines = (size - len(header)) // 80
    return header + (b"x" * 78 + b"\r\n") * lines + b".\r\n"


def trusting(certificate: Path) -> ssl.SSLContext:
    """Trust this certificate only."""
    return ssl.create_default_context(cafile=certificate)


def idle(port: int, sessions: int, trust: ssl.SSLContext | None) -> list[Client]:
    """So many sessions that have said EHLO, and stay."""
    clients: list[Client] = []
    for _ in range(sessions):
        client = Client(port)
        if trust is not None:
            client.starttls(trust)
        clients.append(client)
    return clients
