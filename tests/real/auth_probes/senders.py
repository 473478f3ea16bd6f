"""AUTH-080 to AUTH-083: what an identity may do, and what nobody may in its name."""

from peers.service import OWN
from real.auth_probes.doors import TENANT, Door, say
from real.auth_probes.exchanges import Tries


def _local(address: str) -> str:
    return address.partition("@")[0]


def envelope(door: Door) -> Tries:
    """An identity sends from its own addresses, letter by letter."""
    own = door.user.address
    local = _local(own)
    with door.private() as client:
        assert say(client, door.right()).code == 235
        for sender in (
            *(door.other.address, "ceo@world.test", f"{local}%x@{OWN}", ""),
            *(f"{local}@sub.{OWN}", f"{local}+tag@{OWN}", f'"{local} x"@{OWN}'),
            *(f'"{own}"@world.test', f"postmaster@{OWN}", f"{own}.world.test"),
            f"x{own}",
        ):
            reply = client.say(f"MAIL FROM:<{sender}>")
            if reply.code == 250:
                assert sender == ""
                reply = client.say("RCPT TO:<c@world.test>")
                assert reply.status == "550 5.7.1"
                assert client.say("RSET").code == 250
            yield client, reply
        for sender in (own, own.upper(), own.title()):
            assert client.say(f"MAIL FROM:<{sender}>").code == 250
            assert client.say("RSET").code == 250


def header(door: Door) -> Tries:
    """An identity writes as itself: one author, and no other sender."""
    own, other = door.user.address, door.other.address
    allowed = (
        f"From: {own}",
        f'From: "Us, er" <{own}>',
        f"From: =?utf-8?q?=C3=9C?= <{own}>",
    )
    refused = (
        f"From: {other}",
        "From: ceo@world.test",
        f"From: {own}\r\nFrom: {other}",
        f"From: {own}, {other}",
        f"From: ({own}) {other}",
        f'From: "{own}" <{other}>',
        f"From: {own} <{other}>",
        f"From: =?utf-8?q?{own}?= <{other}>",
        f"From: us: {own};",
        "Subject: x",
        "From:",
        f"From: {own}\r\nSender: {other}",
        f"From:\r\n {other}",
        f"FROM: {other}",
    )
    with door.private() as client:
        assert say(client, door.right()).code == 235
        for said in (*allowed, *refused):
            assert client.say(f"MAIL FROM:<{own}>").code == 250
            assert client.say("RCPT TO:<c@world.test>").code == 250
            assert client.say("DATA").code == 354
            mark = "allowed" if said in allowed else "refused"
            client.send(f"{said}\r\nX-Mark: {mark}\r\n\r\nx\r\n.\r\n".encode())
            reply = client.reply()
            if said in allowed:
                assert reply.code == 250, (said, reply)
            else:
                yield client, reply


def from_outside(door: Door) -> Tries:
    """A stranger does not send as one of us."""
    with door.dial("mx") as client:
        client.ehlo()
        reply = client.say(f"MAIL FROM:<{door.user.address}>")
        if reply.code == 250:
            reply = client.say(f"RCPT TO:<known@{OWN}>")
        yield client, reply


def cross_tenant(door: Door) -> Tries:
    """Who has papers for one of our domains has none for another."""
    with door.private() as client:
        assert say(client, door.right()).code == 235
        for local in (_local(door.user.address), "postmaster", "ceo"):
            yield client, client.say(f"MAIL FROM:<{local}@{TENANT}>")
