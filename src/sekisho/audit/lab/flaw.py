"""One flaw of the lab, as a row."""

from dataclasses import dataclass

from sekisho.audit.lab.manners import SOUND, Manners
from sekisho.model.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """A server that is flawed in one way, and its twin that is not.

    Attributes:
        name: On the command line: ``ms01-037``.
        title: What it does wrong.
        probes: The ids of those that find it.
        manners: The flawed ones.
        twin: The patched ones, with the same offers.

    """

    name: str
    title: Text
    probes: tuple[str, ...]
    manners: Manners
    twin: Manners = SOUND
