"""The lab's flaws of authentication, joined from their tables."""

from sekisho.audit.lab.exchange_flaws import EXCHANGE_FLAWS
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.guessing_flaws import GUESSING_FLAWS
from sekisho.audit.lab.mechanism_flaws import MECHANISM_FLAWS
from sekisho.audit.lab.password_flaws import PASSWORD_FLAWS
from sekisho.audit.lab.state_flaws import STATE_FLAWS

AUTHENTICATION_FLAWS: tuple[Flaw, ...] = (
    *EXCHANGE_FLAWS,
    *PASSWORD_FLAWS,
    *MECHANISM_FLAWS,
    *STATE_FLAWS,
    *GUESSING_FLAWS,
)
