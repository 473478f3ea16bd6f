"""Whom the audit talks to: one port of one address."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A port.

    Attributes:
        host: As the administrator named it; stands in reports.
        address: The IP address that is dialled.
        port: TCP.
        implicit_tls: TLS before the greeting (RFC 8314).
        source: Our own address and port 0, or None for any.
        proxy: Whether a PROXY header has to come first, and which; empty for none.

    """

    host: str
    address: str
    port: int
    implicit_tls: bool = False
    source: tuple[str, int] | None = None
    proxy: bytes = b""

    def __str__(self) -> str:
        """Spell it for people: ``mail.example.com:25``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
