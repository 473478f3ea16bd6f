"""Rules about signing in: who is asked where, by which mechanisms, with what.

A client takes the strongest mechanism that it sees and does not fall back. So a
listener announces what every one of its authenticators can verify, unless it names
mechanisms; what cannot work is a mistake here, and what is left out is said by
`announcements`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sekisho.config.authenticators import (
    MECHANISM_NAMES,
    OFF,
    VERIFIES,
    mechanisms_of,
)
from sekisho.config.lines import Place
from sekisho.config.oidc import is_loopback
from sekisho.config.problems import did_you_mean
from sekisho.config.raw import Finding, Raw, roles_of, tables, texts
from sekisho.config.values import SUBMIT_LISTENER

_SIGN_IN_KEYS = ("authenticators", "mechanisms", "client_ca", "client_crl")
_CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a listener's AUTH offers at best.

    Attributes:
        listener: Its name.
        mechanisms: The strongest first.
        left_out: Mechanisms that some of its authenticators could verify, and why
            they are not announced.

    """

    listener: str
    mechanisms: tuple[str, ...]
    left_out: Mapping[str, str]


def announcement(
    listener: str, kinds: Mapping[str, str], wanted: Sequence[str]
) -> Announcement:
    """Find out what a listener announces.

    Args:
        listener: Its name.
        kinds: Of its authenticators, by name.
        wanted: Its ``mechanisms``; empty where it names none.

    """
    able = {name: frozenset(mechanisms_of(kind)) for name, kind in kinds.items()}
    offered: list[str] = []
    left_out: dict[str, str] = {}
    for mechanism in MECHANISM_NAMES:
        unable = [name for name, those in able.items() if mechanism not in those]
        if len(unable) == len(able):
            continue
        if wanted and mechanism not in wanted:
            left_out[mechanism] = "mechanisms does not name it"
        elif not wanted and mechanism in OFF:
            left_out[mechanism] = "it is for old programs: mechanisms may name it"
        elif unable and not wanted:
            left_out[mechanism] = f"{_quoted(unable)} cannot verify it"
        else:
            offered.append(mechanism)
    return Announcement(listener, tuple(offered), left_out)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _kinds(document: Raw) -> dict[str, str]:
    """The kinds of all authenticators, by name."""
    if "authenticator" not in document:
        return {"local": "local"}
    return {
        name: kind
        for _, one in tables(document, "authenticator")
        if isinstance(kind := one.get("kind"), str)
        and isinstance(name := one.get("name", kind), str)
    }


def _doors(document: Raw) -> Iterator[tuple[int, Raw, dict[str, str]]]:
    """Submission listeners, with the kinds of those that are asked there."""
    kinds = _kinds(document)
    for number, one in tables(document, "listener"):
        if one.get("role") != "submission":
            continue
        names = [name for _, name in texts(one.get("authenticators"))] or list(kinds)
        yield number, one, {name: kinds[name] for name in names if name in kinds}


def _unknown_authenticators(document: Raw) -> Iterator[Finding]:
    known = {
        name: None
        for _, one in tables(document, "authenticator")
        if isinstance(name := one.get("name", one.get("kind")), str)
    }
    if "authenticator" not in document:
        known = {"local": None}
    for number, listener in tables(document, "listener"):
        for item, name in texts(listener.get("authenticators")):
            if name not in known:
                yield Finding(
                    ("listener", number, "authenticators", item),
                    f'there is no authenticator "{name}"',
                    did_you_mean(name, known),
                )


def _sign_in_keys(document: Raw) -> Iterator[Finding]:
    for number, one in tables(document, "listener"):
        place: Place = ("listener", number)
        for key in (k for k in _SIGN_IN_KEYS if k in one):
            if one.get("role") in ("mx", "legacy"):
                yield Finding(
                    (*place, key),
                    "users sign in on submission listeners only",
                    "leave the key out",
                )


def _someone_to_verify(document: Raw) -> Iterator[Finding]:
    if document.get("authenticator") != []:
        return
    for name, role in roles_of(document).items():
        # Who comes through the socket is known to the kernel.
        if role == "submission" and name != SUBMIT_LISTENER:
            yield Finding(
                ("authenticator",),
                f'nobody could sign in at the listener "{name}"',
                'leave the key out, or give [[authenticator]] kind = "local"',
            )


def _no_mechanism(document: Raw) -> Iterator[Finding]:
    for number, one, kinds in _doors(document):
        if not kinds or not set(kinds.values()) <= set(VERIFIES):
            continue
        wanted = [name.upper() for _, name in texts(one.get("mechanisms"))]
        found = announcement("", kinds, wanted)
        place: Place = ("listener", number)
        if not found.mechanisms:
            every = _quoted([name for name in found.left_out if name not in OFF])
            yield Finding(
                (*place, "mechanisms") if wanted else place,
                f"no mechanism is left that {_quoted(list(kinds))} can verify"
                if wanted
                else f"{_quoted(list(kinds))} have no mechanism in common, and a "
                "client does not fall back to another",
                f"say which are announced: mechanisms = [{every}]",
            )
        elif "client_ca" in one and "EXTERNAL" not in found.mechanisms:
            yield from _useless_authority(place, kinds, found)


def _useless_authority(
    place: Place, kinds: Mapping[str, str], found: Announcement
) -> Iterator[Finding]:
    """Say why certificates are asked for in vain."""
    if _CERTIFICATE not in kinds.values():
        hint = '[[authenticator]] kind = "certificate" says whose they are'
    else:
        every = ", ".join(f'"{one}"' for one in ("EXTERNAL", *found.mechanisms))
        hint = f"mechanisms = [{every}]"
    yield Finding(
        (*place, "client_ca"), "nobody can sign in with a certificate here", hint
    )


def _authorities(document: Raw) -> Iterator[Finding]:
    served: set[str] = set()
    for number, one, kinds in _doors(document):
        if "client_ca" in one:
            served.update(kinds)
        elif "client_crl" in one:
            yield Finding(
                ("listener", number, "client_crl"),
                'the key "client_ca" is missing beside it',
            )
    for number, one in tables(document, "authenticator"):
        name = one.get("name", one.get("kind"))
        if one.get("kind") == _CERTIFICATE and name not in served:
            yield Finding(
                ("authenticator", number),
                "no listener that asks it brings certificates",
                "give that [[listener]] a client_ca",
            )


def _certificate_users(document: Raw) -> Iterator[Finding]:
    for number, one in tables(document, "authenticator"):
        by, place = one.get("by"), ("authenticator", number)
        if one.get("kind") != _CERTIFICATE:
            continue
        users = tables(one, "users")
        if not users and (one.get("accounts") != "local" or by == "fingerprint"):
            yield Finding(
                place,
                "nobody could sign in by it",
                "list certificates in [[authenticator.users]]",
            )
        seen: set[object] = set()
        for item, user in users:
            bears = user.get(by) if isinstance(by, str) else None
            if isinstance(bears, str) and (bears := bears.lower()) in seen:
                yield Finding((*place, "users", item), "it is listed already")
            seen.add(bears)
            yield from _certificate_user((*place, "users", item), user, one)


def _certificate_user(place: Place, user: Raw, of: Raw) -> Iterator[Finding]:
    by = of.get("by")
    keys = [key for key in ("fingerprint", "email", "common_name") if key in user]
    if isinstance(by, str) and keys != [by]:
        yield Finding(place, f'needs the key "{by}", and no other name', f"by = {by}")
    if of.get("accounts") == "local":
        for key in (key for key in ("addresses", "groups") if key in user):
            yield Finding(
                (*place, key),
                "a local account has its own",
                "sekisho user change",
            )


def _oidc(document: Raw) -> Iterator[Finding]:
    for number, one in tables(document, "authenticator"):
        if one.get("kind") != "oidc":
            continue
        place: Place = ("authenticator", number)
        if ("jwks" in one) == ("introspection" in one):
            yield Finding(
                place,
                "needs one of jwks and introspection",
                "jwks reads tokens here, introspection shows them to the provider",
            )
        if "jwks" in one and not texts(one.get("audience")):
            yield Finding(
                place,
                'the key "audience" is missing',
                "else tokens for any other service would be taken",
            )
        yield from _oidc_login(place, one)
        yield from _oidc_plain(place, one)


def _oidc_login(place: Place, one: Raw) -> Iterator[Finding]:
    for key in ("client_id", "client_secret"):
        if "introspection" in one and key not in one:
            yield Finding(place, f'introspection needs the key "{key}"')
        if "introspection" not in one and key in one:
            yield Finding((*place, key), "is the login for introspection")


def _oidc_plain(place: Place, one: Raw) -> Iterator[Finding]:
    for key in ("jwks", "introspection"):
        url = one.get(key)
        if not isinstance(url, str) or one.get("accept_risk"):
            continue
        if url.startswith("http:") and is_loopback(urlsplit(url)):
            yield Finding(
                (*place, key),
                "without TLS, whoever is on this machine could answer",
                "https, or say in accept_risk why it is right",
            )


RULES: tuple[Callable[[Raw], Iterator[Finding]], ...] = (
    _unknown_authenticators,
    _sign_in_keys,
    _someone_to_verify,
    _no_mechanism,
    _authorities,
    _certificate_users,
    _oidc,
)
