"""``[[authenticator]] kind = "oidc"``: bearer tokens of an identity provider."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, PlainValidator, TypeAdapter

from sekisho.config.fields import STRICT, Many, Name, OwnDomainName, Some, choice, text
from sekisho.config.outside import FilePath, SecretText
from sekisho.config.problems import did_you_mean, wrong
from sekisho.config.table import Table

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
)
"""Signatures by a key that the provider alone has; never ``none``, never ``HS…``."""

MAX_URL_CHARACTERS = 2048
_URL = re.compile(r"[!-~]+")
_CLAIM = re.compile(r"[!-~]{1,255}")
_SCOPE = re.compile(r"[!#-\[\]-~]{1,255}")


def read_url(value: object) -> str:
    """Read an ``https://`` URL; ``http://`` for this machine alone."""
    given = text(value, 'a text such as "https://login.example.com/keys"')
    if not _URL.fullmatch(given) or len(given) > MAX_URL_CHARACTERS:
        raise wrong("is no URL", 'such as "https://login.example.com/keys"')
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError as error:
        raise wrong(f"{given!r} is no URL") from error
    if parts.username is not None or parts.password is not None:
        # Not shown: a password may stand there.
        raise wrong("a login does not belong in a URL", "client_id and client_secret")
    if not parts.hostname or parts.fragment or port == 0:
        raise wrong(f"{given!r} is no URL of a host")
    if parts.scheme == "http" and not is_loopback(parts):
        raise wrong(f"{given!r}: whoever listens in could change the answer", "https")
    if parts.scheme not in ("http", "https"):
        raise wrong(f"{given!r} is no https URL")
    return given


def is_loopback(parts: SplitResult) -> bool:
    """Whether a URL leads to this machine."""
    host = parts.hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_claim(value: object) -> str:
    """Read a claim's name, or names with dots between them."""
    given = text(value)
    if not _CLAIM.fullmatch(given):
        raise wrong(f"{given[:80]!r} is no claim", 'such as "preferred_username"')
    return given


def read_scope(value: object) -> str:
    """Read one scope (RFC 6749 §3.3)."""
    given = text(value)
    if not _SCOPE.fullmatch(given):
        raise wrong(f"{given[:80]!r} is no scope", "one without spaces; more in a list")
    return given


def read_algorithm(value: object) -> str:
    """Read the name of a signature algorithm."""
    given = text(value)
    if given == "none" or given.startswith("HS"):
        raise wrong(
            f"{given!r} proves nothing: whoever can check it can make it",
            did_you_mean("RS256", ALGORITHMS),
        )
    return choice(*ALGORITHMS)(given)


def read_required(value: object) -> Mapping[str, tuple[str, ...]]:
    """Read ``{ claim = ["value", …] }``."""
    if not isinstance(value, dict):
        raise wrong("must be a table", '{ azp = ["mail-client"] }')
    return _REQUIRED.validate_python(value)


Url = Annotated[str, PlainValidator(read_url)]
Claim = Annotated[str, PlainValidator(read_claim)]
Scope = Annotated[str, PlainValidator(read_scope)]
Algorithm = Annotated[str, PlainValidator(read_algorithm)]
Required = Annotated[Mapping[str, tuple[str, ...]], PlainValidator(read_required)]
Text = Annotated[str, Field(min_length=1, max_length=2048)]
_REQUIRED: TypeAdapter[dict[str, tuple[str, ...]]] = TypeAdapter(
    dict[Claim, Annotated[Many[Text], Some]], config=STRICT
)


class Oidc(Table):
    """Bearer tokens of an identity provider, such as Microsoft Entra or Keycloak.

    Clients give them by OAUTHBEARER or XOAUTH2. A token is either read here, with the
    provider's public keys (``jwks``), or shown to the provider (``introspection``): one
    of the two. While neither can be had the answer is 454.

    Attributes:
        kind: ``oidc``.
        name: Shown in the log.
        issuer: ``iss`` of its tokens, exactly.
        audience: One of these must stand in ``aud``: the name by which the provider
            knows this service. Needed with ``jwks``.
        jwks: ``https://`` URL of the provider's keys. Its certificate is verified, no
            redirect is followed.
        algorithms: Of signatures that are taken; no other is, whatever a token says.
        keys_seconds: The keys are used no longer than this, and fetched again before.
        introspection: ``https://`` URL that says what a token is worth (RFC 7662).
        client_id: Our login there.
        client_secret: A text, ``{ file = "…" }`` or ``{ env = "…" }``.
        recheck_seconds: A token is shown there again after so long, and its sessions
            end where the provider does not vouch for it any more.
        scopes: All of these must stand in ``scope`` or ``scp``.
        require: Claims that must have one of some values, such as
            ``{ azp = ["mail-client"], roles = ["Mail.Send"] }``.
        account: The claim that names the account. ``email`` counts only beside
            ``email_verified`` = true.
        domains: Accounts must be addresses of these domains; any name if left out.
        addresses: Claims whose addresses the account may send from; ``email`` as above.
        groups: The claim that names groups. A claim within a claim has a dot:
            ``realm_access.roles``.
        ca: PEM file of the authorities that the provider's certificate is verified by;
            the system's if left out.
        accept_risk: Why an ``http://`` URL of this machine is right.

    """

    kind: Literal["oidc"]
    name: Name = "oidc"
    issuer: Text
    audience: Many[Text] = ()
    jwks: Url | None = None
    algorithms: Annotated[Many[Algorithm], Some] = (
        "RS256",
        "PS256",
        "ES256",
    )
    keys_seconds: Annotated[float, Field(ge=60, le=86_400)] = 3600.0
    introspection: Url | None = None
    client_id: Text | None = None
    client_secret: SecretText | None = None
    recheck_seconds: Annotated[float, Field(ge=10, le=3600)] = 300.0
    scopes: Many[Scope] = ()
    require: Required = Field(default_factory=dict[str, tuple[str, ...]])
    account: Claim = "preferred_username"
    domains: Many[OwnDomainName] = ()
    addresses: Many[Claim] = ("email",)
    groups: Claim | None = None
    ca: FilePath | None = None
    accept_risk: str = ""
