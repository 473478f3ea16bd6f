"""All flaws of the lab, joined from their tables."""

from sekisho.audit.lab.authentication_flaws import AUTHENTICATION_FLAWS
from sekisho.audit.lab.content_flaws import CONTENT_FLAWS
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.load_flaws import LOAD_FLAWS
from sekisho.audit.lab.relay_flaws import RELAY_FLAWS
from sekisho.audit.lab.wire_flaws import WIRE_FLAWS

FLAWS: tuple[Flaw, ...] = (
    *RELAY_FLAWS,
    *AUTHENTICATION_FLAWS,
    *WIRE_FLAWS,
    *CONTENT_FLAWS,
    *LOAD_FLAWS,
)
