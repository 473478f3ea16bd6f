"""``[[authenticator]]``: one table a kind, one row a table.

A kind's builder stands in `sekisho.app.authenticators`.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, PlainValidator

from sekisho.config.fields import Name, text
from sekisho.config.problems import did_you_mean, wrong
from sekisho.config.table import Table

MECHANISM_NAMES = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN")
"""As registered; what ``mechanisms`` of a listener may name."""


class Local(Table):
    """The accounts of ``sekisho user``; asked in the file's order.

    Without any ``[[authenticator]]`` there is this one.

    Attributes:
        kind: ``local``.
        name: Shown in the log.

    """

    kind: Literal["local"]
    name: Name = "local"


def read_mechanism(value: object) -> str:
    """Read a SASL mechanism's name."""
    name = text(value).upper()
    if name not in MECHANISM_NAMES:
        raise wrong(f"{value!r} is no mechanism", did_you_mean(name, MECHANISM_NAMES))
    return name


KINDS: dict[str, type[Table]] = {"local": Local}


def _known_kind(value: object) -> object:
    # Before its other keys are looked at: they would all be called unknown.
    match value:
        case {"kind": str(kind)} if kind not in KINDS:
            raise wrong(f"{kind!r} is not known", did_you_mean(kind, KINDS))
        case _:
            return value


MechanismName = Annotated[str, PlainValidator(read_mechanism)]
Authenticator = Annotated[Local, BeforeValidator(_known_kind)]
"""Of several kinds: a union of tagged tables, with pydantic's `Discriminator`."""
