"""Grants made ready for fast decisions, and which of them an identity holds.

A grant to addresses and the same grant to identities are two permits: they own
different senders and are counted apart. A grant by address counts as one sender, a
grant to identities counts each account for itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import assert_never

from sekisho.model.address import Address
from sekisho.model.facts import QuotaKey, Usage
from sekisho.model.identity import Identity, Who
from sekisho.model.rules import (
    AnyIdentity,
    Clients,
    Grant,
    GrantedTo,
    Group,
    Quota,
    User,
)
from sekisho.policy import rules as names
from sekisho.policy.clients import Claim, span_of
from sekisho.policy.patterns import PatternSet

_UNUSED = Usage()


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """A grant, or a legacy lane, ready for use.

    Attributes:
        grant: What it was made of.
        rule: `names.GRANT` or `names.LANE`.
        reason: Why it lets something through, in words.
        senders: Whom it may name as sender; None for what the identity owns.
        recipients: To whom.
        by_account: Whether its quota counts by account.
        is_counted: Whether it has a quota at all.
        expires_at: As in the grant.

    """

    grant: Grant
    rule: str
    reason: str
    senders: PatternSet | None
    recipients: PatternSet
    by_account: bool
    is_counted: bool
    expires_at: float

    def has_expired(self, now: float) -> bool:
        """Whether it is void by now."""
        return now >= self.expires_at

    def allows_author(self, address: Address, who: Who) -> bool:
        """Whether ``From`` may name this mailbox under it."""
        if self.by_account and isinstance(who, Identity) and who.owns(address):
            return True
        return self.senders is not None and self.senders.holds(address)

    def quota_key(self, who: Who) -> QuotaKey:
        """Whom its quota counts."""
        account = who.account if self.by_account and isinstance(who, Identity) else ""
        return QuotaKey(self.grant.name, account)

    def room(self, who: Who, usage: Mapping[QuotaKey, Usage]) -> float:
        """To how many recipients one more message may go."""
        if not self.is_counted:
            return inf
        quota = self.grant.quota
        used = usage.get(self.quota_key(who), _UNUSED)
        if _is_full(quota.messages_per_hour, used.messages_last_hour) or _is_full(
            quota.messages_per_day, used.messages_last_day
        ):
            return 0
        return min(
            _left(quota.recipients_per_hour, used.recipients_last_hour),
            _left(quota.recipients_per_day, used.recipients_last_day),
        )


def credential_key(who: Identity) -> QuotaKey:
    """What counts the messages of one of an account's credentials.

    No grant has such a name: names hold no colon.
    """
    return QuotaKey(f"app-password:{who.credential}", who.account)


def is_used_up(who: Identity, usage: Mapping[QuotaKey, Usage]) -> bool:
    """Whether the credential has sent what it may today."""
    if not who.max_messages_per_day:
        return False
    used = usage.get(credential_key(who), _UNUSED)
    return _is_full(who.max_messages_per_day, used.messages_last_day)


def _is_full(bound: int, used: int) -> bool:
    return bound != 0 and used >= bound


def _left(bound: int, used: int) -> float:
    return bound - used if bound else inf


def permit_for_clients(grant: Grant, listener: str, rule: str = names.GRANT) -> Permit:
    """What a grant allows the client addresses it names."""
    what = f"grant {grant.name!r}" if rule == names.GRANT else "its lane"
    return Permit(
        grant,
        rule,
        f"listener {listener!r}: {what} lets this client address send",
        PatternSet(grant.senders),
        PatternSet(grant.recipients),
        by_account=False,
        is_counted=grant.quota != Quota(),
        expires_at=grant.expires_at,
    )


def permit_for_identities(grant: Grant, listener: str) -> Permit:
    """What a grant allows the identities it names."""
    return Permit(
        grant,
        names.GRANT,
        f"listener {listener!r}: grant {grant.name!r} lets this account send",
        PatternSet(grant.senders) if grant.senders else None,
        PatternSet(grant.recipients),
        by_account=True,
        is_counted=grant.quota != Quota(),
        expires_at=grant.expires_at,
    )


def claims_of(permit: Permit) -> Iterable[Claim[Permit]]:
    """The ranges of client addresses that a permit names."""
    risk = bool(permit.grant.accept_risk)
    for entry in permit.grant.who:
        if isinstance(entry, Clients):
            for network in entry.networks:
                yield Claim(span_of(network), permit, risk)


def names_identities(grant: Grant) -> bool:
    """Whether it is a grant to identities (too)."""
    return any(not isinstance(entry, Clients) for entry in grant.who)


def names_clients(grant: Grant) -> bool:
    """Whether it is a grant by address (too)."""
    return any(isinstance(entry, Clients) for entry in grant.who)


class IdentityIndex:
    """Finds the permits that an identity holds, in the order of the file."""

    __slots__ = ("_everybody", "_groups", "_names_some", "_order", "_users")

    def __init__(self, permits: Iterable[Permit]) -> None:
        everybody: list[Permit] = []
        self._groups: dict[str, list[Permit]] = {}
        self._users: dict[str, list[Permit]] = {}
        self._order: dict[Permit, int] = {}
        for permit in permits:
            self._order[permit] = len(self._order)
            for entry in permit.grant.who:
                self._file(entry, permit, everybody)
        self._everybody = tuple(dict.fromkeys(everybody))
        self._names_some = bool(self._groups or self._users)

    def _file(self, entry: GrantedTo, permit: Permit, everybody: list[Permit]) -> None:
        match entry:
            case AnyIdentity():
                everybody.append(permit)
            case Group(name):
                self._groups.setdefault(name, []).append(permit)
            case User(name):
                self._users.setdefault(name, []).append(permit)
            case Clients():
                pass  # The same grant's other permit.
            case _:
                assert_never(entry)

    def held_by(self, who: Identity) -> tuple[Permit, ...]:
        """Every permit of an identity."""
        if not self._names_some:
            return self._everybody
        found = set(self._users.get(who.account, ()))
        for group in who.groups:
            found.update(self._groups.get(group, ()))
        if not found:
            return self._everybody
        found.update(self._everybody)
        return tuple(sorted(found, key=self._order.__getitem__))
