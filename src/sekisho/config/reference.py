"""The page `docs/reference/configuration.md`, made from the tables and readers.

``python -m sekisho.config.reference`` prints it; a test fails when the page in the
repository differs. What each key means stands in the docstrings of the tables, what
it takes in its type, so the page cannot say anything else than the code does.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin

from pydantic import BaseModel, PlainValidator
from pydantic.fields import FieldInfo

from sekisho.config import (
    authenticators,
    bounds,
    carriage,
    certificates,
    environment,
    fields,
    kerberos,
    ldap,
    oidc,
    outside,
    plugin,
    via,
)
from sekisho.config.schema import SECTIONS, Section
from sekisho.model.limits import Limits, ServiceLimits

_READ: Mapping[Callable[..., object], str] = {
    fields.read_name: "name",
    fields.read_hostname: "host name",
    fields.read_own_domain: "domain",
    fields.read_address: "mail address",
    fields.read_pattern: "address pattern",
    fields.read_socket_address: "address:port",
    fields.read_network: "IP address or network",
    fields.read_proxies: "IP address or network",
    fields.read_who: "who",
    fields.read_expiry: "date or date-time",
    outside.read_path: "path",
    outside.read_secret: "secret",
    outside.read_recipients: "recipients",
    via.read_target: "route",
    via.read_smarthost_server: "URL",
    authenticators.read_mechanism: "mechanism",
    certificates.read_fingerprint: "SHA-256 fingerprint",
    oidc.read_url: "URL",
    oidc.read_claim: "claim",
    oidc.read_scope: "scope",
    oidc.read_algorithm: "algorithm",
    oidc.read_required: "table of lists",
    bounds.read_session: "table",
    kerberos.read_user_pattern: "address pattern",
    kerberos.read_realm: "realm",
    plugin.read_options: "table",
    fields.text: "text",
    ldap.read_server: "URL",
    ldap.read_dn: "DN",
    ldap.read_login: "DN",
    ldap.read_user_dn: "text",
    ldap.read_filter: "LDAP filter",
    ldap.read_group_filter: "LDAP filter",
    ldap.read_attribute: "attribute",
}
_PLAIN: Mapping[Any, str] = {
    int: "whole number",
    float: "number",
    bool: "true or false",
    str: "text",
    carriage.Retry: "table",
    certificates.CertificateUser: "table",
}
_INFINITE = float("inf")

_PREFACE = """\
# Configuration reference

This page is made from the code (`python -m sekisho.config.reference`); change the
docstrings in `src/sekisho/config/`, not the page.

One TOML file, read whole and checked whole: every mistake is told at once, with its
line. Everything may be left out but `hostname`; then nobody relays but verified users,
and those only with a grant. Unknown keys are mistakes. Relative paths start at the
file's folder.

| value | written as |
| --- | --- |
| address pattern | `"user@example.com"`, `"*@example.com"`, `"*@*.example.com"` (below it), `"*"` |
| address:port | `"0.0.0.0:25"`, `"[::]:25"` |
| IP address or network | `"10.1.2.3"`, `"10.1.2.0/28"`, `"2001:db8::/64"` |
| who | `"authenticated"`, `"group:NAME"`, `"user:NAME"`, an IP address or network |
| date or date-time | `2027-06-30` (through that day, UTC), `2027-06-30T12:00:00Z`, without quotes |
| secret | `"text"`, `{ file = "…" }`, `{ env = "…" }` |
| recipients | `"callout"`, `"any"`, a list of address patterns, `{ file = "…" }` with one a line and `#` before comments |
"""  # noqa: E501 - a Markdown table's row is a line


def page() -> str:
    """Write the page."""
    parts = [_PREFACE, "## Routes\n", _module_text(via), "## Environment\n"]
    parts.append(_module_text(environment))
    parts += [part for section in SECTIONS for part in _section(section)]
    return "\n".join(parts).rstrip() + "\n"


def _module_text(module: object) -> str:
    """Give a module's theory without its first line, which is its title."""
    return _markdown((inspect.getdoc(module) or "").partition("\n\n")[2]) + "\n"


def _markdown(text: str) -> str:
    return text.replace("``", "`").strip()


def _section(section: Section) -> Iterator[str]:
    heading = f"`{section.heading}`" if section.heading else "Before the first table"
    docs, sources = "", [section.table]
    if section.table in (bounds.AllBounds, bounds.SessionBounds):
        sources = [Limits, ServiceLimits][: 1 + (section.table is bounds.AllBounds)]
        docs = "Bounds of a session, and of the service as a whole."
        if section.table is bounds.SessionBounds:
            docs = (
                "Bounds of the sessions on this listener that differ from `[limits]`."
            )
    docs = docs or _introduction(section.table)
    described: dict[str, str] = {}
    for source in sources:
        described |= _attributes(source)
    yield f"## {heading}\n\n{docs}\n"
    yield "| key | takes | default | meaning |\n| --- | --- | --- | --- |"
    for name, info in section.table.model_fields.items():
        if not described[name].startswith("See "):
            yield _row(name, info, described[name])
    yield ""


def _introduction(table: type[BaseModel]) -> str:
    return _markdown((inspect.getdoc(table) or "").partition("Attributes:")[0])


def _attributes(source: type) -> dict[str, str]:
    """Read the descriptions in the ``Attributes:`` of a docstring."""
    listed = (inspect.getdoc(source) or "").partition("Attributes:\n")[2]
    found = re.findall(r"^    (\w+): (.*(?:\n {8,}.*)*)", listed, re.MULTILINE)
    return {name: _markdown(re.sub(r"\s+", " ", text)) for name, text in found}


def _row(name: str, info: FieldInfo, meaning: str) -> str:
    cells = (f"`{info.alias or name}`", _takes(info), _default(info), meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _takes(info: FieldInfo) -> str:
    return _kind(info.annotation, tuple(info.metadata))


def _kind(annotation: Any, metadata: tuple[Any, ...]) -> str:  # noqa: ANN401 - a type
    for one in metadata:
        if isinstance(one, PlainValidator) and one.func in _READ:
            return _READ[one.func]
    if words := _words(annotation):
        return ", ".join(f'`"{word}"`' for word in words)
    arguments = get_args(annotation)
    if get_origin(annotation) is tuple:
        return f"list: {_nested(arguments[0])}"
    if arguments:
        return _nested(next(a for a in arguments if a is not type(None)))
    return _PLAIN[annotation]


def _nested(annotation: Any) -> str:  # noqa: ANN401 - a type
    inner, *metadata = get_args(annotation) or (annotation,)
    return _kind(inner, tuple(metadata))


def _words(annotation: Any) -> list[str]:  # noqa: ANN401 - a type
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(one.value) for one in annotation]
    return []


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "needed"
    if info.default_factory is not None or info.default in (None, "", ()):
        return ""
    return "never" if info.default == _INFINITE else _spell(info.default)


def _spell(value: object) -> str:
    match value:
        case bool():
            spelled = str(value).lower()
        case int() | float():
            spelled = f"{value:.15g}"
        case Enum():
            spelled = f'"{value.value}"'
        case outside.Recipients():
            spelled = f'"{value.check.value}"'
        case tuple():
            items = cast("tuple[object, ...]", value)
            spelled = "[" + ", ".join(_spell(one).strip("`") for one in items) + "]"
        case _:
            spelled = f'"{value}"'
    return f"`{spelled}`"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
