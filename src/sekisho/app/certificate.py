"""The certificate and its key, read once by the supervisor for all workers.

A worker gets the octets and never opens the files: a pair that was broken since must
not keep a dead worker from being replaced. OpenSSL reads files alone, so the octets are
given to it as files that lie in memory and have no name.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from sekisho.config.tables import Listener, Tls
from sekisho.net.client_certificates import Authority, in_memory, read_authority
from sekisho.net.tls import ServerTls, TlsFilesError, load_server_tls


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate chain and its key, as PEM.

    Attributes:
        certificate: Own certificate first.
        key: Its private key.
        authorities: Who signs the certificates of clients, by listener.

    """

    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)
    authorities: Mapping[str, Authority] = field(default_factory=dict[str, Authority])


def read_authorities(listeners: Iterable[Listener]) -> dict[str, Authority]:
    """Read who signs the certificates of clients, by listener.

    Raises:
        TlsFilesError: A file cannot be used.

    """
    return {
        one.name: read_authority(one.client_ca, one.client_crl)
        for one in listeners
        if one.client_ca is not None
    }


def client_files(listeners: Iterable[Listener]) -> tuple[Path, ...]:
    """The files that say whose certificates are taken."""
    files = [file for one in listeners for file in (one.client_ca, one.client_crl)]
    return tuple(file for file in files if file is not None)


def read_pair(files: Tls, listeners: Iterable[Listener] = ()) -> Pair:
    """Read the pair, and see that it can be served.

    Raises:
        TlsFilesError: It cannot.

    """
    authorities = read_authorities(listeners)
    try:
        certificate, key = files.certificate.read_bytes(), files.key.read_bytes()
        pair = Pair(certificate, key, authorities)
        load_pair(pair)
    except (OSError, TlsFilesError) as error:
        # The same again from the files: the error has their names.
        load_server_tls(files.certificate, files.key, authorities)
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
        certificate = files.enter_context(in_memory(pair.certificate))
        key = files.enter_context(in_memory(pair.key))
        return load_server_tls(certificate, key, pair.authorities)
