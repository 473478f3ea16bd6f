"""This installation as a host of Sekisho's own advisories."""

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from sekisho.advisory.bulletin import Bulletin
from sekisho.advisory.facts import BY_NAME, FactError, Value, read_fact
from sekisho.advisory.inventory import Host
from sekisho.advisory.judge import Judge
from sekisho.advisory.verdicts import Answer

HOST = "this installation"
SUBJECT = "sekisho"
_VERSION, _SETTINGS = "sekisho.version", "sekisho.settings"


def judge_own(
    bulletins: Iterable[Bulletin], version: str, document: Mapping[str, object] | None
) -> list[Answer]:
    """Judge it by every advisory that is about Sekisho.

    Args:
        bulletins: All that are shipped; those about other products are left out.
        version: As installed; one that cannot be compared is not known.
        document: The configuration as written, or None if it is not known.

    """
    facts: dict[str, Value] = {}
    try:
        read = read_fact(BY_NAME[_VERSION], version or None)
    except FactError:
        read = None
    if read is not None:
        facts[_VERSION] = read
    if document is not None:
        facts[_SETTINGS] = frozenset(settings(document))
    host = Host(HOST, facts)
    return [Judge(one).judge(host) for one in bulletins if one.subject == SUBJECT]


def settings(value: object, path: str = "") -> Iterator[str]:
    """Spell what a configuration says as ``table.key=value``, lists one by one."""
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, object]", value).items():
            yield from settings(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from settings(inner, path)
    elif isinstance(value, bool):
        yield f"{path}={str(value).lower()}"
    else:
        yield f"{path}={value}"
