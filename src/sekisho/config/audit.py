"""What the configuration says of the service's audit of itself."""

from typing import Annotated, Literal

from pydantic import PlainValidator

from sekisho.config.fields import choice
from sekisho.config.table import Table


class Audit(Table):
    """The service's audit of itself: after its start, and after each reload.

    It knocks at each of its own listeners over real sockets, from an address that no
    grant covers, and asks what ``sekisho audit`` asks of strangers' servers. What it
    finds stands in the log (``audit.finished``), in the metrics, and in
    ``sekisho check --live``, which asks anew.

    Attributes:
        enabled: Whether it is done by itself.
        on_flaw: ``close``: after a flaw that is critical or high, what a grant lets
            through is answered 451 until an audit finds none; ``alarm``: only an alarm
            tells of it, as it does of lesser ones.

    """

    enabled: bool = True
    on_flaw: Annotated[
        Literal["close", "alarm"], PlainValidator(choice("close", "alarm"))
    ] = "close"
