"""How the workers' answers to an operation become one: one row an operation.

The same for a running service, whose supervisor asks all workers, and for one that is
stopped, where a command works on all queue folders by itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sekisho.app.control import Answer, Arguments, Refusal
from sekisho.app.operation import page_size

DEFAULT_LIST = 100
DEFAULT_TRACE = 200
_Answers = Sequence[Any]
"""JSON values of one operation: shapes as the operations give them."""


@dataclass(frozen=True, slots=True)
class Merge:
    """A row.

    Attributes:
        join: Makes one answer of those of all workers.
        one: Ask the first worker alone: what it works on is shared by all.
        some: It is enough that one worker can do it; else all have to.

    """

    join: Callable[[_Answers, Arguments], Any]
    one: bool = False
    some: bool = False


def merged(do: str, arguments: Arguments, answers: Sequence[Answer]) -> Any:  # noqa: ANN401 - JSON
    """Make one answer.

    Raises:
        Refusal: It could not be done.

    """
    merge = row(do)
    refused = [one for one in answers if one.error]
    done = [one.ok for one in answers if not one.error]
    if refused and not (merge.some and done):
        raise Refusal(refused[0].error, refused[0].hint)
    return merge.join(done, arguments)


def row(do: str) -> Merge:
    """Find an operation's row.

    Raises:
        Refusal: There is no such operation.

    """
    if do not in MERGES:
        raise Refusal(f"there is no operation {do!r}")
    return MERGES[do]


def _first(answers: _Answers, arguments: Arguments) -> Any:  # noqa: ANN401 - JSON
    del arguments
    return answers[0]


def _by_id(answers: _Answers, arguments: Arguments) -> Any:  # noqa: ANN401 - JSON
    """Ids begin with the time: their order is that of arrival."""
    rows = [one for answer in answers for one in answer]
    limit = page_size(arguments, DEFAULT_LIST)
    return sorted(rows, key=lambda one: one["id"])[:limit]


def _every(answers: _Answers, arguments: Arguments) -> Any:  # noqa: ANN401 - JSON
    del arguments
    rows = [one for answer in answers for one in answer]
    return [one for place, one in enumerate(rows) if one not in rows[:place]]


def _sums(answers: _Answers, arguments: Arguments) -> Any:  # noqa: ANN401 - JSON
    """Add up what is an amount, in whatever depth; ages and moments are no amounts."""
    del arguments
    total: dict[str, Any] = {}
    for answer in answers:
        _add(total, answer)
    return total


def _add(total: dict[str, Any], one: dict[str, Any]) -> None:
    for key, value in one.items():
        before = total.get(key)
        if isinstance(value, dict):
            _add(total.setdefault(key, {}), cast("dict[str, Any]", value))
        elif before is None or before == "":
            total[key] = value
        elif isinstance(value, list):
            more = cast("list[Any]", value)
            total[key] = before + [each for each in more if each not in before]
        elif isinstance(value, str):
            pass
        elif key.endswith("age_seconds"):
            total[key] = max(before, value)
        else:
            total[key] = before + value


def _by_destination(answers: _Answers, arguments: Arguments) -> Any:  # noqa: ANN401 - JSON
    del arguments
    found: dict[str, dict[str, Any]] = {}
    for answer in answers:
        for one in answer:
            total = found.setdefault(one["destination"], {})
            for key, value in one.items():
                total[key] = _joined(total.get(key), value)
    return sorted(found.values(), key=lambda one: -one["recipients"])


def _joined(before: Any, value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, int) and before is not None:
        return before + value
    return max(before, value) if before and value else before or value


def _timeline(answers: _Answers, arguments: Arguments) -> Any:  # noqa: ANN401 - JSON
    """The newest messages by their first event, each with its events by time."""
    limit = page_size(arguments, DEFAULT_TRACE)
    groups: dict[str, list[Any]] = {}
    events = (event for answer in answers for event in answer)
    for number, event in enumerate(sorted(events, key=lambda one: one["time"])):
        groups.setdefault(event.get("message") or f"#{number}", []).append(event)
    return [event for group in [*groups.values()][-limit:] for event in group]


MERGES: Mapping[str, Merge] = {
    "ping": Merge(_sums),
    "trace": Merge(_timeline),
    "queue.list": Merge(_by_id),
    "queue.show": Merge(_first, some=True),
    "queue.stats": Merge(_sums),
    "queue.export": Merge(_first, some=True),
    "queue.hold": Merge(_sums),
    "queue.retry": Merge(_sums),
    "queue.remove": Merge(_sums),
    "queue.release": Merge(_sums),
    "queue.destinations": Merge(_by_destination),
    "queue.pause": Merge(_sums),
    "queue.resume": Merge(_sums, some=True),
    "queue.backup": Merge(_every),
    "queue.backup.state": Merge(_every),
    "queue.backup.finish": Merge(_first, one=True),
    "user.add": Merge(_first, one=True),
    "user.list": Merge(_first, one=True),
    "user.passwd": Merge(_first, one=True),
    "user.disable": Merge(_first, one=True),
    "user.enable": Merge(_first, one=True),
    "user.expire": Merge(_first, one=True),
    "user.import": Merge(_first, one=True),
    "user.app-password.add": Merge(_first, one=True),
    "user.app-password.list": Merge(_first, one=True),
    "user.app-password.revoke": Merge(_first, one=True),
    "user.addresses": Merge(_first, one=True),
    "user.groups": Merge(_first, one=True),
    "user.remove": Merge(_first, one=True),
    "user.unlock": Merge(_first, one=True),
    "user.locked": Merge(_every, one=True),
}
