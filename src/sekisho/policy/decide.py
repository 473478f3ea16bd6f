"""The decision: from facts alone to accept or refuse, with rule and reason.

Promises:

1. **No papers, no passage.** A recipient that is not ours passes by a `Permit` (a
   grant, or a legacy listener's lane) and by nothing else.
2. Every moment decides anew from all facts: RCPT includes what MAIL asked, and the end
   of the content includes both, so a grant that expires between them is void.
3. Only the decision at the end of the content holds rulings and counts quotas. A
   decision made at MAIL or RCPT names no recipient, so `queue.put` has no use for it,
   and no message can slip past what its header says.

Who comes in by which listener stands in `sekisho.policy.gates`.

What is ours is decided by whole domains: neither address literals nor sub-domains are
ours unless they stand in the configuration. Local parts are opaque.

Speed: the common cases cost a few microseconds. Reasons for accepting are made when
the rules are compiled; reasons for refusing are looked for only after refusing.
"""

from collections.abc import Iterable
from typing import assert_never

from sekisho.model import replies
from sekisho.model.address import Address
from sekisho.model.decision import Decision, Ruling
from sekisho.model.facts import Facts, HeaderFacts, Offered, QuotaKey, Standing
from sekisho.model.identity import Identity, Who
from sekisho.model.rules import IPAddress, Quota, RecipientCheck, Role, Rules
from sekisho.policy import rules as names
from sekisho.policy.binding import Bound, Logged, NotBound, Rewrite, bind_author
from sekisho.policy.brake import sent_key, whom, why_held
from sekisho.policy.gates import (
    Case,
    Domain,
    build_gates,
    client_in_words,
    over_quota,
    why_no_sender,
)
from sekisho.policy.patterns import PatternSet
from sekisho.policy.permits import Permit, credential_key
from sekisho.policy.verdicts import accepted, passed, refused

_REFUSED_STANDINGS = {
    Standing.UNKNOWN: (
        names.UNKNOWN_RECIPIENT,
        replies.UNKNOWN_RECIPIENT,
        "the host of {domain} knows no such recipient",
    ),
    Standing.UNAVAILABLE: (
        names.RECIPIENT_UNCHECKED,
        replies.RECIPIENT_UNCHECKED,
        "the host of {domain} could not be asked",
    ),
}
_FLAW_FOUND = "the audit of the service by itself has found a flaw"
_POSTMASTER_REASON = "mail for the postmaster is always taken"


class Policy:
    """The rules, indexed; pure, and the same for all sessions."""

    __slots__ = (
        "_brakes",
        "_domains",
        "_gates",
        "_has_quotas",
        "_postmaster",
        "rules",
    )

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._domains = {
            name: Domain(own, PatternSet(own.patterns))
            for name, own in rules.domains.items()
        }
        self._gates = build_gates(rules, self._domains)
        self._postmaster = rules.postmaster.key
        self._brakes = rules.brake.is_on
        lanes = [one.lane for one in rules.listeners.values() if one.lane is not None]
        self._has_quotas = any(one.quota != Quota() for one in [*rules.grants, *lanes])

    def decide(self, facts: Facts) -> Decision:
        """Decide a case at MAIL, at RCPT or at the end of the content.

        Args:
            facts: Everything; the moment follows from them (`Facts`).

        Returns:
            A decision; with rulings only at the end of the content.

        """
        gate = self._gates.get(facts.listener)
        if gate is None:
            reason = f"listener {facts.listener!r} is not configured"
            return refused(
                names.NO_LISTENER, replies.RELAY_DENIED, reason, facts.reverse_path
            )
        case = gate.enter(gate, facts)
        if isinstance(case, Decision):
            return case
        if facts.recipients:
            return self._recipients(case)
        return accepted(
            names.SENDER, gate.sender_reason, facts.reverse_path, replies.SENDER_OK
        )

    def wants_callout(self, address: Address) -> bool:
        """Whether the host of an own domain is to be asked for this recipient.

        Ask only after `decide` accepted the recipient with `Standing.NOT_ASKED`, and
        decide again with the answer. At the end of the content a recipient that
        wants asking and was not asked is refused: every doubt is a refusal.
        """
        domain = self._domains.get(address.domain)
        return (
            domain is not None
            and domain.own.check is RecipientCheck.CALLOUT
            and not self._is_postmaster(address, domain)
        )

    def counts(self, listener: str, client: IPAddress, who: Who) -> bool:
        """Whether a decision about this client may look at a quota."""
        if isinstance(who, Identity) and (who.max_messages_per_day or self._brakes):
            return True
        gate = self._gates.get(listener)
        if gate is None or not self._has_quotas:
            return False
        held = (
            gate.identities.held_by(who)
            if isinstance(who, Identity)
            else gate.clients.at(client)
        )
        return any(permit.is_counted for permit in held)

    def held_at(self, listener: str, client: IPAddress) -> tuple[Permit, ...]:
        """Which grants or lane an address has on a listener: for the proof."""
        return self._gates[listener].clients.at(client)

    def held_by(self, listener: str, who: Identity) -> tuple[Permit, ...]:
        """Which grants an identity has on a listener: for the proof."""
        return self._gates[listener].identities.held_by(who)

    def _recipients(self, case: Case) -> Decision:
        facts = case.facts
        taken: dict[Permit, int] = {}
        if case.gate.role is Role.LEGACY:
            # Whatever comes by a lane counts against it, the postmaster's mail too.
            taken[case.usable[0]] = 0
        rulings: list[Ruling] = []
        for offered in facts.recipients:
            ruling = self._recipient(case, offered, taken)
            if isinstance(ruling, Decision):
                return ruling
            rulings.append(ruling)
        if facts.header is not None:
            return self._content(case, facts.header, rulings, taken)
        return accepted(
            rulings[0].rule,
            _reason(case, rulings, taken),
            facts.reverse_path,
            replies.RECIPIENT_OK,
            rulings[0].grant,
        )

    def _recipient(
        self, case: Case, offered: Offered, taken: dict[Permit, int]
    ) -> Ruling | Decision:
        """Rule on one recipient, and count it against what lets it through."""
        address = offered.address
        domain = self._domains.get(address.domain)
        if self._is_postmaster(address, domain):
            return Ruling(address, names.POSTMASTER)
        if domain is not None:
            unknown = _unknown(case, domain, offered)
            if unknown is not None:
                return unknown
            if case.ours_is_free:
                return Ruling(address, names.OWN_DOMAIN)
        return self._by_permit(case, address, taken)

    def _by_permit(
        self, case: Case, address: Address, taken: dict[Permit, int]
    ) -> Ruling | Decision:
        facts, used_up = case.facts, None
        for permit in case.usable:
            if not permit.recipients.holds(address):
                continue
            so_far = taken.get(permit, 0)
            if permit.is_counted and so_far >= permit.room(facts.who, facts.usage):
                used_up = used_up or permit
                continue
            if self.rules.relaying_closed:
                return _closed(permit, facts)
            taken[permit] = so_far + 1
            return Ruling(address, permit.rule, permit.grant.name)
        if used_up is not None:
            return over_quota(case.gate, used_up, facts)
        reason = f"listener {case.gate.name!r}: {_why_not(case, address)}"
        return refused(
            names.RELAY_DENIED, replies.RELAY_DENIED, reason, facts.reverse_path
        )

    def _is_postmaster(self, address: Address, domain: Domain | None) -> bool:
        """Unqualified, of a domain of ours, or whom the operator named instead.

        The server takes ``RCPT TO:<postmaster>`` for `Rules.postmaster`, which may be
        elsewhere: that one mailbox is open to everybody because it must be.
        """
        local = address.local_part.lower()
        if local == "postmaster" and (domain is not None or not address.domain):
            return True
        return (local, address.domain) == self._postmaster

    def _content(
        self,
        case: Case,
        header: HeaderFacts,
        rulings: list[Ruling],
        taken: dict[Permit, int],
    ) -> Decision:
        facts, role = case.facts, case.gate.role
        path, rewrite_from, log_only = facts.reverse_path, None, ""
        if header.hops > self.rules.max_hops:
            reason = f"{header.hops} Received fields, more than {self.rules.max_hops}"
            return refused(names.HOPS, replies.TOO_MANY_HOPS, reason, path)
        # Mail from anybody to us says what it likes: that is for other checks.
        if taken or role is not Role.MX:
            permits = tuple(taken or case.usable[:1])
            binding = bind_author(header, facts, role, permits)
            match binding:
                case Bound():
                    pass
                case Rewrite(author):
                    rewrite_from = author
                case Logged(what):
                    log_only = what
                case NotBound(rule, reply, reason):
                    return refused(rule, reply, reason, path)
                case _:
                    assert_never(binding)
        return passed(
            tuple(rulings),
            _reason(case, rulings, taken),
            path,
            counted=self._counted(facts.who, taken),
            rewrite_from=rewrite_from,
            log_only=log_only,
            held_by=why_held(self.rules.brake, whom(facts.who), facts.usage)
            if self._brakes
            else "",
        )

    def _counted(self, who: Who, taken: Iterable[Permit]) -> tuple[QuotaKey, ...]:
        """What a message counts against."""
        keys = [permit.quota_key(who) for permit in taken if permit.is_counted]
        if isinstance(who, Identity):
            if who.max_messages_per_day:
                keys.append(credential_key(who))
            if self._brakes:
                keys.append(sent_key(who.account))
        return tuple(keys)


def compile_rules(rules: Rules) -> Policy:
    """Index the rules for decisions."""
    return Policy(rules)


def _unknown(case: Case, domain: Domain, offered: Offered) -> Decision | None:
    """Refuse a recipient of ours that does not exist, or may not."""
    own, address = domain.own, offered.address
    standing = Standing.EXISTS
    if own.check is RecipientCheck.CALLOUT:
        standing = offered.standing
        if standing is Standing.NOT_ASKED and case.facts.header is not None:
            standing = Standing.UNAVAILABLE
    elif own.check is RecipientCheck.LISTED and not (
        address.key in own.recipients or domain.patterns.holds(address)
    ):
        return refused(
            names.UNKNOWN_RECIPIENT,
            replies.UNKNOWN_RECIPIENT,
            f"<{address}> is not among the recipients of {own.name}",
            case.facts.reverse_path,
        )
    if standing not in _REFUSED_STANDINGS:
        return None
    rule, reply, words = _REFUSED_STANDINGS[standing]
    reason = f"<{address}>: {words.format(domain=own.name)}"
    return refused(rule, reply, reason, case.facts.reverse_path)


def _closed(permit: Permit, facts: Facts) -> Decision:
    """Refuse for now what a grant covers."""
    reason = f"grant {permit.grant.name!r} covers it, but {_FLAW_FOUND}"
    path = facts.reverse_path
    return refused(names.RELAYING_CLOSED, replies.RELAYING_CLOSED, reason, path)


def _reason(case: Case, rulings: list[Ruling], taken: dict[Permit, int]) -> str:
    """Why it passes: by the first grant, or because the recipient is ours."""
    for permit in taken:
        return permit.reason
    if rulings[0].rule == names.POSTMASTER:
        return _POSTMASTER_REASON
    return case.gate.ours_reason


def _why_not(case: Case, address: Address) -> str:
    """Why no grant covers the recipient; the one that came nearest is named."""
    facts = case.facts
    if case.usable:
        name = case.usable[0].grant.name
        return f"grant {name!r} does not reach <{address}>, and no other does"
    if case.held:
        return f"<{address}> is not ours, and {why_no_sender(case.held, facts)}"
    return f"<{address}> is not ours, and {client_in_words(facts)} has no grant"
