"""An identity is not for ever, and a remembered success is none."""

import pytest

from peers.loopback import fresh_address
from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink
from real.conftest import Serve

PASSWORD = "correct horse battery staple"
CHANGES = {
    "disabled": ("disable",),
    "removed": ("remove",),
    "given a new password": ("passwd", "--password-file", "-"),
}
NAMES = {change: f"{change.split()[-1]}@{OWN}" for change in CHANGES}


@pytest.fixture
def service(serve: Serve, sink: RecordingSink) -> Service:
    serving = serve(plain_settings(sink.url, workers=2), users=False)
    rows = ["name,password,addresses"]
    rows += [f"{name},{PASSWORD},{name}" for name in NAMES.values()]
    serving.run("user", "import", "-", data="\n".join(rows).encode()).well()
    return serving


def test_a_changed_account_ends_its_sessions_at_their_next_mail(
    service: Service,
) -> None:
    for change, name in NAMES.items():
        with service.dial("submission", source=fresh_address()) as client:
            client.starttls()
            assert client.login(name, PASSWORD).code == 235
            assert client.say(f"MAIL FROM:<{name}>").code == 250
            assert client.say("RSET").code == 250
            command, *options = CHANGES[change]
            changed = service.run("user", command, name, *options, data=b"another one")
            changed.well()
            assert client.say(f"MAIL FROM:<{name}>").status == "421 4.7.0", change
        with service.dial("submission", source=fresh_address()) as client:
            client.starttls()
            assert client.login(name, PASSWORD).status == "535 5.7.8", change
