"""Certificates of clients as an authenticator.

The handshake has verified chain, validity and revocation against the listener's
authority. Here it is looked once more at what may have changed since (its time), and
at what OpenSSL leaves open: a certificate that does not say that it is for TLS clients
is none for us. Whose it is, the configuration says, for each name or certificate;
where local accounts count, a name is worth the account of that very name.
"""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_bytes
from typing import Literal, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sekisho.auth.account import Account
from sekisho.auth.lives import Life, Lives
from sekisho.auth.precis import PreparationError, prepare_name
from sekisho.auth.sasl import Credential
from sekisho.model.address import AddressPattern
from sekisho.model.identity import ChainAnswer, Identity, NotMine, Rejected, Verified

By = Literal["fingerprint", "email", "common_name"]


@dataclass(frozen=True, slots=True)
class Listed:
    """Whose a certificate is, as the configuration says."""

    account: str
    addresses: tuple[AddressPattern, ...] = ()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CertificateOptions:
    """How certificates are judged.

    Attributes:
        name: As configured.
        by: What of a certificate counts.
        listed: By what a certificate bears (`borne`).

    """

    name: str
    by: By
    listed: Mapping[str, Listed]


class Accounts(Protocol):
    """Local accounts; `AccountStore` is one."""

    def find(self, name: str) -> Account | NotMine:
        """Look an account up."""
        ...

    def is_current(self, identity: Identity) -> bool:
        """Whether the account is there, enabled and unchanged."""
        ...


def borne(text: str) -> str:
    """Bring what a certificate bears into the form in which it is compared."""
    return unicodedata.normalize("NFC", text).lower()


class CertificateAuthenticator:
    """Says whose a certificate is.

    Args:
        options: See there.
        accounts: Where each account must be local; None where the listed are all.
        clock: Unix seconds.

    """

    def __init__(
        self,
        options: CertificateOptions,
        accounts: Accounts | None,
        clock: Callable[[], float],
    ) -> None:
        self._options = options
        self._accounts = accounts
        self._clock = clock
        self._lives = Lives(token_bytes)

    @property
    def name(self) -> str:
        """As configured."""
        return self._options.name

    def credentials(self) -> frozenset[Credential]:
        """Certificates alone."""
        return frozenset({Credential.CERTIFICATE})

    async def pretend(self) -> None:
        """Take no time: there are no passwords here."""

    async def verify_certificate(self, certificate: bytes, account: str) -> ChainAnswer:
        """Say whose a certificate is."""
        try:
            shown = x509.load_der_x509_certificate(certificate)
            reason = self._unfit(shown)
            names = _names(shown, self._options.by)
        except ValueError:
            return Rejected("the certificate cannot be read", account)
        if reason:
            return Rejected(reason, account)
        found = {one.account: one for one in map(self._owner, names) if one}
        if not found:
            return NotMine()
        if not account and len(found) > 1:
            return Rejected("the certificate is of several accounts, and none is named")
        owner = found.get(account) if account else next(iter(found.values()))
        if owner is None:
            return Rejected("the certificate is another account's", account)
        return self._verified(owner, certificate, shown)

    def is_current(self, identity: Identity) -> bool:
        """Whether the certificate has not expired, and the account is unchanged."""
        life = self._lives.of(identity, self._clock())
        if life is None or identity.authenticator != self.name:
            return False
        if self._accounts is None:
            return True
        return life.rests_on is not None and self._accounts.is_current(life.rests_on)

    def _unfit(self, shown: x509.Certificate) -> str:
        """Why a certificate does not count, or nothing."""
        now = self._clock()
        if now < shown.not_valid_before_utc.timestamp():
            return "the certificate is not valid yet"
        if now >= shown.not_valid_after_utc.timestamp():
            return "the certificate has expired"
        try:
            usage = shown.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        except x509.ExtensionNotFound:
            return "the certificate does not say that it is for clients"
        if ExtendedKeyUsageOID.CLIENT_AUTH not in usage.value:
            return "the certificate is not for clients"
        return ""

    def _owner(self, name: str) -> Listed | None:
        if (listed := self._options.listed.get(name)) is not None:
            return listed
        if self._accounts is None or self._options.by == "fingerprint":
            return None
        try:
            own = prepare_name(name)
        except PreparationError:
            return None
        found = self._accounts.find(own)
        return None if isinstance(found, NotMine) else Listed(found.name)

    def _verified(
        self, owner: Listed, certificate: bytes, shown: x509.Certificate
    ) -> ChainAnswer:
        addresses, groups, rests_on = owner.addresses, owner.groups, None
        if self._accounts is not None:
            local = self._accounts.find(owner.account)
            if isinstance(local, NotMine):
                return Rejected("there is no such local account", owner.account)
            rests_on = Identity(local.name, self.name, "", local.generation)
            if not self._accounts.is_current(rests_on):
                return Rejected("the account is disabled", owner.account)
            addresses, groups = local.addresses, local.groups
        generation = self._lives.generation(
            owner.account.encode() + b"\0" + certificate
        )
        identity = Identity(
            account=owner.account,
            authenticator=self.name,
            mechanism="",
            generation=generation,
            addresses=addresses,
            groups=groups,
        )
        ends = shown.not_valid_after_utc.timestamp()
        self._lives.begin(Life(identity, ends, self._clock(), rests_on=rests_on))
        return Verified(identity)


def _names(shown: x509.Certificate, by: By) -> list[str]:
    """What a certificate bears of the kind that counts.

    Raises:
        ValueError: It cannot be read.

    """
    match by:
        case "fingerprint":
            return [shown.fingerprint(SHA256()).hex()]
        case "common_name":
            found = shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            # Of several, who knows which one the authority has looked at.
            return [borne(str(one.value)) for one in found] if len(found) == 1 else []
        case "email":
            try:
                names = shown.extensions.get_extension_for_class(
                    x509.SubjectAlternativeName
                )
            except x509.ExtensionNotFound:
                return []
            return [
                borne(one) for one in names.value.get_values_for_type(x509.RFC822Name)
            ]
