"""AUTH-050 to AUTH-064: where in a session papers count, and how long."""

import contextlib

from peers.dialogue import ClosedError, Dialogue, Reply
from peers.process import wait_for
from peers.service import HOSTNAME, OWN
from real.auth_probes.doors import Door, plain, say, source_of
from real.auth_probes.exchanges import REFUSED, Tries


def in_clear(door: Door) -> Tries:
    """Right and wrong are answered alike, since they are not looked at."""
    heard: set[bytes] = set()
    for lines in (door.right(), door.wrong()):
        with door.dial() as client:
            assert not [line for line in client.ehlo() if line.startswith("AUTH")]
            reply = say(client, lines)
            heard.add(bytes(reply))
            yield client, reply
            source = source_of(client)
            assert door.service.events("auth.succeeded", client=source) == []
    assert len(heard) == 1


def kept_over_starttls(door: Door) -> Tries:
    """What was said in clear is forgotten, and AUTH is offered again."""
    with door.dial() as client:
        client.ehlo()
        reply = say(client, door.right())
        assert client.say("STARTTLS").code == 220
        door.handshake(client)
        assert [line for line in client.ehlo() if line.startswith("AUTH")]
        yield client, reply


def without_a_new_ehlo(door: Door) -> Tries:
    """After STARTTLS comes EHLO, before anything else."""
    for line in (f"MAIL FROM:<{door.user.address}>".encode(), door.right()[0]):
        with door.dial() as client:
            client.ehlo()
            assert client.say("STARTTLS").code == 220
            door.handshake(client)
            yield client, client.say(line)


def starttls_again(door: Door) -> Tries:
    """Within TLS there is no STARTTLS: before AUTH, after it, on an implicit port."""
    with door.private() as client:
        yield client, client.say("STARTTLS")
        assert say(client, door.right()).code == 235
        yield client, client.say("STARTTLS")
        yield client, client.say("STARTTLS")
        assert client.say(f"MAIL FROM:<{door.user.address}>").code == 250
    with door.dial("implicit", greeting=False) as client:
        client.handshake()
        assert client.reply().code == 220
        assert "STARTTLS" not in client.ehlo()
        yield client, client.say("STARTTLS")


def failed_then_right(door: Door) -> Tries:
    """A failure gives nothing, RSET keeps the identity, EHLO ends the transaction."""
    mail = f"MAIL FROM:<{door.user.address}>"
    with door.private() as client:
        assert say(client, door.wrong()).status in REFUSED
        assert client.say("RSET").code == 250
        assert client.say(mail).status == "530 5.7.0"
        assert say(client, door.right()).code == 235
        assert client.say(mail).code == 250
        assert client.say("RSET").code == 250
        yield client, client.say("RCPT TO:<c@world.test>")
        assert client.say(mail).code == 250
        assert client.ehlo("other.test")
        yield client, client.say("RCPT TO:<c@world.test>")


def second_auth(door: Door) -> Tries:
    """One session, one identity."""
    with door.private() as client:
        assert say(client, door.right()).code == 235
        yield client, say(client, door.wrong())
        yield client, say(client, door.right())
        yield client, client.login(door.other.name, door.other.password)
        assert client.say(f"MAIL FROM:<{door.other.address}>").status == "553 5.7.1"


def inside_a_transaction(door: Door) -> Tries:
    """AUTH has no place between MAIL and its end."""
    with door.private() as client:
        assert say(client, door.right()).code == 235
        assert client.say(f"MAIL FROM:<{door.user.address}>").code == 250
        yield client, say(client, door.right())
        yield client, client.login(door.other.name, door.other.password)
        assert client.say("RCPT TO:<c@world.test>").code == 250


def after_a_failure(door: Door) -> Tries:
    """Who failed once, or often, is who he was."""
    with door.private() as client:
        for _ in range(3):
            yield client, say(client, door.wrong())


def after_an_abort(door: Door) -> Tries:
    """A line inside an exchange is data; given up, it has proved nothing."""
    for mechanism in door.offered:
        with door.private() as client:
            assert client.say(f"AUTH {mechanism}").code == 334
            yield client, client.say("*")
            assert client.say(f"AUTH {mechanism}").code == 334
            yield client, client.say(f"MAIL FROM:<{door.user.address}>")


def pipelined(door: Door) -> Tries:
    """Commands behind AUTH in one segment do not run as anybody."""
    with door.private() as client:
        rest = f"MAIL FROM:<{door.user.address}>\r\nRCPT TO:<c@world.test>\r\n"
        lines = b"\r\n".join(door.wrong())
        client.send(lines + b"\r\n" + rest.encode() + b"DATA\r\nQUIT\r\n")
        replies = client.replies_until_closed()
        assert not [one for one in replies if one.code in {235, 250, 354}], replies
        yield client, next(one for one in replies if one.code != 334)


def auth_parameter(door: Door) -> Tries:
    """AUTH= of MAIL is no papers."""
    for listener in ("mx", door.family):
        for parameter in (f"postmaster@{OWN}", "<>", door.user.address):
            with door.dial(listener) as client:
                client.ehlo()
                assert client.say("STARTTLS").code == 220
                client.handshake()
                client.ehlo()
                reply = client.say(f"MAIL FROM:<a@outside.test> AUTH={parameter}")
                if reply.code == 250:
                    reply = client.say("RCPT TO:<c@world.test>")
                yield client, reply


PROXY_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x19\0\x19"


def said_to_be_another(door: Door) -> Tries:
    """Where no proxy is configured there is none: no client says where it is from."""
    for listener in ("mx", door.family):
        for line in (
            b"XCLIENT ADDR=127.0.0.1 LOGIN=admin",
            b"XFORWARD ADDR=127.0.0.1",
            b"PROXY TCP4 127.0.0.1 127.0.0.1 1 25",
            PROXY_2,
        ):
            with door.dial(listener) as client:
                source = source_of(client)
                client.send(line + b"\r\nEHLO x.test\r\n")
                replies = _up_to_ehlo(client)
                assert not [r for r in replies if r.code in {220, 235}], replies
                yield client, replies[0]
            door.service.wait_for_event("session.opened", client=source)


def _up_to_ehlo(client: Dialogue) -> list[Reply]:
    """Read replies to lines of no known number."""
    replies: list[Reply] = []
    with contextlib.suppress(ClosedError, ConnectionError):
        while not replies or replies[-1].code != 250:
            replies.append(client.reply())
    return replies


def greeted_as_another(door: Door) -> Tries:
    """A name in a greeting opens nothing."""
    for name in ("localhost", "[127.0.0.1]", HOSTNAME, OWN, "[IPv6:::1]"):
        for verb in ("EHLO", "HELO"):
            for listener in ("mx", door.family):
                with door.dial(listener) as client:
                    assert client.say(f"{verb} {name}").code == 250
                    reply = client.say("MAIL FROM:<a@outside.test>")
                    if reply.code == 250:
                        reply = client.say("RCPT TO:<c@world.test>")
                    yield client, reply


def backend_gone(door: Door) -> Tries:
    """What verifies cannot be asked: not now, nothing remembered, and no restart."""
    assert door.outage is not None
    right = door.right
    if "PLAIN" in door.offered:
        # Somebody who was not verified a moment ago: that counts for a minute.
        unseen = plain(door.other.name, door.other.password)
        right = lambda: unseen  # noqa: E731

    def is_right() -> bool:
        with door.private() as client:
            return say(client, right()).code == 235

    with door.outage():
        for lines in (right, door.wrong):
            with door.private() as client:
                yield client, say(client, lines())
    wait_for("235", is_right, 10)
    with door.private() as client:
        assert say(client, door.wrong()).status in REFUSED


def not_enforced(door: Door) -> Tries:
    """Without papers a submission takes nothing, not even for our own domains."""
    for recipient in ("c@world.test", f"known@{OWN}", "postmaster"):
        with door.private() as client:
            yield client, client.say(f"MAIL FROM:<{door.user.address}>")
            assert client.say(f"RCPT TO:<{recipient}>").code in {503, 530}
