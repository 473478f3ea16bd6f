"""What a token says, held against what is wanted, and the account that comes of it.

A token is for us only if every condition holds: issuer, audience, time, scopes, the
claims that the configuration requires. A claim of another type than it should be is
no claim. ``email`` is whatever somebody typed until the provider has verified it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import cast

from sekisho.auth.oidc.document import Object
from sekisho.auth.precis import PreparationError, prepare_name
from sekisho.model.address import AddressError, AddressPattern, only, parse_address

LEEWAY_SECONDS = 10.0
"""So far clocks may be apart."""

MAX_VALUES = 1000
"""Of one claim, such as groups."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token must say.

    Attributes:
        issuer: Exactly.
        audience: One of these; any if empty.
        scopes: All of these.
        require: Claims that must have one of these values.
        account: The claim that names the account.
        domains: The account is an address of one of these; any name if empty.
        addresses: Claims that name its addresses.
        groups: The claim that names its groups; empty for none.

    """

    issuer: str
    audience: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    require: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )
    account: str = "preferred_username"
    domains: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ("email",)
    groups: str = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a token is about."""

    account: str
    addresses: tuple[AddressPattern, ...]
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Passed:
    """A stage of a token's reading that it has passed.

    Attributes:
        detail: For people; never the token.
        claims: What the token says, at the last stage.

    """

    detail: str
    claims: Object = field(default_factory=dict[str, object], repr=False)


class ClaimsError(Exception):
    """The token is not for us, or about nobody; the message is fit for the log."""


def check_times(claims: Object, now: float) -> float:
    """Check that its time has come and is not over.

    Returns:
        When it is over, Unix seconds; infinite where it does not say.

    Raises:
        ClaimsError: It is over, or not yet.

    """
    ends = _moment(claims, "exp", float("inf")) + LEEWAY_SECONDS
    if now >= ends:
        raise ClaimsError("the token has expired")
    for name in ("nbf", "iat"):
        if now < _moment(claims, name, float("-inf")) - LEEWAY_SECONDS:
            raise ClaimsError(f"the token is of the future ({name})")
    return ends


def _moment(claims: Object, name: str, otherwise: float) -> float:
    value = claims.get(name, otherwise)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ClaimsError(f"{name} is no time")
    try:
        moment = float(value)
    except OverflowError:
        raise ClaimsError(f"{name} is no time") from None
    if name in claims and not isfinite(moment):
        raise ClaimsError(f"{name} is no time")
    return moment


def check_purpose(claims: Object, wanted: Wanted) -> None:
    """Check that it was made for us.

    Raises:
        ClaimsError: It was not.

    """
    if wanted.audience and not set(wanted.audience) & set(_texts(claims, "aud")):
        raise ClaimsError("the token is for another audience")
    if "cnf" in claims:
        # RFC 7800: only who has that key may use it, and nobody has shown one here.
        raise ClaimsError("the token is bound to a key")
    if "at_hash" in claims or "c_hash" in claims or "events" in claims:
        raise ClaimsError("it is no access token")
    granted = {
        scope
        for name in ("scope", "scp")
        for text in _texts(claims, name)
        for scope in text.split(" ")
    }
    if missing := [one for one in wanted.scopes if one not in granted]:
        raise ClaimsError(f"the scope {missing[0]} is missing")
    for name, values in wanted.require.items():
        if not set(values) & set(_texts(claims, name)):
            raise ClaimsError(f"the claim {name} has no value that is required")


def holder(claims: Object, wanted: Wanted) -> Holder:
    """Say whom it is about.

    Raises:
        ClaimsError: It does not say, or says it of nobody who may sign in.

    """
    named = _find(claims, wanted.account)
    if not isinstance(named, str):
        raise ClaimsError(f"the claim {wanted.account} names no account")
    if wanted.account == "email" and not _has_verified_email(claims):
        raise ClaimsError("the provider has not verified the address")
    try:
        account = prepare_name(named)
    except PreparationError as error:
        raise ClaimsError(f"the account's name is none: {error}") from None
    if wanted.domains and _domain(account) not in wanted.domains:
        raise ClaimsError("the account is not of a domain that may sign in")
    groups = _texts(claims, wanted.groups) if wanted.groups else ()
    return Holder(
        account,
        tuple(dict.fromkeys(_addresses(claims, wanted))),
        frozenset(one for one in groups if one.isprintable()),
    )


def _domain(account: str) -> str:
    try:
        return parse_address(account).domain
    except AddressError:
        return ""


def _has_verified_email(claims: Object) -> bool:
    return claims.get("email_verified") is True


def _addresses(claims: Object, wanted: Wanted) -> Iterator[AddressPattern]:
    """The mailboxes; a star is a mailbox's name too (RFC 5321), and no pattern here."""
    for name in wanted.addresses:
        if name == "email" and not _has_verified_email(claims):
            continue
        for text in _texts(claims, name):
            try:
                address = parse_address(text)
            except AddressError:
                continue
            yield from only(address)


def _find(claims: Object, name: str) -> object:
    """Find a claim; dots lead into claims, unless the whole is a claim's name."""
    if name in claims:
        return claims[name]
    here: object = claims
    for part in name.split("."):
        if not isinstance(here, dict):
            return None
        here = cast("Object", here).get(part)
    return here


def _texts(claims: Object, name: str) -> tuple[str, ...]:
    """A claim's texts, one or many; none where it is of another type."""
    value = _find(claims, name)
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        return ()
    items = cast("list[object]", value)
    if len(items) > MAX_VALUES:
        raise ClaimsError(f"the claim {name} has more than {MAX_VALUES} values")
    texts = tuple(one for one in items if isinstance(one, str))
    return texts if len(texts) == len(items) else ()
