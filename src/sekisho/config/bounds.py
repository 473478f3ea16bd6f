"""The tables ``[limits]`` and ``[listener.limits]``, made from the model's own bounds.

A bound has one name: the field of `sekisho.model.limits`. The tables are made from
those classes, so a bound that is added there can be configured at once, with its
default and its description.
"""

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Annotated, Any, cast

from pydantic import BaseModel, PlainValidator, ValidationInfo, create_model
from pydantic import Field as Key

from sekisho.config.fields import STRICT
from sekisho.model.limits import Limits, ServiceLimits

Given = Mapping[str, int | float]
"""Only the bounds that the file names; the others keep their default."""

_LOWEST: Mapping[str, float] = {
    "max_command_bytes": 512,  # RFC 5321 §4.5.3.1.4
    "max_auth_line_bytes": 12288,  # RFC 4954 §4
    "max_text_line_bytes": 1000,  # RFC 5321 §4.5.3.1.6
    "max_message_bytes": 65536,  # RFC 5321 §4.5.3.1.7
    "max_header_bytes": 1024,
    "max_recipients": 100,  # RFC 5321 §4.5.3.1.8
    "max_hops": 10,
    "greeting_seconds": 0,
    "min_free_bytes": 0,
}
"""Where the lowest useful value is not 1."""

_HIGHEST_SECONDS = 366 * 86_400.0
_HIGHEST_COUNT = 2**53


def _key(bound: "Field[Any]") -> tuple[type[int | float], Any]:
    default = cast("int | float", bound.default)
    highest = _HIGHEST_SECONDS if bound.type is float else _HIGHEST_COUNT
    lowest = _LOWEST.get(bound.name, 1)
    return type(default), Key(default, ge=lowest, le=highest)


def _table(name: str, *of: type, without: str = "") -> type[BaseModel]:
    keys: dict[str, Any] = {}
    for one in of:
        keys |= {b.name: _key(b) for b in fields(one) if b.name != without}
    return create_model(name, __config__=STRICT, **keys)


AllBounds = _table("AllBounds", Limits, ServiceLimits)
# A loop goes over all listeners, so `policy` counts hops with one bound for them all.
SessionBounds = _table("SessionBounds", Limits, without="max_hops")

SESSION_NAMES = frozenset(bound.name for bound in fields(Limits))


def _given(table: type[BaseModel], value: object, info: ValidationInfo) -> Given:
    # A mapping, not the table itself: what is left out at a listener must fall back
    # to [limits], so "not given" and "given as the default" have to differ.
    return table.model_validate(value, context=info.context).model_dump(
        exclude_unset=True
    )


def read_all(value: object, info: ValidationInfo) -> Given:
    """Read the bounds of ``[limits]``."""
    return _given(AllBounds, value, info)


def read_session(value: object, info: ValidationInfo) -> Given:
    """Read the bounds of one listener."""
    return _given(SessionBounds, value, info)


GivenBounds = Annotated[Given, PlainValidator(read_all)]
GivenSessionBounds = Annotated[Given, PlainValidator(read_session)]
