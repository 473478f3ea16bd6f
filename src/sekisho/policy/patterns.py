"""Many address patterns at once, in a time that does not grow with their number.

A set holds what any of its patterns matches (`AddressPattern.matches` is the meaning;
a property test compares the two).
"""

from collections.abc import Iterable

from sekisho.model.address import Address, AddressPattern


class PatternSet:
    """Which mailboxes: the union of patterns."""

    __slots__ = ("_below", "_domains", "_exact", "holds_all")

    def __init__(self, patterns: Iterable[AddressPattern]) -> None:
        exact: set[tuple[str, str]] = set()
        domains: set[str] = set()
        below: list[tuple[str, str]] = []
        self.holds_all = False
        for pattern in patterns:
            local, domain = pattern.local_part, pattern.domain
            if (local, domain) == ("*", "*"):
                self.holds_all = True
            elif domain == "*" or domain.startswith("*."):
                below.append((local, domain[1:]))
            elif local == "*":
                domains.add(domain)
            else:
                exact.add((local, domain))
        self._exact = frozenset(exact)
        self._domains = frozenset(domains)
        self._below = tuple(below)

    def holds(self, address: Address) -> bool:
        """Whether a pattern matches the mailbox."""
        if self.holds_all or address.domain in self._domains:
            return True
        local = address.local_part.lower()
        if (local, address.domain) in self._exact:
            return True
        for wanted, suffix in self._below:
            if wanted in ("*", local) and address.domain.endswith(suffix):
                return True
        return False
