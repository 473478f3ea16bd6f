"""All probes, joined from their tables."""

from sekisho.audit.authentication import AUTHENTICATION
from sekisho.audit.chunking_probes import CHUNKING
from sekisho.audit.injection_probes import INJECTION
from sekisho.audit.load_probes import LOAD
from sekisho.audit.probe import Probe
from sekisho.audit.relay_probes import RELAY
from sekisho.audit.smuggling_probes import SMUGGLING
from sekisho.audit.starttls_probes import STARTTLS

PROBES: tuple[Probe, ...] = (
    *RELAY,
    *AUTHENTICATION,
    *SMUGGLING,
    *CHUNKING,
    *STARTTLS,
    *INJECTION,
    *LOAD,
)
