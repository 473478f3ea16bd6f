"""Rules that span several keys or tables.

They look at the document as it was written, not at the values made of it: a mistake
in one key must not hide that two tables do not fit together, nor make a table look
as if it did not exist. So they take nothing for granted: what is not of the type
wanted is somebody else's error, and is passed over.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from pydantic_core import PydanticCustomError

from sekisho.config import directories, sign_in
from sekisho.config.fields import (
    SocketAddress,
    read_own_domain,
    read_socket_address,
    read_who,
)
from sekisho.config.lines import Place, Toml
from sekisho.config.problems import did_you_mean
from sekisho.config.raw import Finding, Raw, named, roles_of, tables, texts
from sekisho.config.values import SUBMIT_LISTENER
from sekisho.model.domain import domain_to_unicode
from sekisho.model.rules import Clients

_LANE_KEYS = (
    "who",
    "senders",
    "recipients",
    "max_messages_per_hour",
    "max_messages_per_day",
    "max_recipients_per_hour",
    "max_recipients_per_day",
    "expires",
    "null_sender",
    "sender_binding",
    "accept_risk",
)
_ANY_HOST = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - compared, not bound


def check(document: Raw) -> Iterator[Finding]:
    """Find everything that does not fit together."""
    for rule in _RULES:
        yield from rule(document)


# -- names ----------------------------------------------------------------------------


def _double_names(document: Raw) -> Iterator[Finding]:
    for key in ("listener", "grant", "authenticator"):
        seen: dict[str, int] = {}
        for number, one in tables(document, key):
            name = one.get("name", one.get("kind") if key == "authenticator" else None)
            if isinstance(name, str) and seen.setdefault(name, number) != number:
                yield Finding(
                    (key, number, "name"), f'the name "{name}" is taken already'
                )


def _reserved_names(document: Raw) -> Iterator[Finding]:
    for number, one in tables(document, "listener"):
        if one.get("name") == SUBMIT_LISTENER:
            # Its rule would take the place of the listener's own: mail from outside
            # would be judged as that of local programs.
            yield Finding(
                ("listener", number, "name"),
                f'"{SUBMIT_LISTENER}" is the socket of sekisho sendmail',
                "take another name",
            )


def _double_domains(document: Raw) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for spelled in named(document, "domains"):
        try:
            name = read_own_domain(spelled)
        except PydanticCustomError:
            continue
        if (first := seen.setdefault(name, spelled)) != spelled:
            unicode_name = domain_to_unicode(name)
            yield Finding(
                ("domains", spelled),
                f'is the domain "{first}" once more',
                f'both are "{unicode_name}"; keep one table',
            )


def _unknown_listeners(document: Raw) -> Iterator[Finding]:
    known = roles_of(document)
    for number, grant in tables(document, "grant"):
        for item, name in texts(grant.get("listeners")):
            if name not in known:
                yield Finding(
                    ("grant", number, "listeners", item),
                    f'there is no listener "{name}"',
                    did_you_mean(name, known),
                )


def _unknown_smarthosts(document: Raw) -> Iterator[Finding]:
    known = named(document, "smarthost")
    uses: list[tuple[Place, Toml | None]] = [
        (("route", number, "via"), route.get("via"))
        for number, route in tables(document, "route")
    ]
    uses += [
        (("domains", name, "route"), domain.get("route"))
        for name, domain in named(document, "domains").items()
    ]
    for place, target in uses:
        if not isinstance(target, str) or not target.startswith("smarthost:"):
            continue
        name = target.removeprefix("smarthost:")
        if name not in known:
            hint = did_you_mean(name, known) or f"[smarthost.{name or 'NAME'}]"
            yield Finding(place, f'there is no smarthost "{name}"', hint)


# -- listeners ------------------------------------------------------------------------


def _listener_keys(document: Raw) -> Iterator[Finding]:
    for number, one in tables(document, "listener"):
        place: Place = ("listener", number)
        match one.get("role"):
            case "legacy":
                for key in ("who", "senders"):
                    if key not in one:
                        yield Finding(
                            place,
                            f'a legacy listener needs the key "{key}"',
                            "it is a lane with walls: say who, and from which senders",
                        )
            case "mx" | "submission" as role:
                for key in (k for k in _LANE_KEYS if k in one):
                    yield Finding(
                        (*place, key),
                        f"belongs to legacy listeners, this is {role}",
                        "elsewhere, a [[grant]] says who may relay",
                    )
                if one.get("bare_newline") == "normalise":
                    yield Finding(
                        (*place, "bare_newline"),
                        f'"normalise" is for legacy listeners, this is {role}',
                        'elsewhere it would let mail be smuggled: "refuse"',
                    )
            case _:
                pass


def _listener_tls(document: Raw) -> Iterator[Finding]:
    for number, one in tables(document, "listener"):
        place: Place = ("listener", number)
        role, tls = one.get("role"), one.get("tls")
        if role == "submission" and tls == "off":
            yield Finding(
                (*place, "tls"),
                "a submission listener is never without TLS",
                '"starttls" or "implicit"',
            )
        elif "tls" not in document and (
            role == "submission" or tls in ("starttls", "implicit")
        ):
            yield Finding(
                place if tls is None else (*place, "tls"),
                "needs a certificate",
                "[tls] with certificate and key; sekisho init makes a pair",
            )


def _binds(document: Raw) -> Iterator[tuple[Place, str]]:
    for number, one in tables(document, "listener"):
        for item, given in texts(one.get("bind")):
            yield ("listener", number, "bind", item), given
    for table, key in (("observe", "metrics"), ("console", "bind")):
        one = document.get(table)
        if isinstance(one, dict):
            for _, given in texts(one.get(key)):
                yield (table, key), given


def _double_binds(document: Raw) -> Iterator[Finding]:
    by_port: dict[tuple[int, int], list[SocketAddress]] = defaultdict(list)
    for place, given in _binds(document):
        try:
            address = read_socket_address(given)
        except PydanticCustomError:
            continue
        if address.port == 0:
            continue
        version = address.host.version
        others = by_port[version, address.port]
        for other in others:
            hosts = {str(address.host), str(other.host)}
            if len(hosts) == 1 or _ANY_HOST[version] in hosts:
                yield Finding(place, f"{address} is taken already, by {other}")
                break
        others.append(address)


# -- grants ---------------------------------------------------------------------------

_USEFUL: Mapping[bool, tuple[str, str]] = {
    True: ("mx", "an address is no identity: it relays on mx listeners only"),
    False: ("submission", "users sign in on submission listeners only"),
}


def _grants(document: Raw) -> Iterator[Finding]:
    roles = roles_of(document)
    for number, grant in tables(document, "grant"):
        kinds = set(_by_address(grant.get("who")))
        place: Place = ("grant", number)
        if True in kinds:
            for key in ("listeners", "senders"):
                if key not in grant:
                    yield Finding(
                        place,
                        f'a grant by address needs the key "{key}"',
                        "an address proves little: say where, and from which senders",
                    )
        if kinds:
            yield from _useless_listeners(place, grant, kinds, roles)


def _by_address(who: Toml | None) -> Iterator[bool]:
    for _, given in texts(who):
        try:
            yield isinstance(read_who(given), Clients)
        except PydanticCustomError:
            continue


def _useless_listeners(
    place: Place, grant: Raw, kinds: set[bool], roles: Mapping[str, Toml | None]
) -> Iterator[Finding]:
    """Find listeners on which the grant could never be used."""
    useful = [_USEFUL[kind][0] for kind in kinds]
    for item, name in texts(grant.get("listeners")):
        role = roles.get(name)
        if role not in ("mx", "submission", "legacy") or role in useful:
            continue
        hint = _USEFUL[next(iter(kinds))][1] if len(kinds) == 1 else ""
        if role == "legacy":
            hint = "a legacy listener is a lane of its own: its keys say who"
        yield Finding(
            (*place, "listeners", item),
            f'the grant can never be used on the {role} listener "{name}"',
            hint,
        )


# -- where mail goes ------------------------------------------------------------------


def _callout_without_host(document: Raw) -> Iterator[Finding]:
    for name, domain in named(document, "domains").items():
        route = domain.get("route")
        if not isinstance(route, str) or domain.get("recipients", "callout") != (
            "callout"
        ):
            continue
        if route.startswith(("maildir:", "drop:")):
            yield Finding(
                ("domains", name),
                "a folder cannot be asked which recipients there are",
                'recipients = [ … ] or { file = "…" }',
            )


def _foreign_recipients(document: Raw) -> Iterator[Finding]:
    for spelled, domain in named(document, "domains").items():
        if not isinstance(domain.get("recipients"), list):
            continue
        for item, given in texts(domain.get("recipients")):
            place: Place = ("domains", spelled, "recipients", item)
            if not _is_of(given, spelled):
                yield Finding(place, f"{given!r} is not of this domain")


def _is_of(given: str, spelled: str) -> bool:
    if "@" not in given:
        return True
    try:
        ours = read_own_domain(spelled)
        return read_own_domain(given.rpartition("@")[2]) == ours
    except PydanticCustomError:
        return True  # said where it was read


def _smarthost_login(document: Raw) -> Iterator[Finding]:
    for name, one in named(document, "smarthost").items():
        place: Place = ("smarthost", name)
        if ("username" in one) != ("password" in one):
            given, missing = ("username", "password")
            if missing in one:
                given, missing = missing, given
            yield Finding((*place, given), f'the key "{missing}" is missing beside it')
        if "password" in one and one.get("tls", "required") != "required":
            yield Finding(
                (*place, "tls"),
                "a password is sent to verified hosts only",
                'tls = "required"',
            )


_RULES: tuple[Callable[[Raw], Iterator[Finding]], ...] = (
    _double_names,
    _reserved_names,
    _double_domains,
    _unknown_listeners,
    _unknown_smarthosts,
    _listener_keys,
    _listener_tls,
    _double_binds,
    _grants,
    _callout_without_host,
    _foreign_recipients,
    _smarthost_login,
    *sign_in.RULES,
    *directories.RULES,
)
