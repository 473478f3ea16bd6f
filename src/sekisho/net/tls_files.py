"""What is said of a certificate's files where they cannot be used."""

import ssl


class TlsFilesError(Exception):
    """Certificate or key cannot be used.

    Attributes:
        hint: What to do.

    """

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.hint = hint


def why(error: OSError) -> str:
    """Say it in the system's or in OpenSSL's words; `ssl.SSLError` is an OSError."""
    if isinstance(error, ssl.SSLError):
        return error.reason or "not PEM"
    return error.strerror or str(error)
