"""AUTH-001 to AUTH-008 and what belongs to them: exchanges that prove nothing."""

import base64
import struct
from collections.abc import Iterator

from auth.test_ntlmssp import authenticate
from peers.dialogue import ClosedError, Dialogue, Reply, encoded
from peers.gss import Client
from real.auth_probes.doors import (
    NOBODY,
    NTLM_NEGOTIATE,
    NTLM_NULL_SESSION,
    Door,
    Lines,
    handshake,
    plain,
    say,
)

Tries = Iterator[tuple[Dialogue, Reply]]
"""What was tried: each reply, and its session, which must not relay afterwards."""

MECHANISMS = (
    *("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN", "GSSAPI", "GSS-SPNEGO"),
    *("NTLM", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "EXTERNAL"),
    *("ANONYMOUS", "OAUTHBEARER", "XOAUTH2", "OTP", "SKEY", "SRP", "KERBEROS_V4"),
    "X-UNKNOWN",
)

BROKEN = frozenset({"501 5.5.2"})
REFUSED = frozenset({"535 5.7.8"})
NOT_OFFERED = frozenset({"504 5.5.4"})
JUNK: dict[str, tuple[bytes, frozenset[str]]] = {
    "dot": (b".", BROKEN),
    "nothing": (b"", BROKEN | REFUSED),
    "equals": (b"=", BROKEN | REFUSED),
    "star": (b"*", frozenset({"501 5.7.0"})),
    "NUL": (b"AA==", BROKEN | REFUSED),
    "no alphabet": (b"!!!!", BROKEN),
    "no length": (b"A", BROKEN),
    "eight bits": (b"\xff\xfe", BROKEN | {"500 5.5.2"}),
    "too long": (b"A" * 12289 + b"===", frozenset({"500 5.5.6"})),
}


def attempt(door: Door, *lines: bytes) -> Tries:
    """Try one exchange in a session of its own."""
    with door.private() as client:
        yield client, say(client, lines)


def asked(mechanism: str, *answers: bytes) -> Lines:
    """AUTH without an initial response, and the answers."""
    return (f"AUTH {mechanism}".encode(), *answers)


def gssapi_dot(door: Door) -> Tries:
    """MS01-037: a lone dot where a token belongs."""
    yield from attempt(door, *asked("GSSAPI", b"."))
    for mechanism in door.offered:
        yield from attempt(door, *asked(mechanism, b"."))


def gssapi_dot_after_helo(door: Door) -> Tries:
    """Without EHLO there is no AUTH, for anybody."""
    for greeting in ("HELO x.test", ""):
        with door.dial() as client:
            if greeting:
                assert client.say(greeting).code == 250
            yield client, client.say("AUTH GSSAPI")
            assert client.say(".").code == 500
            yield client, client.say(door.right()[0])


def _without_papers(door: Door) -> Dialogue:
    """A session in which nothing but the exchange could be taken for papers."""
    client = door.dial()
    client.ehlo()
    assert client.say("STARTTLS").code == 220
    unknown = None
    if door.certificate is not None:
        unknown = door.peers.authority.issue("x", emails=["unknown@own.test"])
    handshake(client, unknown)
    offered = [line for line in client.ehlo() if line.startswith("AUTH ")]
    assert offered == [f"AUTH {' '.join(door.offered)}"]
    return client


def junk(door: Door) -> Tries:
    """Every answer at what is offered; what is not offered asks nothing.

    That no answer is waited for matters: none can be mistaken for a credential.
    """
    for mechanism in door.offered:
        for answer, safe in JUNK.values():
            with _without_papers(door) as client:
                reply = say(client, asked(mechanism, *[answer] * 5))
                assert reply.status in safe, (mechanism, answer, reply)
                yield client, reply
    missing = [one for one in MECHANISMS if one not in door.offered]
    answers = list(JUNK.values())
    for start in range(0, len(missing), 3):
        with door.private() as client:
            for number, mechanism in enumerate(missing[start : start + 3], start):
                reply = client.say(f"AUTH {mechanism}")
                assert reply.status in NOT_OFFERED, reply
                after = client.say(answers[number % len(answers)][0])
                assert after.code in {500, 501}, after
            yield client, client.say(f"AUTH {missing[start]}")


def all_junk(door: Door) -> Tries:
    """Every answer behind every mechanism that is not offered."""
    for mechanism in MECHANISMS:
        if mechanism in door.offered:
            continue
        for answer, _ in JUNK.values():
            with door.private() as client:
                reply = client.say(f"AUTH {mechanism}")
                assert reply.status in NOT_OFFERED, reply
                try:
                    assert client.say(answer).code in {500, 501, 421}
                except (ClosedError, ConnectionError):
                    continue
                yield client, reply


def _ntlm(message: bytes) -> Lines:
    return b"AUTH NTLM " + NTLM_NEGOTIATE, base64.b64encode(message)


def null_session(door: Door) -> Tries:
    """MS02-011."""
    yield from attempt(door, b"AUTH NTLM " + NTLM_NEGOTIATE, NTLM_NULL_SESSION)


def guest(door: Door) -> Tries:
    """Nobody's name, and a response made up: of the first version and the second."""
    for response in (b"r" * 24, b"r" * 48):
        for name in (NOBODY, "guest", ""):
            yield from attempt(door, *_ntlm(authenticate(name, "OWN", response)))


def ntlm_structure(door: Door) -> Tries:
    """Lengths and offsets that lead out of the message, and odd UTF-16."""
    whole = authenticate()
    for at in (12, 20, 28, 36):
        for length, offset in ((0xFFFF, 64), (48, 0xFFFFFFFF), (48, len(whole) - 1)):
            field = struct.pack("<HHI", length, length, offset)
            yield from attempt(door, *_ntlm(whole[:at] + field + whole[at + 8 :]))
    odd = struct.pack("<HHI", 7, 7, 64)
    lone = struct.pack("<HHI", 2, 2, len(whole))
    for field, more in ((odd, b""), (lone, b"\x00\xd8")):
        yield from attempt(door, *_ntlm(whole[:36] + field + whole[44:] + more))
    yield from attempt(door, *_ntlm(whole[:20]))


def switching(door: Door) -> Tries:
    """One mechanism after the other leaves nothing behind."""
    with door.private() as client:
        for mechanism in ("CRAM-MD5", "DIGEST-MD5"):
            assert client.say(f"AUTH {mechanism}").status in NOT_OFFERED
            assert client.say("*").code == 500
        for mechanism in door.offered[:3]:
            assert client.say(f"AUTH {mechanism}").code == 334
            assert client.say("*").status == "501 5.7.0"
        reply = say(client, door.wrong())
        assert client.say("NOOP").code == 250
        yield client, reply


def old_verbs(door: Door) -> Tries:
    """Verbs by which Exchange servers once spoke of AUTH."""
    lines = ("X-EXPS GSSAPI", "X-EXPS NTLM", "XEXCH50 2 2", "X-ANONYMOUSTLS")
    for line in (*lines, "X-LINK2STATE"):
        with door.private() as client:
            reply = client.say(line)
            assert client.say(".").code == 500
            yield client, reply


def anonymous(door: Door) -> Tries:
    """Nobody is nobody."""
    for line in (b"AUTH ANONYMOUS dGVzdA==", b"AUTH ANONYMOUS ="):
        yield from attempt(door, line)


def external_without_certificate(door: Door) -> Tries:
    """Nobody vouches for himself, in clear or under TLS."""
    lines = ["AUTH EXTERNAL =", "AUTH EXTERNAL"]
    lines += [f"AUTH EXTERNAL {encoded(n).decode()}" for n in (door.user.name, "x")]
    for line in lines:
        for tls in (False, True):
            with door.dial() as client:
                client.ehlo()
                if tls:
                    assert client.say("STARTTLS").code == 220
                    client.handshake()
                    client.ehlo()
                yield client, client.say(line)


def cram_md5(door: Door) -> Tries:
    """It needs passwords in clear on the server, so there is none to answer."""
    user = encoded(door.user.name + " " + "0" * 32)
    for answer in (encoded(door.user.name), user, encoded(f"{NOBODY} x")):
        with door.private() as client:
            reply = client.say("AUTH CRAM-MD5")
            assert client.say(answer).code == 500
            yield client, reply


def digest_md5(door: Door) -> Tries:
    """There is none, so no recorded response is replayed."""
    recorded = f'username="{door.user.name}",nonce="x",nc=00000001,response={"0" * 32}'
    with door.private() as client:
        reply = client.say("AUTH DIGEST-MD5")
        assert client.say(encoded(recorded)).code in {500, 501}
        yield client, reply


def srp(door: Door) -> Tries:
    """There is none, so no A that is 0 modulo N."""
    for a in (b"\0", b"\0" * 32):
        yield from attempt(door, *asked("SRP", encoded(door.user.name), encoded(a)))


def cached(door: Door) -> Tries:
    """What was right for one is not right for another, nor a second time."""
    yield from attempt(door, *asked("OTP", encoded("", door.user.name)))
    if "PLAIN" in door.offered:
        with door.private() as client:
            assert say(client, door.right()).code == 235
        yield from attempt(door, *plain(door.other.name, door.user.password))
    if "GSSAPI" in door.offered:
        yield from _ticket_twice(door)


def _ticket_twice(door: Door) -> Tries:
    with door.private() as client:
        token = base64.b64encode(Client(client).context.step())
        assert client.say(b"AUTH GSSAPI " + token).code == 334
        assert client.say("*").status == "501 5.7.0"
    yield from attempt(door, b"AUTH GSSAPI " + token)


def ntlm_tells_nothing(door: Door) -> Tries:
    """No challenge, so no name of a domain or a host in it."""
    yield from attempt(door, b"AUTH NTLM " + NTLM_NEGOTIATE)
