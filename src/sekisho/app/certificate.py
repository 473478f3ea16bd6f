"""The certificate and its key, read once by the supervisor for all workers.

A worker gets the octets and never opens the files: a pair that was broken since must
not keep a dead worker from being replaced. OpenSSL reads files alone, so the octets are
given to it as files that lie in memory and have no name.
"""

import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sekisho.config.tables import Tls
from sekisho.net.tls import ServerTls, TlsFilesError, load_server_tls


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate chain and its key, as PEM."""

    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)


def read_pair(files: Tls) -> Pair:
    """Read the pair, and see that it can be served.

    Raises:
        TlsFilesError: It cannot.

    """
    try:
        pair = Pair(files.certificate.read_bytes(), files.key.read_bytes())
        load_pair(pair)
    except (OSError, TlsFilesError) as error:
        # The same again from the files: the error has their names.
        load_server_tls(files.certificate, files.key)
        hint = "they have just changed; try again"
        raise TlsFilesError(
            f"{files.certificate}, {files.key}: {error}", hint
        ) from error
    return pair


def load_pair(pair: Pair) -> ServerTls:
    """Make what a listener needs.

    Raises:
        TlsFilesError: The pair cannot be used.

    """
    with ExitStack() as files:
        certificate = files.enter_context(_in_memory(pair.certificate))
        key = files.enter_context(_in_memory(pair.key))
        return load_server_tls(certificate, key)


@contextmanager
def _in_memory(octets: bytes) -> Generator[Path]:
    descriptor = os.memfd_create("sekisho", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, octets)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
