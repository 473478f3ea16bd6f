"""AUTH-065 to AUTH-070: what a guesser learns, by text, by time, and from the log."""

import base64
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from auth.ranks import assert_alike
from peers.dialogue import ClosedError, Dialogue, encoded
from peers.gss import Client
from peers.service import OWN
from real.auth_probes.doors import (
    NOBODY,
    Door,
    Lines,
    handshake,
    plain,
    say,
    shown,
)
from real.auth_probes.exchanges import REFUSED, Tries, asked
from real.auth_probes.scram import Scram

PAIRS = 30
GUESSES_A_SESSION = 4
"""One more would be braked."""


def braked(door: Door) -> Tries:
    """Guessing ends soon, and locks nobody else out."""
    statuses: list[str] = []
    with door.private() as client:
        try:
            while len(statuses) < 12:
                statuses += [say(client, door.wrong()).status]
        except (ClosedError, ConnectionError):
            pass
        assert statuses[-1] == "421 4.7.0", statuses
        assert set(statuses[:-1]) <= REFUSED, statuses
        assert len(statuses) <= 7
    if door.right() != door.wrong():
        with door.private() as client:
            assert say(client, door.right()).code == 235
    with door.private() as client:
        yield client, say(client, door.wrong())


Guess = Callable[[Dialogue], list[bytes]]


def _say_all(lines: Lines) -> Guess:
    def guess(client: Dialogue) -> list[bytes]:
        return [bytes(client.say(line)) for line in lines]

    return guess


def _scram(name: str) -> Guess:
    def guess(client: Dialogue) -> list[bytes]:
        scram = Scram(client, name, "wrong")
        assert scram.first().code == 334
        shape = f"{len(scram.nonce)} {len(scram.salt)} {scram.count}".encode()
        return [shape, bytes(scram.final(ends=",p=" + "A" * 43 + "="))]

    return guess


def _pairs(door: Door) -> dict[str, tuple[Guess, Guess]]:
    """By mechanism: a wrong password of somebody, and a password of nobody.

    With tokens it is one with a wrong signature that is about somebody or nobody:
    there is no table of users. With tickets the server never sees an unknown user or a
    wrong password (the KDC refuses both); the passwords it does see are sent to the
    KDC, and are compared here. With certificates it is one that may not be another,
    and one of nobody.
    """
    user, nobody = door.user.name, NOBODY
    if "@" in user:
        nobody = f"{NOBODY}@{OWN}"

    def both(lines: Callable[[str], Lines]) -> tuple[Guess, Guess]:
        return _say_all(lines(user)), _say_all(lines(nobody))

    def broken_token(name: str) -> Lines:
        token = door.peers.provider.token(preferred_username=name)
        return shown(token[:-8] + "AAAAAAAA", name)

    def by_login(name: str) -> Lines:
        return asked("LOGIN", encoded(name), encoded("wrong"))

    every: dict[str, tuple[Guess, Guess]] = {
        "PLAIN": both(lambda name: plain(name, "wrong")),
        "LOGIN": both(by_login),
        "SCRAM-SHA-256": (_scram(user), _scram(nobody)),
        "XOAUTH2": both(broken_token),
    }
    return {name: pair for name, pair in every.items() if name in door.offered}


def unknown_reads_alike(door: Door) -> Tries:
    """Octet by octet, and as many questions."""
    for guesses in _pairs(door).values():
        heard: list[list[bytes]] = []
        for guess in guesses:
            with door.private() as client:
                heard.append(guess(client))
        assert heard[0] == heard[1]
    if door.certificate is not None:
        yield from _certificates_read_alike(door)
    if "GSSAPI" in door.offered:
        yield from _tickets_read_alike(door)
    with door.private() as client:
        yield client, say(client, door.wrong())


def _certificates_read_alike(door: Door) -> Tries:
    authority = door.peers.authority
    for emails in ([door.user.name], [f"{NOBODY}@{OWN}"], []):
        with door.dial() as client:
            client.ehlo()
            assert client.say("STARTTLS").code == 220
            handshake(client, authority.issue("x", emails=emails))
            client.ehlo()
            reply = client.say(b"AUTH EXTERNAL " + encoded(door.other.name))
            assert reply == b"535 5.7.8 " + reply.partition(b"5.7.8 ")[2]
            yield client, reply


def _tickets_read_alike(door: Door) -> Tries:
    heard: set[bytes] = set()
    with door.private() as client:
        foreign = Client(client, target="http@relay.test").context.step()
    for token in (foreign, b"\x60\x03abc"):
        with door.private() as client:
            reply = client.say(b"AUTH GSSAPI " + base64.b64encode(token))
            heard.add(bytes(reply))
            yield client, reply
    assert len(heard) == 1


def unknown_takes_as_long(door: Door) -> Tries:
    """Thirty pairs, by a rank test."""
    for name, guesses in _pairs(door).items():
        if name == "LOGIN":  # the same question as PLAIN, in two lines
            continue

        def measure(guesses: tuple[Guess, Guess] = guesses) -> list[list[float]]:
            return _measured(door, guesses)

        assert_alike(measure, name)
    with door.private() as client:
        yield client, say(client, door.wrong())


def _measured(door: Door, guesses: tuple[Guess, Guess]) -> list[list[float]]:
    """The seconds of each guess, taken in turn."""
    turns = [(0, 1), (1, 0)]
    order = [side for pair in range(PAIRS) for side in turns[pair % 2]]
    batches = [
        order[n : n + GUESSES_A_SESSION]
        for n in range(0, len(order), GUESSES_A_SESSION)
    ]

    def session(batch: list[int]) -> list[tuple[int, float]]:
        taken: list[tuple[int, float]] = []
        with door.private() as client:
            for side in batch:
                began = time.perf_counter()
                guesses[side](client)
                taken.append((side, time.perf_counter() - began))
        return taken

    # Refusals of a realm keep a beat of a quarter of a second: those can overlap.
    with ThreadPoolExecutor(5 if "GSSAPI" in door.offered else 1) as pool:
        all_taken = [one for taken in pool.map(session, batches) for one in taken]
    return [[t for side, t in all_taken if side == wanted] for wanted in (0, 1)]


def users_by_other_verbs(door: Door) -> Tries:
    """VRFY and EXPN tell of nobody."""
    for listener in ("mx", door.family):
        with door.dial(listener) as client:
            client.ehlo()
            heard: set[bytes] = set()
            for name in (door.user.address, f"{NOBODY}@{OWN}", "root", "postmaster"):
                reply = client.say(f"VRFY {name}")
                heard.add(bytes(reply))
                yield client, reply
            assert len(heard) == 1
            yield client, client.say("EXPN list")


def secrets_in_the_log(door: Door) -> Tries:
    """However they are said: early, in other letters, right, wrong."""
    right, wrong = door.right(), door.wrong()
    for lines in (right, wrong):
        with door.dial() as client:  # before EHLO
            client.say(lines[0])
        with door.private() as client:
            say(client, (lines[0].replace(b"AUTH ", b"auth  ", 1), *lines[1:]))
        with door.private() as client:
            say(client, lines)
    with door.private() as client:
        yield client, say(client, door.wrong())
    written = door.service.log_file.read_text() + door.service.process.output()
    secrets = {part.decode() for lines in (right, wrong) for part in lines[0].split()}
    secrets |= {door.user.password, encoded(door.user.password).decode()}
    for secret in secrets:
        if len(secret) > len("SCRAM-SHA-256-PLUS") and secret not in door.offered:
            assert secret not in written
