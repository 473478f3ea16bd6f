"""Rules about directories that span several keys."""

from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from sekisho.config.lines import Place
from sekisho.config.problems import did_you_mean
from sekisho.config.raw import Finding, Raw, tables, texts

_MEMBERS_OF = {"kerberos": "realms", "winbind": "domains"}
"""Kinds whose accounts a directory may describe, and the key that says whose."""


def _ours(document: Raw) -> Iterator[tuple[Place, Raw]]:
    for number, one in tables(document, "authenticator"):
        if one.get("kind") == "ldap":
            yield ("authenticator", number), one


def _login(document: Raw) -> Iterator[Finding]:
    for place, one in _ours(document):
        if ("bind_dn" in one) != ("bind_password" in one):
            given, missing = ("bind_dn", "bind_password")
            if missing in one:
                given, missing = missing, given
            yield Finding((*place, given), f'the key "{missing}" is missing beside it')


def _groups(document: Raw) -> Iterator[Finding]:
    for place, one in _ours(document):
        for key in ("group_filter", "group"):
            if key in one and "group_base" not in one:
                yield Finding(
                    (*place, key),
                    'the key "group_base" is missing beside it',
                    "it says where groups are searched for",
                )


def _protection(document: Raw) -> Iterator[Finding]:
    for place, one in _ours(document):
        if one.get("tls") != "off":
            continue
        for item, given in texts(one.get("servers")):
            if given.startswith("ldaps:"):
                message = f"{given!r} begins with TLS"
                yield Finding((*place, "servers", item), message, "leave tls out")
            elif not _is_loopback(given):
                yield Finding(
                    (*place, "servers", item),
                    f"{given!r}: passwords would cross the network in clear",
                    'tls = "required"; "off" is for servers on this machine',
                )
        if not one.get("accept_risk"):
            yield Finding(
                (*place, "tls"),
                "passwords are sent in clear",
                'accept_risk = "…" says why that is right',
            )


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return True  # said where it was read
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _registers(document: Raw) -> Iterator[Finding]:
    known = {
        name: one
        for _, one in _ours(document)
        if isinstance(name := one.get("name", "ldap"), str)
    }
    for number, one in tables(document, "authenticator"):
        realms = _MEMBERS_OF.get(str(one.get("kind")))
        if realms is not None and isinstance(name := one.get("directory"), str):
            place: Place = ("authenticator", number)
            yield from _register((*place, "directory"), name, known)
            yield from _beside_a_register(place, one, realms)


def _register(place: Place, name: str, known: Mapping[str, Raw]) -> Iterator[Finding]:
    if name not in known:
        message = f'there is no authenticator "{name}" of the kind "ldap"'
        yield Finding(place, message, did_you_mean(name, known))
    elif "user_dn" in known[name] and "bind_dn" not in known[name]:
        yield Finding(
            place,
            f'"{name}" cannot look accounts up without their passwords',
            "give it bind_dn and bind_password",
        )


def _beside_a_register(place: Place, one: Raw, realms: str) -> Iterator[Finding]:
    if "addresses" in one:
        message = "the directory says what an account may send from"
        yield Finding((*place, "addresses"), message, "leave addresses out")
    if len(texts(one.get(realms))) > 1:
        yield Finding(
            (*place, realms),
            "one directory cannot tell accounts of several apart",
            "name the one whose accounts it has",
        )


RULES: tuple[Callable[[Raw], Iterator[Finding]], ...] = (
    _login,
    _groups,
    _protection,
    _registers,
)
