"""A copy with other fields, of a dataclass or of a `msgspec.Struct`."""

import dataclasses
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")


def replace(value: T, **fields: object) -> T:
    """Make the copy; what Python 3.13 calls `copy.replace`."""
    if isinstance(value, msgspec.Struct):
        return cast("T", msgspec.structs.replace(value, **fields))
    return dataclasses.replace(cast("Any", value), **fields)
