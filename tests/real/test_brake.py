"""A stolen account is braked, and a device's password is narrower than its owner's."""

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
    settings = plain_settings(sink.url)
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
    settings = plain_settings(sink.url)
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
    service = serve(plain_settings(sink.url))
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
