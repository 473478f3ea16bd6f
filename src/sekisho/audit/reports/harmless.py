"""Text from outside, made harmless before any report shows it.

A server chooses its banner and its replies. Escape sequences would steer a terminal,
bidirectional marks and zero-width characters make a line read otherwise than it is
stored, control characters break XML, and a line without end fills a page. So all that
is not printable is spelled as an escape, and what is too long is cut, saying so.
What a format needs besides (quoting of HTML, of XML) is done by that format.
"""

MAX_CHARACTERS = 2000
_IDEOGRAPHIC_SPACE = "\u3000"


def harmless(text: str) -> str:
    """Spell what is not printable, and cut what is longer than `MAX_CHARACTERS`."""
    cut = text[:MAX_CHARACTERS]
    if not cut.isprintable():
        cut = "".join(map(_spelled, cut))
    left = len(text) - MAX_CHARACTERS
    return f"{cut} … (+{left})" if left > 0 else cut


def _spelled(character: str) -> str:
    if character.isprintable() or character == _IDEOGRAPHIC_SPACE:
        return character
    number = ord(character)
    if number <= 0xFF:  # noqa: PLR2004 - what two digits hold
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"  # noqa: PLR2004
