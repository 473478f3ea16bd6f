"""``[[authenticator]]``: one table a kind, one row a table.

A kind's builder stands in `sekisho.app.authenticators`.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, Discriminator, PlainValidator, Tag

from sekisho.config.certificates import Certificate
from sekisho.config.fields import Name, text
from sekisho.config.kerberos import Kerberos, Winbind
from sekisho.config.ldap import Ldap
from sekisho.config.oidc import Oidc
from sekisho.config.plugin import Plugin, installed, plugin_mechanisms
from sekisho.config.problems import did_you_mean, wrong
from sekisho.config.table import Table

VERIFIES: Mapping[str, tuple[str, ...]] = {
    "local": (
        *("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"),
        *("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"),
    ),
    "oidc": ("OAUTHBEARER", "XOAUTH2"),
    "certificate": ("EXTERNAL",),
    "ldap": ("PLAIN", "LOGIN"),
    "kerberos": ("GSSAPI", "GSS-SPNEGO", "PLAIN", "LOGIN"),
    "winbind": ("NTLM",),
}
"""The mechanisms that each kind can verify at best."""


def mechanisms_of(kind: str) -> tuple[str, ...]:
    """The mechanisms that a kind can verify at best."""
    return VERIFIES[kind] if kind in VERIFIES else plugin_mechanisms(kind)


MECHANISM_NAMES = (
    "EXTERNAL",
    "GSSAPI",
    "GSS-SPNEGO",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-1",
    "OAUTHBEARER",
    "XOAUTH2",
    "PLAIN",
    "LOGIN",
    "NTLM",
)
"""As registered, in the order of announcement; what ``mechanisms`` may name."""

OFF = ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1")
"""Announced only where ``mechanisms`` names them: for old programs."""


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


KINDS: dict[str, type[Table]] = {
    "local": Local,
    "ldap": Ldap,
    "oidc": Oidc,
    "certificate": Certificate,
    "kerberos": Kerberos,
    "winbind": Winbind,
}


def _known_kind(value: object) -> object:
    # Before its other keys are looked at: they would all be called unknown.
    match value:
        case {"kind": str(kind)} if kind not in KINDS and kind not in installed():
            known = [*KINDS, *installed()]
            raise wrong(f"{kind!r} is not known", did_you_mean(kind, known))
        case _:
            return value


def _kind_of(value: object) -> str:
    """The kind whose table reads it; one that says no kind is told so by any."""
    if isinstance(value, Table):
        kind = cast("str", getattr(value, "kind", "local"))
        return kind if kind in KINDS else "plug-in"
    match value:
        case {"kind": str(kind)} if kind in KINDS:
            return kind
        case {"kind": str(kind)} if kind in installed():
            return "plug-in"
        case _:
            return "local"


MechanismName = Annotated[str, PlainValidator(read_mechanism)]
Authenticator = Annotated[
    Annotated[Local, Tag("local")]
    | Annotated[Oidc, Tag("oidc")]
    | Annotated[Certificate, Tag("certificate")]
    | Annotated[Ldap, Tag("ldap")]
    | Annotated[Kerberos, Tag("kerberos")]
    | Annotated[Winbind, Tag("winbind")]
    | Annotated[Plugin, Tag("plug-in")],
    Discriminator(_kind_of),
    BeforeValidator(_known_kind),
]
