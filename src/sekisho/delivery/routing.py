"""Which way a recipient's mail goes: own domains, then rules in order, then MX."""

from functools import lru_cache

from sekisho.model.address import Address, AddressPattern, ReversePath
from sekisho.model.route import Destination, MxRoute, Route, Routes

_MX = MxRoute()


def destination_for(
    routes: Routes, address: Address, reverse_path: ReversePath
) -> Destination:
    """Choose the destination of one recipient.

    The route of an own domain stands before all rules: a rule ``to = "*"`` for a
    smarthost must not carry inner mail outside.

    Args:
        routes: As configured.
        address: The forward-path.
        reverse_path: The sender; ``<>`` matches no ``from`` but ``*``.

    """
    own = routes.own.get(address.domain)
    if own is not None:
        return own
    for rule in routes.rules:
        if rule.to.matches(address) and _is_from(rule.sender, reverse_path):
            return rule.destination or _by_mx(rule.route, address.domain)
    return _by_mx(_MX, address.domain)


@lru_cache(maxsize=1024)
def _by_mx(route: Route, domain: str) -> Destination:
    """Give a domain's destination, nearly always one that was made before."""
    return Destination(route, domain)


def _is_from(pattern: AddressPattern, reverse_path: ReversePath) -> bool:
    if isinstance(reverse_path, Address):
        return pattern.matches(reverse_path)
    return pattern.domain == "*"
