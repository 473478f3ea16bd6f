"""Messages, and what must be true of one that was carried."""

import itertools
import re

_numbers = itertools.count(1)

DATE = "Mon, 21 Sep 2026 12:00:00 +0000"

TRICKY_BODY = (
    ".\r\n..\r\n.x\r\n...\r\n \r\n\r\nA line of Grüße and 関所.\r\n"
    + "x" * 990
    + "\r\nFrom here on nothing.\r\n"
)
"""Dots, blanks, 8-bit, a long line, what an mbox would quote."""


def token() -> str:
    """Give a word that stands in one message only."""
    return f"token{next(_numbers)}"


def a_message(
    mark: str,
    *,
    author: str = "user@own.test",
    to: str = "somebody@world.test",
    body: str = "Hello.\r\n",
) -> bytes:
    """Write a whole message, with everything that a relay might otherwise add."""
    header = (
        f"From: {author}\r\nTo: {to}\r\nSubject: {mark}\r\nDate: {DATE}\r\n"
        f"Message-ID: <{mark}@client.test>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    )
    return (header + "\r\n" + body).encode()


def stuffed(message: bytes) -> bytes:
    """Give the message as DATA wants it, its end included (RFC 5321 §4.5.2)."""
    return re.sub(rb"(?m)^\.", b"..", message) + b".\r\n"


def assert_carried(arrived: bytes, sent: bytes) -> None:
    """Want `sent`, octet by octet, below nothing but our own trace fields."""
    assert arrived.endswith(sent), (arrived, sent)
    added = arrived[: len(arrived) - len(sent)]
    assert added.startswith(b"Received: from "), added
    for line in added.split(b"\r\n")[:-1]:
        assert re.match(rb"(?:[A-Za-z-]+:)?[ \t]", line), added


def lf(message: bytes) -> bytes:
    """Give a message with the line ends that a Maildir file has."""
    return message.replace(b"\r\n", b"\n")
