"""What the supervisor and the process that audits the service say to each other."""

import msgspec


class Knock(msgspec.Struct):
    """One address of one listener.

    Attributes:
        listener: Its name.
        address: Where to connect to.
        port: TCP.
        implicit_tls: TLS from the start.
        proxy: Whether a PROXY header has to come first.
        source: From which address of ours.
        brief: Whether the gravest questions are enough: the listener is asked all of
            them at another address.

    """

    listener: str
    address: str
    port: int
    implicit_tls: bool
    proxy: bool
    source: str
    brief: bool


class Errand(msgspec.Struct):
    """All that is to be asked.

    Attributes:
        knocks: Where.
        domain: A domain of ours, or empty.
        hostname: Our name.

    """

    knocks: list[Knock]
    domain: str
    hostname: str


class Found(msgspec.Struct):
    """One probe at one address.

    Attributes:
        listener: Whose.
        address: Which, with the port.
        id: The probe's.
        verdict: As the audit spells it.
        severity: Of the probe.
        title: In English and in Japanese.
        evidence: The same.

    """

    listener: str
    address: str
    id: str
    verdict: str
    severity: str
    title: tuple[str, str]
    evidence: tuple[str, str]
