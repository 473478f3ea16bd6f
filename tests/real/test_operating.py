"""An operator at work on a running service: every command goes through its socket."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from peers.process import wait_for
from peers.service import COMMAND, OWN, Service, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, stuffed, token
from real.test_durability import Serve, refusing, taking

USER = f"user@{OWN}"
SOMEBODY = "somebody@world.test"


@pytest.fixture
def waiting(serve: Serve, sink: RecordingSink) -> Service:
    """A service whose next host is not ready yet."""
    sink.answer = refusing(b"EHLO", b"HELO", reply=b"421 4.3.2 not now")
    return serve(plain_settings(sink.url, workers=2))


def send(service: Service, recipient: str = SOMEBODY) -> str:
    """Hand a message in; give its id."""
    with service.signed_in() as client:
        assert client.say(f"MAIL FROM:<{USER}>").code == 250
        assert client.say(f"RCPT TO:<{recipient}>").code == 250
        assert client.say("DATA").code == 354
        client.send(stuffed(a_message(token(), author=USER)))
        reply = client.reply()
    assert reply.code == 250
    return reply.lines[-1].rsplit(" ", 1)[1]


def told(service: Service, *arguments: str) -> Any:
    """What a command says as JSON."""
    return json.loads(service.run(*arguments, "--json").well().output)


def state_of(service: Service, message_id: str) -> str:
    """The state of a message of one recipient, as the list shows it."""
    return {one["id"]: one["state"] for one in service.queue()}.get(message_id, "gone")


def told_deferred(service: Service) -> set[str]:
    """The deferred messages."""
    return {one["id"] for one in service.queue() if one["state"] == "deferred"}


def test_the_list_has_the_shape_that_scripts_rest_on(waiting: Service) -> None:
    message_id = send(waiting)
    wait_for("the first attempt", lambda: state_of(waiting, message_id) == "deferred")
    (one,) = waiting.queue()
    assert set(one) >= {
        *("id", "state", "reverse_path", "recipients", "size_bytes", "received_at")
    }
    assert one["reverse_path"] == USER
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", one["received_at"])
    (recipient,) = one["recipients"]
    assert recipient["address"] == SOMEBODY
    assert recipient["state"] == "deferred"
    assert recipient["attempts"] == 1
    assert recipient["next_attempt"] > one["received_at"]
    assert "not now" in recipient["last_reply"]
    stats = told(waiting, "queue", "stats")
    assert stats["messages"] == stats["recipients"] == 1
    assert stats["by_state"]["deferred"] == 1
    assert stats["oldest_age_seconds"] >= 0


def test_hold_release_retry_remove(waiting: Service, sink: RecordingSink) -> None:
    first, second = send(waiting), send(waiting, "other@world.test")
    wait_for("first attempts", lambda: told_deferred(waiting) == {first, second})
    assert told(waiting, "queue", "hold", first)["recipients"] == 1
    assert state_of(waiting, first) == "held"
    assert told(waiting, "queue", "list", "--state", "held")[0]["id"] == first
    sink.answer = taking
    assert told(waiting, "queue", "retry", "--all")["recipients"] == 1
    wait_for("the other one's delivery", lambda: state_of(waiting, second) == "gone")
    assert state_of(waiting, first) == "held"
    assert told(waiting, "queue", "release", first)["recipients"] == 1
    wait_for("the released one's delivery", lambda: waiting.queue() == [])
    assert len(sink.messages) == 2
    events = [one["action"] for one in waiting.events("operator.acted")]
    assert events[-3:] == ["hold", "retry", "release"]


def test_what_is_removed_is_gone_and_nobody_is_told(
    waiting: Service, sink: RecordingSink
) -> None:
    message_id = send(waiting)
    wait_for("the first attempt", lambda: state_of(waiting, message_id) == "deferred")
    assert told(waiting, "queue", "remove", "--sender", USER)["recipients"] == 1
    assert waiting.queue() == []
    assert sink.messages == []
    assert waiting.run("queue", "show", message_id).status == 1


def test_one_message_is_shown_and_exported(waiting: Service) -> None:
    message_id = send(waiting)
    shown = told(waiting, "queue", "show", message_id)
    assert shown["rule"] == "grant"
    assert shown["grant"] == "staff"
    assert shown["recipients"][0]["address"] == SOMEBODY
    exported = waiting.run("queue", "export", message_id).well().output
    assert "Received: from " in exported
    assert exported.rstrip().endswith("Hello.")
    text = waiting.run("queue", "show", message_id).well().output
    assert SOMEBODY in text


def test_mistakes_are_one_sentence(waiting: Service) -> None:
    for arguments in (
        ("queue", "show", "nonsense"),
        ("queue", "hold", "nonsense"),
        ("queue", "export", "01m85ws554fzzvzzzzzzzzzzzz"),
        ("user", "add", USER),
    ):
        ended = waiting.run(*arguments)
        assert ended.status == 1, arguments
        assert "Traceback" not in ended.errors
        assert ended.errors.startswith("sekisho: ")
    assert waiting.run("queue", "hold").status == 2


def test_trace_tells_a_message_s_way(serve: Serve, sink: RecordingSink) -> None:
    service = serve(plain_settings(sink.url))
    message_id = send(service)
    service.wait_for_event("message.finished", message=message_id)
    events = told(service, "trace", message_id)
    names = [one["event"] for one in events]
    assert names == ["mail.accepted", "delivery.delivered", "message.finished"]
    assert told(service, "trace", SOMEBODY) == events
    assert message_id in service.run("trace", USER.upper()).well().output
    assert "nothing is known" in service.run("trace", "x@y.test").well().output


def test_a_refusal_is_on_the_timeline_too(serve: Serve, sink: RecordingSink) -> None:
    service = serve(plain_settings(sink.url), users=False)
    with service.dial("mx") as client:
        client.ehlo()
        client.say("MAIL FROM:<stranger@outside.test>")
        assert client.say("RCPT TO:<c@elsewhere.test>").status == "550 5.7.1"
    service.wait_for_event("mail.refused")
    (event,) = told(service, "trace", "c@elsewhere.test")
    assert event["rule"] == "relay-denied"
    assert event["reason"]


def test_a_change_ends_open_sessions_at_their_next_mail(
    serve: Serve, sink: RecordingSink
) -> None:
    """Identity is not for ever."""
    service = serve(plain_settings(sink.url, workers=2))
    with service.signed_in() as client:
        assert client.say(f"MAIL FROM:<{USER}>").code == 250
        assert client.say("RSET").code == 250
        service.run("user", "disable", USER).well()
        assert client.say(f"MAIL FROM:<{USER}>").status == "421 4.7.0"
        assert client.is_closed()
    with service.dial("submission") as client:
        client.starttls()
        assert client.login(service.USER, service.PASSWORD).status == "535 5.7.8"
    service.run("user", "enable", USER).well()
    with service.signed_in() as client:
        assert client.say(f"MAIL FROM:<{USER}>").code == 250


def test_ping_says_whether_it_is_well(serve: Serve, sink: RecordingSink) -> None:
    service = serve(plain_settings(sink.url, workers=2), users=False)
    assert service.run("ping").well().output.startswith("well: ")
    assert told(service, "ping")["alarms"] == []
    service.stop()
    ended = service.run("ping")
    assert ended.status == 1
    assert "no service runs" in ended.errors
    service.start()


def test_commands_work_on_a_stopped_service(waiting: Service) -> None:
    message_id = send(waiting)
    wait_for("the first attempt", lambda: state_of(waiting, message_id) == "deferred")
    waiting.stop()
    assert state_of(waiting, message_id) == "deferred"
    assert told(waiting, "queue", "hold", message_id)["recipients"] == 1
    assert told(waiting, "queue", "stats")["by_state"]["held"] == 1
    assert told(waiting, "queue", "release", "--all")["recipients"] == 1
    assert told(waiting, "trace", message_id)
    assert waiting.run("mailq").well().output.count(SOMEBODY) == 1
    assert told(waiting, "queue", "remove", message_id)["recipients"] == 1
    assert waiting.queue() == []
    waiting.start()


def test_two_services_never_share_a_queue(waiting: Service) -> None:
    second = waiting.run("serve")
    assert second.status == 1
    assert "Traceback" not in second.errors


def test_sigterm_drains(serve: Serve, sink: RecordingSink) -> None:
    """A transaction that is under way may end; whoever is idle is told good-bye."""
    service = serve(plain_settings(sink.url, workers=2), users=False)
    with service.dial("mx") as busy, service.dial("mx") as idle:
        busy.ehlo()
        idle.ehlo()
        busy.say("MAIL FROM:<a@outside.test>")
        assert busy.say(f"RCPT TO:<known@{OWN}>").code == 250
        assert busy.say("DATA").code == 354
        service.process.signal(signal.SIGTERM)
        assert idle.reply().status == "421 4.3.2"
        busy.send(stuffed(a_message(token(), author="a@outside.test")))
        assert busy.reply().code == 250
        assert busy.reply().status == "421 4.3.2"
    assert service.process.stop() == 0
    names = [one["event"] for one in service.events()]
    assert names[-1] == "service.stopped"
    service.start()
    sink.wait_for_messages(1)


def test_metrics_are_served_on_their_own_address(
    serve: Serve, sink: RecordingSink
) -> None:
    port = 20_000 + os.getpid() % 20_000
    settings = plain_settings(sink.url)
    settings["observe"] = {"metrics": f"127.0.0.1:{port}"}
    service = serve(settings)
    message_id = send(service)
    service.wait_for_event("message.finished", message=message_id)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
        text = page.read().decode()
    assert re.search(
        r'^sekisho_mail_accepted_total\{.*listener="submission".*1\.0',
        text,
        re.MULTILINE,
    )
    assert re.search(
        r'^sekisho_deliveries_total\{.*outcome="delivered".*1\.0', text, re.MULTILINE
    )
    taken = service.run("serve")
    assert taken.status == 1


def test_the_log_can_be_for_people(serve: Serve, sink: RecordingSink) -> None:
    settings = plain_settings(sink.url)
    folder = Path(serve(settings, users=False).folder)
    config = folder / "text.toml"
    config.write_text(
        f'hostname = "relay.test"\ndata_dir = "{folder}/other"\n'
        '[[listener]]\nname = "mx"\nrole = "mx"\nbind = ["127.0.0.1:0"]\n'
        '[observe]\nlog = "text"\n'
    )
    with subprocess.Popen(
        [COMMAND, "serve", "-c", config], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        lines = (line.decode() for line in process.stdout)
        line = next(one for one in lines if " service.ready " in one)
        process.send_signal(signal.SIGTERM)
    assert re.match(r"\d{4}-\d\d-\d\dT\S+ service\.ready ", line), line
    assert process.returncode == 0


def test_failed_logins_lock_the_pair_and_an_operator_unlocks(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(plain_settings(sink.url, workers=2))
    there = "127.77.1.1"
    for _ in range(2):
        with service.dial("submission", source=there) as client:
            client.starttls()
            for _ in range(4):
                assert client.login(USER, "wrong password").status == "535 5.7.8"
    with service.dial("submission", source=there) as client:
        client.starttls()
        # Locked: the same words, even for the right password.
        assert client.login(service.USER, service.PASSWORD).status == "535 5.7.8"
    with service.signed_in(source="127.77.2.2"):
        pass
    service.run("user", "unlock", "--name", USER, "--client", there).well()
    with service.signed_in(source=there):
        pass


def test_a_proxy_s_word_is_taken_and_nobody_else_s(
    serve: Serve, sink: RecordingSink
) -> None:
    settings = plain_settings(sink.url)
    settings["listener"][0]["proxy_protocol"] = ["127.0.0.9"]
    settings["grant"].append(
        {
            "name": "shop",
            "who": ["192.0.2.7"],
            "listeners": ["mx"],
            "senders": ["shop@own.test"],
        }
    )
    service = serve(settings, users=False)
    with service.dial("mx", greeting=False) as client:
        client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 25\r\n")
        assert client.is_closed()
    with service.dial("mx", source="127.0.0.9", greeting=False) as client:
        client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 25\r\n")
        assert client.reply().code == 220
        client.ehlo()
        assert client.say("MAIL FROM:<shop@own.test>").code == 250
        assert client.say("RCPT TO:<a@world.test>").code == 250
    with service.dial("mx", source="127.0.0.9", greeting=False) as client:
        client.send(
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
            b"\xc0\0\x02\x08\xc0\0\x02\x01\x9c\x40\0\x19"
        )
        assert client.reply().code == 220
        client.ehlo()
        assert client.say("MAIL FROM:<shop@own.test>").status == "550 5.7.1"
    for broken in (b"EHLO x\r\n", b"PROXY TCP4 x\r\n", b"QUIT"):
        with service.dial("mx", source="127.0.0.9", greeting=False) as client:
            client.send(broken)
            time.sleep(0.05)
            client.send(b"\r\n" * 60)
            assert client.is_closed()


def test_a_legacy_lane_has_walls(serve: Serve, sink: RecordingSink) -> None:
    settings = plain_settings(sink.url)
    settings["listener"].append(
        {
            "name": "printers",
            "role": "legacy",
            "bind": ["127.0.0.1:0"],
            "who": ["127.0.0.21"],
            "senders": ["scanner@own.test"],
            "recipients": ["*@own.test"],
            "max_messages_per_hour": 1,
            "bare_newline": "normalise",
        }
    )
    service = serve(settings, users=False)
    with service.dial("printers") as client:
        client.ehlo()
        assert client.say("MAIL FROM:<scanner@own.test>").status == "550 5.7.1"
    with service.dial("printers", source="127.0.0.21") as client:
        client.ehlo()
        assert client.say("MAIL FROM:<boss@own.test>").code == 553
        assert client.say("MAIL FROM:<scanner@own.test>").code == 250
        assert client.say("RCPT TO:<a@world.test>").code == 550
        assert client.say(f"RCPT TO:<known@{OWN}>").code == 250
        assert client.say("DATA").code == 354
        client.send(b"From: scanner@own.test\nSubject: x\n\nA page\n.\n..\r\n.\r\n")
        assert client.reply().code == 250
        assert client.say("MAIL FROM:<scanner@own.test>").status == "450 4.7.1"
    message = sink.wait_for_messages(1)[0]
    assert sink.bare_newlines() == []
    assert message.content.endswith(b"\r\n\r\nA page\r\n.\r\n..\r\n")
    assert b"\r\nDate: " in message.content
    assert b"\r\nMessage-ID: <" in message.content


def test_content_without_a_header_stays_content(
    serve: Serve, sink: RecordingSink
) -> None:
    """A first line that begins with a blank would go on with our Received."""
    service = serve(plain_settings(sink.url), users=False)
    for first in (b" by forged.test with SMTP\r\n", b"hello\r\n"):
        with service.dial("mx") as client:
            client.ehlo()
            client.say("MAIL FROM:<a@outside.test>")
            assert client.say(f"RCPT TO:<known@{OWN}>").code == 250
            assert client.say("DATA").code == 354
            client.send(first + b"second\r\n.\r\n")
            assert client.reply().code == 250
    for message in sink.wait_for_messages(2):
        header, _, body = message.content.partition(b"\r\n\r\n")
        assert b"forged" not in header
        assert body.endswith(b"second\r\n")


def test_every_listener_has_the_same_policy_on_ipv6(
    serve: Serve, sink: RecordingSink
) -> None:
    """RLY-045: an address family is no trust."""
    settings = plain_settings(sink.url)
    for listener in settings["listener"]:
        listener["bind"] = ["[::1]:0"]
    service = serve(settings)
    with service.dial("mx", source="::1") as client:
        client.ehlo()
        assert client.say("MAIL FROM:<a@outside.test>").code == 250
        assert client.say("RCPT TO:<b@world.test>").status == "550 5.7.1"
        assert client.say(f"RCPT TO:<known@{OWN}>").code == 250
    with service.dial("submission", source="::1") as client:
        client.ehlo()
        assert client.say("MAIL FROM:<a@outside.test>").status == "530 5.7.0"
    assert service.wait_for_event("session.opened")["client"] == "::1"


def test_sendmail_adds_the_from_that_callers_leave_to_it(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(plain_settings(sink.url), users=False)
    known, content = f"known@{OWN}", b""
    for number, text in enumerate(
        (b"To: known@own.test\nBcc: x@own.test\n\nhi\n", b"no header at all\n")
    ):
        arguments = ("sendmail", "-F", "A Printer", "-f", "shop@own.test", known)
        service.run(*arguments, data=text).well()
        content = sink.wait_for_messages(number + 1)[number].content
        assert b"\r\nFrom: A Printer <shop@own.test>\r\n" in content
        assert b"Bcc" not in content
    assert content.endswith(b"\r\n\r\nno header at all\r\n")


def test_a_password_changes_without_bringing_scram_keys_back(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(plain_settings(sink.url), users=False)
    given = b"a fine password"
    add = ("user", "add", "ann", "--no-scram", "--password-file", "-")
    service.run(*add, data=given).well()
    service.run("user", "passwd", "ann", "--password-file", "-", data=given).well()
    assert told(service, "user", "list")[0]["scram"] is False
    service.run("user", "groups", "ann", "it", "staff").well()
    assert told(service, "user", "list")[0]["groups"] == ["it", "staff"]
    assert told(service, "user", "locked") == []
    for file in ("queue/queue.db", "timeline.db", "accounts.db"):
        path = service.folder / "data" / file
        assert path.stat().st_mode & 0o077 == 0, file
