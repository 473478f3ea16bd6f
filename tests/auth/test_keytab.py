"""What a keytab holds is read to its end, and what is none is told from it."""

import pytest

from sekisho.auth.kerberos.keytab import KeytabError, principals

SMTP = "smtp/relay.test@OWN.TEST"


def counted(text: str) -> bytes:
    return len(text).to_bytes(2) + text.encode()


def entry(principal: str, key: str = "k" * 32) -> bytes:
    name, _, realm = principal.partition("@")
    parts = name.split("/")
    octets = len(parts).to_bytes(2) + counted(realm) + b"".join(map(counted, parts))
    octets += bytes(4 + 4 + 1 + 2) + counted(key) + bytes(4)
    return len(octets).to_bytes(4) + octets


def keytab(*entries: bytes) -> bytes:
    return b"\x05\x02" + b"".join(entries)


def test_all_entries_are_found_behind_holes_and_until_the_end() -> None:
    hole = (-3).to_bytes(4, signed=True) + b"xyz"
    found = keytab(entry(SMTP), hole, entry("http/relay.test@OWN.TEST"), bytes(4), b"?")
    assert principals(found) == {SMTP, "http/relay.test@OWN.TEST"}
    assert principals(keytab()) == frozenset()


def test_what_is_cut_off_anywhere_is_no_keytab() -> None:
    whole = keytab(entry(SMTP))
    for length in range(len(whole)):
        if length != 2:
            with pytest.raises(KeytabError):
                principals(whole[:length])


@pytest.mark.parametrize(
    "octets", [b"", b"keys to come", b"\x05\x03" + entry(SMTP), keytab(entry(SMTP, ""))]
)
def test_what_is_something_else_is_no_keytab(octets: bytes) -> None:
    with pytest.raises(KeytabError):
        principals(octets)
