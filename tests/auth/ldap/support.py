"""How tests ask a directory."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from peers.slapd import BASE, SERVICE, SERVICE_PASSWORD
from sekisho.app.directories import directory_options
from sekisho.auth.ldap.authenticator import LdapAuthenticator
from sekisho.config.ldap import Ldap
from sekisho.config.outside import Surroundings


def table(*servers: str, ca: Path | None = None, **keys: Any) -> Ldap:
    """A table of the configuration, as a file would spell it; None takes a key away."""
    spelled: dict[str, Any] = {
        "kind": "ldap",
        "profile": "openldap",
        "servers": list(servers),
        "base": BASE,
        "bind_dn": SERVICE,
        "bind_password": SERVICE_PASSWORD,
        "ca": str(ca) if ca else None,
        **keys,
    }
    given = {key: value for key, value in spelled.items() if value is not None}
    return Ldap.model_validate(given, context=Surroundings(Path(), {}))


@asynccontextmanager
async def asking(
    *servers: str, ca: Path | None = None, **keys: Any
) -> AsyncGenerator[LdapAuthenticator]:
    """An authenticator, closed at the end."""
    options = directory_options(table(*servers, ca=ca, **keys))
    one = LdapAuthenticator("ldap", options, time.time)
    try:
        yield one
    finally:
        await one.close()
