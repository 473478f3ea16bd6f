"""Who a message says wrote it: ``From`` and ``Sender`` (RFC 5322 §3.6.2).

A verified client that may relay may still not write in another's name. What happens
to a field that is not its own is the grant's choice: refuse (the default), rewrite or
only log. Where several grants let one message through, the strictest one rules.

A ``From`` that does not name exactly one mailbox is refused on submission whatever the
grant says (the user's program is broken, or a forgery is tried); a machine in a lane
may have it rewritten, which is what a printer without ``From`` needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from sekisho.model import replies
from sekisho.model.address import Address, ReversePath
from sekisho.model.facts import Facts, HeaderFacts, Malformation
from sekisho.model.identity import Identity, Who
from sekisho.model.reply import Reply
from sekisho.model.rules import Role, SenderBinding
from sekisho.policy import rules as names
from sekisho.policy.permits import Permit


@dataclass(frozen=True, slots=True)
class Bound:
    """Both fields are the client's own."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """``From`` is to name this mailbox instead."""

    author: Address


@dataclass(frozen=True, slots=True)
class Logged:
    """They are not, and the grant lets it be."""

    what: str


@dataclass(frozen=True, slots=True)
class NotBound:
    """They are not, and the message is refused."""

    rule: str
    reply: Reply
    reason: str


Binding = Bound | Rewrite | Logged | NotBound
BOUND = Bound()

_STRICTNESS = (SenderBinding.REFUSE, SenderBinding.REWRITE, SenderBinding.LOG)


def bind_author(
    header: HeaderFacts, facts: Facts, role: Role, permits: Sequence[Permit]
) -> Binding:
    """Hold ``From`` and ``Sender`` against what the client owns.

    Args:
        header: What they say.
        facts: Reverse-path and identity.
        role: Of the listener.
        permits: Those by which the message passes, all of which allow the
            reverse-path; none where an identity without a grant writes to our own
            domains.

    """
    reverse_path, who = facts.reverse_path, facts.who
    author, sender = header.author, header.sender
    if author is None or header.malformation is not Malformation.NONE:
        what = header.malformation.value or "there is no From field"
        problem = NotBound(names.AUTHOR_MALFORMED, replies.AUTHOR_MALFORMED, what)
        if role is Role.SUBMISSION:
            return problem
    elif not _is_own(author, reverse_path, who, permits):
        problem = _not_owned("From", author)
    elif sender is not None and not _is_own(sender, reverse_path, who, permits):
        problem = _not_owned("Sender", sender)
    else:
        return BOUND
    bindings = {permit.grant.sender_binding for permit in permits}
    binding = next((b for b in _STRICTNESS if b in bindings), SenderBinding.REFUSE)
    match binding:
        case SenderBinding.REFUSE:
            return problem
        case SenderBinding.LOG:
            return Logged(problem.reason)
        case SenderBinding.REWRITE:
            return _rewrite(reverse_path, who, permits, problem)
        case _:
            assert_never(binding)


def _not_owned(field: str, address: Address) -> NotBound:
    return NotBound(
        names.AUTHOR_NOT_OWNED,
        replies.AUTHOR_NOT_OWNED,
        f"{field} names {address}, which is not the client's",
    )


def _is_own(
    address: Address,
    reverse_path: ReversePath,
    who: Who,
    permits: Sequence[Permit],
) -> bool:
    if permits:
        # The permits allow the reverse-path, and most mail is written by its sender.
        if address == reverse_path:
            return True
        return all(permit.allows_author(address, who) for permit in permits)
    return isinstance(who, Identity) and who.owns(address)


def _rewrite(
    reverse_path: ReversePath, who: Who, permits: Sequence[Permit], problem: NotBound
) -> Binding:
    if isinstance(reverse_path, Address):
        return Rewrite(reverse_path)
    owned = who.addresses if isinstance(who, Identity) else ()
    granted = (pattern for permit in permits for pattern in permit.grant.senders)
    for pattern in (*owned, *granted):
        if pattern.local_part != "*" and "*" not in pattern.domain:
            author = Address(pattern.local_part, pattern.domain)
            if _is_own(author, reverse_path, who, permits):
                return Rewrite(author)
    return problem
