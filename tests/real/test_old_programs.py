"""SCRAM-SHA-1 where a listener names it: for new passwords, and not before."""

from peers.loopback import fresh_address
from peers.service import Service, plain_settings
from peers.sink import RecordingSink
from real.auth_probes.doors import assert_no_passage
from real.auth_probes.scram import Scram
from real.conftest import Serve

USER, PASSWORD = Service.USER, Service.PASSWORD
NAMED = ["SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN"]


def test_scram_sha_1_is_off_until_it_is_named_and_passwords_are_new(
    serve: Serve, sink: RecordingSink
) -> None:
    settings = plain_settings(sink.url)
    service = serve(settings)
    assert "it is for old programs" in service.run("check", "--json").output

    def offered() -> list[str]:
        with service.dial("submission") as client:
            (line,) = [one for one in client.starttls() if one.startswith("AUTH ")]
            return line.split()[1:]

    assert "SCRAM-SHA-1" not in offered()
    settings["listener"][1]["mechanisms"] = NAMED
    service.change(settings)
    service.reload()
    service.wait_for_event("service.reloaded")
    assert offered() == ["SCRAM-SHA-256", "PLAIN"]
    given = ("user", "passwd", USER, "--password-file", "-")
    service.run(*given, data=PASSWORD.encode()).well()
    assert offered() == ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]
    for password, code in ((PASSWORD, 235), ("wrong", 535)):
        with service.dial("submission", source=fresh_address()) as client:
            client.starttls()
            scram = Scram(
                client, USER, password, mechanism="SCRAM-SHA-1", hashed="sha1"
            )
            assert scram.first().code == 334
            assert scram.final().code == code
            if code == 235:
                assert client.say(f"MAIL FROM:<{USER}>").code == 250
            else:
                assert_no_passage(client)
