"""A stolen account is braked, and a device's password is narrower than its owner's."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from peers.process import wait_for
from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, stuffed, token
from real.test_durability import Serve, taking
from real.test_operating import told

USER = f"user@{OWN}"


def send(service: Service) -> str:
    """Send one message as the user; its id."""
    with service.signed_in() as client:
        assert client.say(f"MAIL FROM:<{USER}>").code == 250
        assert client.say("RCPT TO:<somebody@world.test>").code == 250
        assert client.say("DATA").code == 354
        client.send(stuffed(a_message(token(), author=USER)))
        reply = client.reply()
    assert reply.code == 250
    return reply.lines[-1].rsplit(" ", 1)[1]


def test_mail_beyond_the_bound_is_held_told_of_and_lifted(
    serve: Serve, sink: RecordingSink
) -> None:
    sink.answer = taking
    settings = plain_settings(sink.url, workers=2)
    settings["brake"] = {"messages_per_hour": 3}
    service = serve(settings)
    free = [send(service) for _ in range(3)]
    held = [send(service) for _ in range(2)]
    for message in free:
        service.wait_for_event("message.finished", message=message)
    assert {one["id"]: one["state"] for one in service.queue()} == dict.fromkeys(
        held, "held"
    )
    alarms = service.events("alarm", about=f"account {USER}")
    assert 1 <= len(alarms) <= 2  # one a worker at most
    assert any(USER in line for line in told(service, "user", "locked"))
    accepted = service.events("mail.accepted", message=held[0])
    assert accepted[0]["rule"] == "brake"
    lifted = service.run("user", "unlock", "--name", USER).well().output
    assert "lifted" in lifted
    assert told(service, "user", "locked") == []
    service.wait_for_event("message.finished", message=send(service))
    service.run("queue", "release", "--sender", USER).well()
    for message in held:
        service.wait_for_event("message.finished", message=message)


def test_refused_recipients_hold_the_mail_too(
    serve: Serve, sink: RecordingSink
) -> None:
    sink.answer = taking
    settings = plain_settings(sink.url, workers=2)
    settings["brake"] = {"refused_recipients_per_hour": 4}
    service = serve(settings)
    service.wait_for_event("message.finished", message=send(service))
    with service.signed_in() as client:
        assert client.say(f"MAIL FROM:<{USER}>").code == 250
        for number in range(4):
            assert client.say(f"RCPT TO:<nobody{number}@{OWN}>").code == 550
    held = send(service)
    assert {one["id"]: one["state"] for one in service.queue()} == {held: "held"}


def test_an_app_password_works_over_the_wire_until_it_is_revoked(
    serve: Serve, sink: RecordingSink
) -> None:
    sink.answer = taking
    service = serve(plain_settings(sink.url, workers=2))
    made = told(service, "user", "app-password", "add", USER, "printer")
    with service.dial("submission") as client:
        client.starttls()
        assert b"SCRAM" not in b" ".join(
            line.encode() for line in client.say("EHLO printer.test").lines
        )
        assert client.login(USER, made["password"]).code == 235
        assert client.say(f"MAIL FROM:<{USER}>").code == 250
        assert client.say("RSET").code == 250
        service.run("user", "app-password", "revoke", USER, "printer").well()
        assert client.say(f"MAIL FROM:<{USER}>").code == 421
    with service.dial("submission") as client:
        client.starttls()
        assert client.login(USER, made["password"]).code == 535
    wait_for("nothing left behind", lambda: service.queue() == [])


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted; the first answer is a failure."""

    told: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        """Take an alarm."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.told.append(json.loads(body))
        self.send_response(500 if len(self.told) == 1 else 204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def test_alarms_reach_a_webhook_also_when_it_fails_once(
    serve: Serve, sink: RecordingSink
) -> None:
    sink.answer = taking
    Hook.told.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = plain_settings(sink.url, workers=2)
        settings["brake"] = {"messages_per_hour": 1}
        port = server.server_address[1]
        settings["observe"] = {"webhook": f"http://127.0.0.1:{port}/a-secret"}
        service = serve(settings)
        send(service)
        send(service)

        def told_of_it() -> list[dict[str, str]]:
            return [one for one in Hook.told if one["about"] == f"account {USER}"]

        wait_for("the alarm", told_of_it, 20.0)
        # What was answered 500 comes again.
        wait_for("it again", lambda: Hook.told.count(Hook.told[0]) > 1, 20.0)
        server.shutdown()
    (one, *_) = told_of_it()
    assert one["host"] == "relay.test"
    assert "its mail is held" in one["detail"]
    assert "a-secret" not in service.log_file.read_text()
