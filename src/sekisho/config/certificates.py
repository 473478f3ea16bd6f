"""``[[authenticator]] kind = "certificate"``: certificates of clients."""

import re
from typing import Annotated, Literal

from pydantic import Field, PlainValidator

from sekisho.config.fields import Many, Name, Pattern, choice, text
from sekisho.config.problems import wrong
from sekisho.config.table import Table

_FINGERPRINT = re.compile(r"(?:[0-9a-f]{2}:){31}[0-9a-f]{2}|[0-9a-f]{64}")

Text = Annotated[str, Field(min_length=1, max_length=254)]


def read_fingerprint(value: object) -> str:
    """Read a SHA-256 fingerprint, with colons or without, into 64 hex digits."""
    given = text(value).lower().removeprefix("sha256:").removeprefix("sha256=")
    if not _FINGERPRINT.fullmatch(given):
        raise wrong(
            "is no SHA-256 fingerprint",
            "openssl x509 -in client.pem -noout -fingerprint -sha256",
        )
    return given.replace(":", "")


Fingerprint = Annotated[str, PlainValidator(read_fingerprint)]


class CertificateUser(Table):
    """One certificate, or one name that certificates bear, and whose it is.

    Attributes:
        fingerprint: SHA-256 of the certificate; with ``by = "fingerprint"``.
        email: As in the certificate; with ``by = "email"``.
        common_name: As in the certificate; with ``by = "common_name"``.
        account: The account's name.
        addresses: Addresses and patterns that it may send from; not with local
            accounts, which have their own.
        groups: For grants to ``group:NAME``; not with local accounts.

    """

    fingerprint: Fingerprint | None = None
    email: Text | None = None
    common_name: Text | None = None
    account: Text
    addresses: Many[Pattern] = ()
    groups: Many[Text] = ()

    @property
    def bears(self) -> str:
        """What the certificate must bear."""
        return self.fingerprint or self.email or self.common_name or ""


class Certificate(Table):
    """Certificates of clients, by EXTERNAL, on listeners with a ``client_ca``.

    The handshake verifies chain, validity and revocation; the certificate must be one
    for TLS clients. Whose it is, is said here: nobody's, unless it is listed or local
    accounts count.

    Attributes:
        kind: ``certificate``.
        name: Shown in the log.
        by: What of a certificate counts: ``fingerprint``, ``email`` (addresses among
            its alternative names) or ``common_name``. Names are worth what the
            authority's care in giving them is.
        accounts: ``listed``: those of ``users`` alone. ``local``: the local account
            of that name, as long as it is enabled; ``users`` may map names and
            fingerprints to it.
        users: What is whose: tables ``[[authenticator.users]]``.

    """

    kind: Literal["certificate"]
    name: Name = "certificate"
    by: Annotated[
        Literal["fingerprint", "email", "common_name"],
        PlainValidator(choice("fingerprint", "email", "common_name")),
    ]
    accounts: Annotated[
        Literal["listed", "local"], PlainValidator(choice("listed", "local"))
    ] = "listed"
    users: Many[CertificateUser] = ()
