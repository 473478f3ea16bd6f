"""All probes, joined from their tables."""

from sekisho.audit.probe import Probe
from sekisho.audit.relay_probes import RELAY

PROBES: tuple[Probe, ...] = (*RELAY,)
