"""The Kerberos library, as far as it is used: every call waits, so threads make them.

`Library` is the only place that knows ``gssapi``. What it raises is `GssRefusedError`
(the client's fault) or `AuthUnavailableError` (anything else): only codes that are
known to be about the client are a refusal.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sekisho.auth.authenticator import AuthUnavailableError

KRB5_OID = "1.2.840.113554.1.2.2"
KRB5_OID_DER = bytes.fromhex("06092a864886f712010202")
BINDING_PREFIX = b"tls-server-end-point:"

_NO_SUCH_CLIENT = -1765328378
_REFUSED: Mapping[int, str] = {
    _NO_SUCH_CLIENT: "the KDC knows no such principal",
    -1765328383: "the principal has expired",
    -1765328366: "the principal is disabled",
    -1765328361: "the password has expired",
    -1765328360: "the password is wrong",
    -1765328353: "the ticket or the password is wrong",
    -1765328352: "the ticket has expired",
    -1765328351: "the ticket is not valid yet",
    -1765328350: "the request is a replay",
    -1765328349: "the ticket is for another service",
    -1765328348: "ticket and authenticator do not match",
    -1765328343: "the message was changed",
    -1765328341: "the key is of another version",
    -1765328339: "the ticket is for another service's key",
    39756033: "the ticket is for another service's key",
}
"""Kerberos's codes that are about the client; 39756033 is KG_KEYTAB_NOMATCH."""

_CALLER_FAULTS = frozenset(
    {"BadChannelBindingsError", "BadMICError", "InvalidTokenError"}
    | {"DuplicateTokenError", "ExpiredTokenError", "TokenOutOfSequenceError"}
)
"""Names of the library's errors, also of those that it derives from them."""


class GssRefusedError(Exception):
    """The client has not proved anything; the text is for the log."""

    def __init__(self, reason: str, *, unknown: bool = False) -> None:
        super().__init__(reason)
        self.unknown = unknown


class KerberosMissingError(Exception):
    """The package ``gssapi`` is not installed."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a whole exchange has shown.

    Attributes:
        principal: ``user@REALM``.
        lifetime: Seconds that the ticket still lives.
        is_bound: Whether the client sent the channel binding.

    """

    principal: str
    lifetime: float
    is_bound: bool


class Library:
    """The keys of one service.

    Args:
        keytab: Where they are.
        service: ``smtp@HOST``.

    Raises:
        KerberosMissingError: There is no library.

    """

    def __init__(self, keytab: Path, service: str) -> None:
        try:
            gssapi = import_module("gssapi")
        except ImportError as error:
            raise KerberosMissingError from error
        self._gss: Any = gssapi
        self._keytab = keytab
        self._service = service

    def begin(self, channel_binding: bytes) -> Any:  # noqa: ANN401 - the library's
        """Begin to accept a context; our keys are read anew each time."""
        return self._guarded(self._begin, channel_binding)

    def step(self, context: Any, token: bytes) -> tuple[bytes, bool]:  # noqa: ANN401
        """Take a token.

        Returns:
            The one to send, which may be empty, and whether the context is complete.

        """
        return self._guarded(self._step, context, token)

    def shown(self, context: Any) -> Shown:  # noqa: ANN401
        """What a complete context has shown."""
        return self._guarded(self._shown, context)

    def wrap(self, context: Any, octets: bytes) -> bytes:  # noqa: ANN401
        """Sign octets."""
        return bytes(self._guarded(context.wrap, octets, False).message)  # noqa: FBT003

    def unwrap(self, context: Any, octets: bytes) -> bytes:  # noqa: ANN401
        """Check a signature."""
        return bytes(self._guarded(context.unwrap, octets).message)

    def check_password(self, principal: str, password: str) -> Shown:
        """Get a ticket for our own service by a password, and verify it by our key.

        Only that shows that it was the right KDC who took the password: a false one
        takes any (the "Zanarotti attack").
        """
        return self._guarded(self._check_password, principal, password)

    def _begin(self, channel_binding: bytes) -> Any:  # noqa: ANN401
        gss = self._gss
        bindings = None
        if channel_binding:
            bindings = gss.raw.ChannelBindings(
                application_data=BINDING_PREFIX + channel_binding
            )
        return gss.SecurityContext(
            creds=self._own_keys(), usage="accept", channel_bindings=bindings
        )

    @staticmethod
    def _step(context: Any, token: bytes) -> tuple[bytes, bool]:  # noqa: ANN401
        answer = context.step(token)
        # Asked in the same breath: the library raises here what it has put off.
        return answer or b"", bool(context.complete)

    def _own_keys(self) -> Any:  # noqa: ANN401
        gss = self._gss
        return gss.Credentials(
            name=self._service_name(),
            usage="accept",
            store={"keytab": str(self._keytab)},
        )

    def _service_name(self) -> Any:  # noqa: ANN401
        return self._gss.Name(
            self._service, name_type=self._gss.NameType.hostbased_service
        )

    def _shown(self, context: Any) -> Shown:  # noqa: ANN401
        gss = self._gss
        if not context.complete:
            raise GssRefusedError("the exchange is not complete")
        if context.mech.dotted_form != KRB5_OID:
            raise GssRefusedError("it is not Kerberos")
        # As a number: the library's type has no name for all that it may set.
        flags, names = int(context.actual_flags), gss.RequirementFlag
        if flags & int(names.anonymity):
            raise GssRefusedError("an anonymous ticket")
        return Shown(
            principal=str(context.initiator_name),
            lifetime=float(context.lifetime),
            is_bound=bool(flags & int(names.channel_bound)),
        )

    def _check_password(self, principal: str, password: str) -> Shown:
        gss = self._gss
        name = gss.Name(principal, name_type=gss.NameType.kerberos_principal)
        got = gss.raw.acquire_cred_with_password(
            name, password.encode("utf-8"), usage="initiate"
        )
        initiate = gss.SecurityContext(
            name=self._service_name(),
            creds=gss.Credentials(base=got.creds),
            usage="initiate",
        )
        accept = gss.SecurityContext(creds=self._own_keys(), usage="accept")
        accept.step(initiate.step())
        shown = self._shown(accept)
        if shown.principal != principal:
            raise GssRefusedError("the ticket is another principal's")
        return shown

    def _guarded(self, call: Any, *arguments: Any) -> Any:  # noqa: ANN401
        try:
            return call(*arguments)
        except (GssRefusedError, AuthUnavailableError):
            raise
        except self._gss.exceptions.GSSError as error:
            raise _meaning(error) from None


def _meaning(error: Any) -> Exception:  # noqa: ANN401
    """What an error of the library says of the client, if it says anything."""
    code = _signed(int(error.min_code))
    if code in _REFUSED:
        return GssRefusedError(_REFUSED[code], unknown=code == _NO_SUCH_CLIENT)
    kind = type(error).__name__
    names = {one.__name__ for one in type(error).__mro__}
    if names & _CALLER_FAULTS:
        return GssRefusedError(kind)
    return AuthUnavailableError(f"{kind}, Kerberos code {code}")


def _signed(code: int) -> int:
    return code - 2**32 if code >= 2**31 else code


def prepare_environment(krb5_conf: Path | None, data_dir: Path) -> None:
    """Tell the library where its configuration and its replay cache are.

    They are the process's, as the library reads them from the environment.
    """
    if krb5_conf is not None:
        os.environ["KRB5_CONFIG"] = str(krb5_conf)
    os.environ.setdefault("KRB5RCACHENAME", f"file2:{data_dir / 'krb5.rcache'}")
