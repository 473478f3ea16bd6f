"""All flaws of the lab, joined from their tables."""

from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.relay_flaws import RELAY_FLAWS

FLAWS: tuple[Flaw, ...] = (*RELAY_FLAWS,)
