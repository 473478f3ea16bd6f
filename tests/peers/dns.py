"""A name server of the test's own: UDP and TCP, from a table, and it counts."""

import contextlib
import socket
import struct
import threading
from collections import Counter
from types import TracebackType
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Table = dict[tuple[str, str], list[str] | str]
"""(name, type) → the records, or the name of a response code such as ``SERVFAIL``.

A name that stands in the table with another type gives an empty answer, any other
name NXDOMAIN.
"""


class NameServer:
    """Answers from `table`, which may be changed while it runs."""

    def __init__(self, table: Table, address: str, port: int = 0) -> None:
        self.table = table
        self.address = address
        self.asked: Counter[tuple[str, str]] = Counter()
        self._tcp = socket.create_server((address, port))
        self.port = int(self._tcp.getsockname()[1])
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((address, self.port))
        self._udp.settimeout(0.2)
        self._tcp.settimeout(0.2)
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=serve, daemon=True)
            for serve in (self._serve_udp, self._serve_tcp)
        ]

    def _answer(self, packet: bytes, limit: int = 65535) -> bytes:
        query = dns.message.from_wire(packet)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked[name, kind] += 1
        response = dns.message.make_response(query, recursion_available=True)
        found = self.table.get((name, kind))
        match found:
            case str():
                response.set_rcode(dns.rcode.from_text(found))
            case list():
                response.answer.append(
                    dns.rrset.from_text_list(question.name, 60, "IN", kind, found)
                )
            case None if any(known == name for known, _ in self.table):
                pass
            case None:
                response.set_rcode(dns.rcode.NXDOMAIN)
        wire = response.to_wire(max_size=65535)
        if len(wire) > limit:
            response.answer.clear()
            response.flags |= dns.flags.TC
            wire = response.to_wire()
        return wire

    def _serve_udp(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError, dns.exception.DNSException):
                packet, peer = self._udp.recvfrom(4096)
                self._udp.sendto(self._answer(packet, 1232), peer)

    def _serve_tcp(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                stream, _ = self._tcp.accept()
                with stream, stream.makefile("rb") as incoming:
                    stream.settimeout(2)
                    (length,) = struct.unpack("!H", incoming.read(2))
                    answer = self._answer(incoming.read(length))
                    stream.sendall(struct.pack("!H", len(answer)) + answer)

    def __enter__(self) -> Self:
        """Answer."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Go away."""
        self._ended.set()
        for thread in self._threads:
            thread.join(5)
        self._udp.close()
        self._tcp.close()
