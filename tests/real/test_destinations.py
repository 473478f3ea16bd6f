"""A running service shows its destinations, and leaves a paused one in peace."""

from typing import Any

from peers.process import wait_for
from peers.service import Service, plain_settings
from peers.sink import RecordingSink
from real.test_durability import Serve
from real.test_operating import send, state_of, told


def standing(service: Service) -> dict[str, dict[str, Any]]:
    """How each destination stands, by its name."""
    return {one["destination"]: one for one in told(service, "queue", "destinations")}


def test_a_pause_holds_until_it_is_resumed(serve: Serve, sink: RecordingSink) -> None:
    service = serve(plain_settings(sink.url, workers=2))
    first = send(service)
    wait_for("the first delivery", lambda: state_of(service, first) == "gone")
    (name,) = standing(service)
    assert standing(service)[name]["limit"] > 0

    assert told(service, "queue", "pause", name)["recipients"] == 0
    second = send(service)
    wait_for("the attempt", lambda: state_of(service, second) == "deferred")
    shown = told(service, "queue", "show", second)["recipients"][0]
    assert (shown["attempts"], shown["last_cause"]) == (0, "paused by an operator")
    assert standing(service)[name]["recipients"] == 1
    since = standing(service)[name]["paused_since"]
    assert since
    service.stop()
    assert standing(service)[name]["paused_since"] == since  # from the file alone
    service.start()
    assert standing(service)[name]["paused_since"] == since
    assert state_of(service, second) == "deferred"

    assert told(service, "queue", "resume", name)["recipients"] == 1
    wait_for("the second delivery", lambda: state_of(service, second) == "gone")
    assert len(sink.wait_for_messages(2)) == 2
