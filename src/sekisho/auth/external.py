"""EXTERNAL (RFC 4422, appendix A): "look at my TLS certificate".

The response is the name that the client wants to be, or empty for whoever the
certificate is about. What the certificate is worth, the handshake and an authenticator
say; a client without one finds nobody here.
"""

from sekisho.auth.precis import PreparationError, prepare_name
from sekisho.auth.sasl import CertificateClaimed, Challenge, Failed, Step

_EMPTY = Challenge(b"")


class External:
    """One exchange."""

    __slots__ = ()

    def step(self, response: bytes | None) -> Step:
        """Ask for the name if none came with AUTH; then read it."""
        if response is None:
            return _EMPTY
        if not response:
            return CertificateClaimed("")
        try:
            return CertificateClaimed(prepare_name(response.decode("utf-8")))
        except UnicodeDecodeError:
            return Failed("the name is not UTF-8")
        except PreparationError as error:
            return Failed(f"the name is none: {error}")
