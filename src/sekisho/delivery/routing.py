"""Which way a recipient's mail goes: own domains, then rules in order, then MX."""

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
    route = routes.domains.get(address.domain)
    if route is None:
        route = _by_rule(routes, address, reverse_path)
    return Destination(route, address.domain if isinstance(route, MxRoute) else "")


def _by_rule(routes: Routes, address: Address, reverse_path: ReversePath) -> Route:
    for rule in routes.rules:
        if rule.to.matches(address) and _is_from(rule.sender, reverse_path):
            return rule.route
    return _MX


def _is_from(pattern: AddressPattern, reverse_path: ReversePath) -> bool:
    if isinstance(reverse_path, Address):
        return pattern.matches(reverse_path)
    return pattern.domain == "*"
