"""AUTH-032 to AUTH-042: certificates, SCRAM and tokens that prove nothing."""

import base64
import datetime as dt
import hmac
import ssl
import time
from collections.abc import Iterator

from joserfc.jwk import RSAKey

from peers.authority import SERVER, ClientAuthority, ClientCertificate
from peers.dialogue import ClosedError, encoded
from peers.oidc import OidcProvider, b64url
from peers.service import OWN
from real.auth_probes.doors import (
    NOBODY,
    Door,
    handshake,
    plain,
    say,
    shown,
)
from real.auth_probes.exchanges import Tries, attempt
from real.auth_probes.scram import Scram, b64, end_point_of

# -- certificates ---------------------------------------------------------------------


def certificates(door: Door) -> Tries:
    """Another authority's, one that is too old, or that names nobody."""
    authority, mine = door.peers.authority, [door.user.name]
    folder = authority.folder.parent
    hour = dt.timedelta(hours=1)
    for untrusted in (
        ClientAuthority(folder / "other").issue("x", emails=mine),
        ClientAuthority(folder / "own", door.user.name).issue("x", emails=mine),
        authority.issue("x", emails=mine, ends=-hour),
        authority.issue("x", emails=mine, begins=hour),
        authority.issue("x", emails=mine, usage=[SERVER]),
    ):
        assert not _is_let_in(door, untrusted)
    for nobody in (
        authority.issue(door.user.name),
        authority.issue("x", emails=[f"unknown@{OWN}"]),
        authority.issue("x", emails=mine, usage=[]),
    ):
        for claimed in ("", door.user.name):
            with door.dial() as client:
                client.ehlo()
                assert client.say("STARTTLS").code == 220
                handshake(client, nobody)
                client.ehlo()
                line = b"AUTH EXTERNAL " + (encoded(claimed) or b"=")
                yield client, client.say(line)
    of_two = authority.issue("x", emails=[door.user.name, door.other.name])
    with door.dial() as client:  # whose it is, has to be said
        client.ehlo()
        assert client.say("STARTTLS").code == 220
        handshake(client, of_two)
        client.ehlo()
        yield client, client.say("AUTH EXTERNAL =")


def _is_let_in(door: Door, untrusted: ClientCertificate) -> bool:
    with door.dial() as client:
        client.ehlo()
        assert client.say("STARTTLS").code == 220
        try:
            handshake(client, untrusted)
            client.ehlo()
            reply = client.say("AUTH EXTERNAL =")
        except (ssl.SSLError, ClosedError, OSError):
            return False
        return reply.code not in {504, 535}


# -- SCRAM ----------------------------------------------------------------------------


def _of_user(door: Door) -> tuple[str, str]:
    return door.user.name, door.user.password


def scram_nonces(door: Door) -> Tries:
    """Only the whole nonce of this exchange is one."""
    with door.private() as client:  # a control: rightly done it is right
        right = Scram(client, *_of_user(door))
        assert right.first().code == 334
        assert right.final().code == 235
    for wrong in ("", "fyko+d2lbbFgONRv9qkxdawL", "x", right.nonce):
        with door.private() as client:
            scram = Scram(client, *_of_user(door))
            assert scram.first().code == 334
            assert scram.nonce != right.nonce
            yield client, scram.final(nonce=wrong)
    with door.private() as client:  # the whole message again
        scram = Scram(client, *_of_user(door))
        assert scram.first().code == 334
        yield client, client.say(b64(right.said.encode()))
    for empty in ("", "a,b"):
        with door.private() as client:
            yield client, Scram(client, *_of_user(door)).first(empty)


def scram_proofs(door: Door) -> Tries:
    """A proof is whole, is there once, and is of this hash."""
    for ends in (
        *(",p=", f",p={b64(bytes(32))}", ",p=AA==", f",p={b64(bytes(20))}"),
        *(f",p={b64(bytes(32))},p={b64(bytes(32))}", ",x=y", " "),
    ):
        with door.private() as client:
            scram = Scram(client, *_of_user(door))
            assert scram.first().code == 334
            yield client, scram.final(ends=ends)
    with door.private() as client:  # a right one, cut, and told twice
        scram = Scram(client, *_of_user(door))
        assert scram.first().code == 334
        right = scram.proof(f"c={scram.bound},r={scram.nonce}")
        yield client, scram.final(ends=f",p={b64(right[:-1])}")
    with door.private() as client:
        scram = Scram(client, *_of_user(door))
        assert scram.first().code == 334
        right = scram.proof(f"c={scram.bound},r={scram.nonce}")
        yield client, scram.final(ends=f",p={b64(right)},p={b64(right)}")
    with door.private() as client:
        scram = Scram(client, *_of_user(door), hashed="sha1")
        assert scram.first().code == 334
        yield client, scram.final()


def scram_bindings(door: Door) -> Tries:
    """A binding is this session's, said where it is meant, and not talked away."""
    name, password = _of_user(door)
    end_point = "p=tls-server-end-point,,"
    with door.private() as client:  # a control: bound rightly it is right
        scram = Scram(
            *(client, name, password),
            header=end_point,
            binding=end_point_of(client),
            plus=True,
        )
        assert scram.first().code == 334
        assert scram.final().code == 235
    for header, binding, plus in (
        ("y,,", b"", False),
        (end_point, b"\x07" * 32, True),
        (end_point, b"", True),
        ("n,,", b"", True),
        (end_point, b"\x07" * 32, False),
        ("p=tls-unique,,", b"\x07" * 12, True),
        ("p=tls-exporter,,", b"\x07" * 32, True),
        ("p=unknown,,", b"", True),
        (f"n,a={door.other.name},", b"", False),
        (f"n,a={NOBODY},", b"", False),
        ("x,,", b"", False),
        ("", b"", False),
    ):
        with door.private() as client:
            scram = Scram(
                client, name, password, header=header, binding=binding, plus=plus
            )
            reply = scram.first()
            yield client, scram.final() if reply.code == 334 else reply
    for bound in (b64(b"y,,"), b64(b"n,a=x,"), "biws=", "AAAA"):
        with door.private() as client:
            scram = Scram(client, name, password)
            assert scram.first().code == 334
            yield client, scram.final(bound=bound)


def scram_unknown(door: Door) -> Tries:
    """An unknown name has a salt that stays, and the usual count; ``m=`` is refused."""
    heard: dict[str, list[tuple[str, str, int]]] = {}
    for name in (NOBODY, f"another-{NOBODY}", door.user.name):
        for _ in range(2):
            with door.private() as client:
                scram = Scram(client, name, "wrong")
                assert scram.first().code == 334
                shape = (scram.salt, scram.count, len(scram.nonce))
                heard.setdefault(name, []).append(shape)
                yield client, scram.final()
    assert all(one == another for one, another in heard.values())
    assert len({len(salt) for [(salt, _, _), _] in heard.values()}) == 1
    assert len({salt for [(salt, _, _), _] in heard.values()}) == 3
    assert len({(count, size) for [(_, count, size), _] in heard.values()}) == 1
    with door.private() as client:
        yield client, Scram(client, *_of_user(door)).first(more="m=x,")


# -- tokens ---------------------------------------------------------------------------


def _refusals(door: Door, token: str, user: str = "") -> Tries:
    """By both mechanisms, to the end: an error in JSON, then the refusal."""
    user = user or door.user.name
    gs2 = encoded(f"n,a={user},\x01auth=Bearer {token}\x01\x01")
    oauthbearer = (b"AUTH OAUTHBEARER " + gs2, encoded("\x01"))
    for lines in (shown(token, user), oauthbearer):
        with door.private() as client:
            asked = client.say(lines[0])
            if asked.code == 334:
                error = base64.b64decode(asked.lines[0])
                assert error.startswith(b'{"status":'), error
                yield client, client.say(lines[1])
            else:  # what is no token by its alphabet is not judged at all
                yield client, asked


def forged_tokens(door: Door) -> Tries:
    """Signatures that are none, of another kind, or by keys that the token brings."""
    for token in _forged(door.peers.provider):
        yield from _refusals(door, token)
    provider = door.peers.provider
    assert {one.path for one in provider.asked} <= {"/keys", "/introspect"}


def _forged(provider: OidcProvider) -> Iterator[str]:
    head, body, signature = provider.token().split(".")
    for name in ("none", "None", "nOnE", ""):
        unsigned = b64url(f'{{"alg":"{name}","kid":"key-0"}}'.encode())
        yield f"{unsigned}.{body}."
        yield f"{unsigned}.{body}.AA"
    yield f"{head}.{body}."
    yield f"{head}.{body}.{signature[:20]}"
    yield f"{head}.{body}"
    key = provider.keys[-1]
    assert isinstance(key, RSAKey)
    public = key.as_pem(private=False)
    confused = b64url(b'{"alg":"HS256","kid":"key-0"}') + f".{body}"
    yield f"{confused}.{b64url(hmac.digest(public, confused.encode(), 'sha256'))}"
    with OidcProvider() as attacker:
        own = attacker.keys[-1]
        there = f"{attacker.url}/keys"
        for header in (
            {},
            {"kid": "../../../dev/null"},
            {"jku": there},
            {"x5u": there},
            {"jwk": own.as_dict(private=False)},
        ):
            yield provider.token(key=own, header=header)
        assert attacker.asked == []


def foreign_tokens(door: Door) -> Tries:
    """Good tokens for something or somebody else, or not now."""
    provider, now = door.peers.provider, int(time.time())
    introspected = door.family == "introspection"
    make = provider.handle if introspected else provider.token
    for token in (
        make(aud="another"),
        make(iss="https://evil.test"),
        make(exp=now - 3600),
        make(nbf=now + 3600),
        make(scope="openid"),
        make(at_hash="x"),
        make(cnf={"jkt": "x"}),
        make(preferred_username=...),
        make(preferred_username="a\nb"),
    ):
        yield from _refusals(door, token)
    yield from _refusals(door, make(), door.other.name)
    if not introspected:
        yield from _refusals(door, provider.token(header={"typ": "logout+jwt"}))


def token_as_password(door: Door) -> Tries:
    """A token is no password, wherever it is said."""
    token = door.peers.provider.token()
    yield from attempt(door, *plain(door.user.name, token))
    for lines in (shown(token, door.user.name),):
        with door.private() as client:
            yield client, say(client, lines)


def tokens_elsewhere(door: Door) -> Tries:
    """Where tokens are taken, those that are not for us; elsewhere, all of them."""
    if "XOAUTH2" in door.offered:
        yield from foreign_tokens(door)
        yield from attempt(door, *plain(door.user.name, door.peers.provider.token()))
    else:
        yield from token_as_password(door)
