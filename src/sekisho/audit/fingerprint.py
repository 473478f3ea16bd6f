"""What the banner says of the software: a hint for people, and never a verdict."""

from dataclasses import dataclass

from sekisho.model.text import Text


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A guess.

    Attributes:
        service: The software: ``Postfix``.
        version: As its banner gives it, or empty.
        note: What the version points to, such as a service pack; None for nothing.

    """

    service: str
    version: str = ""
    note: Text | None = None
