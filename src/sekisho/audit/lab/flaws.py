"""All flaws of the lab, joined from their tables."""

from sekisho.audit.lab.flaw import Flaw

FLAWS: tuple[Flaw, ...] = ()
