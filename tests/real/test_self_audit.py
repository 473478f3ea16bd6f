"""The service audits itself over real sockets, and acts on what it finds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from peers.process import wait_for
from peers.service import OWN, Service, Settings, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, stuffed, token
from real.test_plug_in import install

Serve = Callable[..., Service]

SECONDS = 100.0
ANYBODY = """

class _Anybody(ExampleAuthenticator):
    async def verify_password(self, account, password):
        owned = (parse_pattern("*@own.test"),)
        return Verified(Identity(account or "x", self._name, "", "1", owned))

    def is_current(self, identity):
        return True


def build(options, tools):
    return _Anybody(Path("none"), tools)
"""


def audited(world: str, **audit: object) -> Settings:
    return {**plain_settings(world), "audit": {"enabled": True, **audit}}


def finished(service: Service, count: int = 1) -> dict[str, object]:
    """Wait for so many audits, and give the last."""

    def done() -> dict[str, object] | None:
        found = service.events("audit.finished")
        return found[-1] if len(found) >= count else None

    return wait_for(f"{count} audits", done, SECONDS)


def answer_to_rcpt(service: Service, user: str, password: str) -> bytes:
    """What a signed-in user's mail to the world is answered."""
    with service.dial("submission") as client:
        client.starttls()
        assert client.login(user, password).code == 235
        assert client.say(f"MAIL FROM:<{user}>").code == 250
        return bytes(client.say("RCPT TO:<somebody@world.test>"))


@pytest.mark.timeout(180)
def test_after_its_start_it_is_found_safe_and_nothing_of_it_is_counted(
    serve: Serve, sink: RecordingSink
) -> None:
    """Neither in the log, nor against the brakes, nor in the metrics of refusals."""
    settings = audited(sink.url)
    settings["observe"] = {"metrics": "127.0.0.1:0"}
    service = serve(settings)
    found = finished(service)
    assert found["found"] == []
    assert found["flawed"] == found["suspect"] == found["undecided"] == 0
    assert int(str(found["safe"])) > 100
    assert service.events("session.opened") == []
    assert service.events("auth.failed") == []
    assert service.events("alarm", about="audit") == []
    with service.signed_in() as client:
        assert client.say(f"MAIL FROM:<{service.USER}>").code == 250
    assert len(service.events("session.opened")) == 1


@pytest.mark.timeout(180)
def test_it_is_asked_for_by_a_command(serve: Serve, sink: RecordingSink) -> None:
    service = serve(plain_settings(sink.url))
    shown = service.run("check", "--live").well().output
    assert "questions answered safely" in shown
    assert "mx (relay.test:" in shown
    assert len(service.events("audit.finished")) == 1


@pytest.mark.timeout(180)
def test_where_proxies_speak_first_it_does_too_but_for_itself_alone(
    serve: Serve, sink: RecordingSink
) -> None:
    settings = audited(sink.url)
    settings["listener"] = [
        {
            "name": "mx",
            "role": "mx",
            "bind": ["127.0.0.1:0"],
            "proxy_protocol": ["192.0.2.7"],
        }
    ]
    service = serve(settings, users=False)
    found = finished(service)
    assert found["found"] == []
    assert found["undecided"] == 0
    assert int(str(found["safe"])) > 50


@pytest.mark.timeout(300)
@pytest.mark.parametrize("on_flaw", ["close", "alarm"])
def test_a_flaw_closes_relaying_until_it_is_mended(
    tmp_path: Path, sink: RecordingSink, on_flaw: str
) -> None:
    """A plug-in verifies whoever comes: the fault of MS01-037."""
    variables = {"PYTHONPATH": str(install(tmp_path / "site", ANYBODY))}
    sound = audited(sink.url, on_flaw=on_flaw)
    broken: Settings = {
        **sound,
        "authenticator": [{"kind": "example", "name": "example"}],
    }
    with Service(tmp_path / "service", broken, variables=variables) as service:
        found = finished(service)
        assert "AUTH-" in str(found["found"])
        assert "submission" in str(found["found"])
        assert found.get("relaying_closed", False) is (on_flaw == "close")
        assert service.wait_for_event("alarm", about="audit")
        answer = answer_to_rcpt(service, f"user@{OWN}", "anything")
        assert answer.startswith(b"451 4.7.0" if on_flaw == "close" else b"250")
        service.change(sound)
        service.add_user()
        service.reload()
        assert finished(service, 2)["found"] == []
        assert answer_to_rcpt(service, service.USER, service.PASSWORD)[:3] == b"250"


@pytest.mark.timeout(180)
def test_mail_to_our_own_domains_goes_on_while_relaying_is_closed(
    tmp_path: Path, sink: RecordingSink
) -> None:
    variables = {"PYTHONPATH": str(install(tmp_path / "site", ANYBODY))}
    broken: Settings = {
        **audited(sink.url),
        "authenticator": [{"kind": "example", "name": "example"}],
    }
    with Service(tmp_path / "service", broken, variables=variables) as service:
        assert finished(service)["relaying_closed"]
        mark = token()
        with service.dial("mx") as client:
            client.ehlo()
            assert client.say("MAIL FROM:<a@outside.test>").code == 250
            assert client.say(f"RCPT TO:<known@{OWN}>").code == 250
            assert client.say("DATA").code == 354
            client.send(stuffed(a_message(mark, author="a@outside.test")))
            assert client.reply().code == 250
        assert sink.wait_for_content(mark.encode())
