"""Authentication accepts what it should not: section B of the catalogue, as rows.

Each probe has two steps: the answer is never 235, and relaying is still refused after
it. Some entries cannot be seen from outside and are no rows: AUTH-021 (locked and
expired accounts), AUTH-063 (a backend that fails) and AUTH-070 (secrets in logs).
AUTH-083 (sending as another tenant) needs to know a second tenant; AUTH-080 asks the
same with a foreign domain.
"""

from sekisho.audit.authentication.accounts import ACCOUNTS
from sekisho.audit.authentication.afterwards import AFTERWARDS
from sekisho.audit.authentication.certificates import CERTIFICATES
from sekisho.audit.authentication.challenges import CHALLENGES
from sekisho.audit.authentication.failures import FAILURES
from sekisho.audit.authentication.guessing import GUESSING
from sekisho.audit.authentication.identities import IDENTITIES
from sekisho.audit.authentication.legacy import LEGACY
from sekisho.audit.authentication.scrams import SCRAMS
from sekisho.audit.authentication.states import STATES
from sekisho.audit.authentication.tokens import TOKENS
from sekisho.audit.authentication.trust import TRUST
from sekisho.audit.probe import Probe

_TABLES = (
    *(LEGACY, IDENTITIES, ACCOUNTS, CERTIFICATES, CHALLENGES, SCRAMS, TOKENS),
    *(STATES, FAILURES, TRUST, GUESSING, AFTERWARDS),
)

AUTHENTICATION: tuple[Probe, ...] = tuple(
    sorted((probe for table in _TABLES for probe in table), key=lambda probe: probe.id)
)
"""In the catalogue's order."""
