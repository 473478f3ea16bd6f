"""The proof over one configuration: what ``check`` prints and ``serve`` insists on."""

from collections.abc import Iterable
from dataclasses import replace

from sekisho.app.control import Refusal
from sekisho.app.hostfacts import Seen
from sekisho.auth.account import Account
from sekisho.config.schema import Config
from sekisho.config.values import rules
from sekisho.model.identity import Identity
from sekisho.policy.closed import TrustProblem
from sekisho.policy.decide import Policy, compile_rules
from sekisho.policy.proof import prove
from sekisho.policy.table import Finding, Proof, StrangerRelays


def policy_of(config: Config, seen: Seen, *, relaying_closed: bool = False) -> Policy:
    """The configuration's rules on a machine."""
    made = rules(config, seen.facts.gateways, seen.facts.bridges)
    return compile_rules(replace(made, relaying_closed=relaying_closed))


def identities(accounts: Iterable[Account]) -> list[Identity]:
    """Accounts, as they would be verified."""
    return [
        Identity(
            account=one.name,
            authenticator="local",
            mechanism="PLAIN",
            generation=one.generation,
            addresses=one.addresses,
            groups=one.groups,
        )
        for one in accounts
        if one.enabled
    ]


def prove_policy(
    policy: Policy, accounts: Iterable[Account], seen: Seen, now: float
) -> Proof:
    """Walk the policy for these accounts."""
    host = None if seen.unseen else seen.facts
    return prove(policy, now=now, accounts=identities(accounts), host=host)


def refuse_unless_closed(proof: Proof) -> None:
    """Insist on a configuration by which no stranger relays.

    Raises:
        Refusal: It is not closed.

    """
    if not proof.is_closed:
        found = "; ".join(finding_text(one) for one in proof.findings)
        raise Refusal(f"the configuration is not closed: {found}", "run: sekisho check")


def finding_text(finding: Finding) -> str:
    """Say a finding in one sentence."""
    match finding:
        case StrangerRelays():
            by = f"by grant {finding.grant!r}" if finding.grant else "without a grant"
            return (
                f"{finding.client} can relay on listener {finding.listener!r} {by}: "
                f"from <{finding.sender}> to <{finding.recipient}> ({finding.reason})"
            )
        case TrustProblem(kind, grant, detail):
            return f"grant {grant!r}: {kind.value}: {detail}"
