"""The two exchanges that opened the old service, octet by octet.

CVE-2001-0504 (MS01-037): AUTH GSSAPI answered with a lone dot was taken for a proof.
CVE-2002-0054 (MS02-011): the NTLM session of nobody was taken for one of somebody.
Here neither mechanism exists; what matters as much is that the answers which follow
are read as commands, never as credentials, and that nothing is relayed afterwards.
"""

import re
from collections.abc import Iterator

import pytest

from peers.dialogue import Dialogue
from peers.loopback import fresh_address
from peers.service import Service, plain_settings
from peers.sink import RecordingSink

TYPE_1 = "TlRMTVNTUAABAAAAB4IAgAAAAAAAAAAAAAAAAAAAAAA="
TYPE_3 = (
    "TlRMTVNTUAADAAAAAQABAEAAAAAAAAAAQQAAAAAAAABAAAAAAAAA"
    "AEAAAAAAAAAAQAAAAAAAAABBAAAABYIAAAA="
)

MS01_037 = [
    ("AUTH GSSAPI", rb"504 5\.5\.4 [ -~]+\r\n"),
    (".", rb"500 5\.5\.1 [ -~]+\r\n"),
]
MS01_037_AFTER_HELO = [
    ("AUTH GSSAPI", rb"50[23] 5\.5\.1 [ -~]+\r\n"),
    (".", rb"500 5\.5\.1 [ -~]+\r\n"),
]
MS02_011 = [
    (f"AUTH NTLM {TYPE_1}", rb"504 5\.5\.4 [ -~]+\r\n"),
    (TYPE_3, rb"500 5\.5\.1 [ -~]+\r\n"),
]
MS02_011_ASKED = [
    ("AUTH NTLM", rb"504 5\.5\.4 [ -~]+\r\n"),
    (TYPE_1, rb"500 5\.5\.1 [ -~]+\r\n"),
    (TYPE_3, rb"500 5\.5\.1 [ -~]+\r\n"),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Serve; at the end nothing may have been relayed."""
    folder = tmp_path_factory.mktemp("ms01-037")
    with RecordingSink() as world:
        serving = Service(folder / "service", plain_settings(world.url))
        serving.add_user()
        with serving:
            yield serving
        assert world.connections == []


def dial(service: Service, listener: str, greeting: str) -> Dialogue:
    """Connect and greet: in clear with HELO or EHLO, or under TLS."""
    client = service.dial(listener, source=fresh_address())
    if greeting == "TLS":
        client.starttls("example.com")
    else:
        assert client.say(f"{greeting} example.com").code == 250
    return client


def refuses_relay(client: Dialogue, listener: str) -> None:
    """Sender of the test, recipient elsewhere."""
    answer = client.say("MAIL FROM:<test@example.com>")
    if listener == "submission":
        assert answer.startswith(b"530 5.7.0 ")
        assert client.say("RCPT TO:<c@world.test>").code in {503, 530}
    else:
        assert answer.startswith(b"250 2.1.0 ")
        assert client.say("RCPT TO:<c@world.test>").startswith(b"550 5.7.1 ")


@pytest.mark.parametrize(
    ("listener", "greeting"),
    [("submission", "EHLO"), ("submission", "TLS"), ("mx", "EHLO"), ("mx", "TLS")],
)
@pytest.mark.parametrize(
    "exchange",
    [MS01_037, MS02_011, MS02_011_ASKED],
    ids=["MS01-037", "MS02-011", "asked"],
)
def test_exchange_is_refused(
    service: Service, listener: str, greeting: str, exchange: list[tuple[str, bytes]]
) -> None:
    with dial(service, listener, greeting) as client:
        for line, reply in exchange:
            answer = client.say(line)
            assert re.fullmatch(reply, answer), answer
        refuses_relay(client, listener)


@pytest.mark.parametrize("listener", ["submission", "mx"])
def test_exchange_is_refused_after_helo(service: Service, listener: str) -> None:
    """As the scanners of the time did it."""
    with dial(service, listener, "HELO") as client:
        for line, reply in MS01_037_AFTER_HELO:
            answer = client.say(line)
            assert re.fullmatch(reply, answer), answer
        refuses_relay(client, listener)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
def test_a_lone_dot_proves_nothing_in_a_mechanism_that_exists(
    service: Service, mechanism: str
) -> None:
    """The lesson of MS01-037: what cannot be decoded ends the exchange."""
    with dial(service, "submission", "TLS") as client:
        assert client.say(f"AUTH {mechanism}").startswith(b"334")
        assert client.say(".").startswith(b"501 5.5.2 ")
        assert client.say(f"AUTH {mechanism} .").startswith(b"501 5.5.2 ")
        refuses_relay(client, "submission")


def test_neither_mechanism_is_offered(service: Service) -> None:
    for listener in ("mx", "submission"):
        for greeting in ("EHLO", "TLS"):
            with dial(service, listener, greeting) as client:
                offered = " ".join(client.ehlo()).split()
                assert "GSSAPI" not in offered
                assert "NTLM" not in offered
