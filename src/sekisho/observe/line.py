"""An event as one line: JSON for programs, words for people.

Promise: one event, one line, whatever its texts hold. Controls (those of C1 and DEL
too, which JSON leaves alone and terminals obey) and line separators are escaped; a
lone surrogate becomes ``?``. The first two keys of the JSON are ``time`` (RFC 3339,
UTC, milliseconds) and ``event``.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from sekisho.observe.events import Event

_ENCODER = msgspec.json.Encoder()
# In UTF-8: DEL, U+0080 to U+009F, U+2028, U+2029.
_UNSAFE = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]")
_PLAIN_VALUE = re.compile(r"[^\s\"=\x00-\x1f\x7f-\x9f]+")


def json_line(event: Event, now: float) -> bytes:
    """Write an event as one JSON object, without a newline.

    Args:
        event: What happened.
        now: Unix seconds.

    """
    try:
        encoded = _ENCODER.encode(event)
    except UnicodeEncodeError:
        # Octets that were never UTF-8 came in as lone surrogates.
        encoded = _ENCODER.encode(_without_surrogates(msgspec.to_builtins(event)))
    if not encoded.isascii() or b"\x7f" in encoded:
        encoded = _UNSAFE.sub(_escaped, encoded)
    return _head(int(now * 1000)) + encoded[1:]


def text_line(event: Event, now: float) -> bytes:
    """Write an event for people: time, name, then ``key=value`` in the fields' order.

    Args:
        event: What happened.
        now: Unix seconds.

    """
    fields: dict[str, Any] = msgspec.json.decode(json_line(event, now))
    when, name = fields.pop("time"), fields.pop("event")
    words = [f"{key}={_value(value)}" for key, value in fields.items()]
    return " ".join((when, name, *words)).encode()


def _without_surrogates(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {key: _without_surrogates(one) for key, one in value.items()}  # pyright: ignore[reportUnknownVariableType] - JSON
        case list():
            return [_without_surrogates(one) for one in value]  # pyright: ignore[reportUnknownVariableType] - JSON
        case _:
            return value


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found[0].decode())


@lru_cache(maxsize=16)
def _head(milliseconds: int) -> bytes:
    """How the lines of one millisecond begin."""
    return b'{"time":"%b.%03dZ",' % (
        _second(milliseconds // 1000),
        milliseconds % 1000,
    )


@lru_cache(maxsize=16)
def _second(second: int) -> bytes:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}".encode()


def _value(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, list | dict):
        return _ENCODER.encode(value).decode()
    text = str(value)
    if _PLAIN_VALUE.fullmatch(text):
        return text
    return _UNSAFE.sub(_escaped, _ENCODER.encode(text)).decode()
