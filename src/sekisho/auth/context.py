"""Where an exchange takes place: what mechanisms and authenticators may know of it."""

from dataclasses import dataclass, field

from sekisho.model.rules import IPAddress


@dataclass(frozen=True, slots=True)
class AuthContext:
    """Where an exchange takes place.

    Attributes:
        client: The client's address.
        listener: The listener's name.
        channel_binding: ``tls-server-end-point`` of our certificate (RFC 5929), or
            empty where it has none.
        session: Its id, for the log.
        certificate: The client's certificate in DER, verified in the handshake
            against the listener's authorities; empty where it gave none.

    """

    client: IPAddress
    listener: str
    channel_binding: bytes
    session: str
    certificate: bytes = field(default=b"", repr=False)
