"""The proof: its table says what passes, and it sees what should not."""

import time
from ipaddress import ip_address, ip_network
from math import inf

import pytest

from policy.cases import (
    ALICE,
    NOW,
    PRINTER,
    SHOP,
    SHOP_GRANT,
    STAFF,
    address,
    facts,
    grant,
    house,
    lane,
    pattern,
)
from replacing import replace
from sekisho.model.address import ANY_ADDRESS
from sekisho.model.decision import Decision, Verdict
from sekisho.model.facts import Facts
from sekisho.model.identity import Identity
from sekisho.model.rules import (
    AnyIdentity,
    Clients,
    Group,
    ListenerRule,
    OwnDomain,
    Quota,
    RecipientCheck,
    Role,
    Rules,
    User,
)
from sekisho.policy.classes import (
    is_ours,
    stranger_clients,
)
from sekisho.policy.closed import Caution, Concern, HostFacts, Trust
from sekisho.policy.decide import Policy, compile_rules
from sekisho.policy.proof import prove
from sekisho.policy.table import Anyone, Proof, Row, StrangerRelays


def proof_of(rules: Rules, *accounts: Identity) -> Proof:
    return prove(compile_rules(rules), now=NOW, accounts=accounts, host=HostFacts())


def row_of(proof: Proof, name: str) -> Row:
    (row,) = [row for row in proof.rows if row.grant == name]
    return row


def about(proof: Proof, kind: Concern) -> list[str]:
    return [caution.about for caution in proof.cautions if caution.kind is kind]


def test_the_table_of_a_small_house() -> None:
    proof = proof_of(
        house(
            SHOP_GRANT,
            grant(
                "staff",
                "authenticated",
                listeners=["submission"],
                quota=Quota(messages_per_hour=9),
                expires_at=NOW + 5,
                null_sender=True,
            ),
        ),
        ALICE,
    )
    assert proof.is_closed
    assert proof.walked > 1000
    assert proof.rows == (
        Row(
            "mx",
            Anyone(),
            (pattern("*@example.com"),),
            "own-domain",
            senders=(ANY_ADDRESS,),
            null_sender=True,
        ),
        *(
            Row(
                name,
                AnyIdentity(),
                (pattern("*@example.com"),),
                "own-domain",
                accounts=1,
                tls=True,
                owned=True,
            )
            for name in ("submission", "submissions")
        ),
        Row(
            "mx",
            Clients((ip_network(SHOP),)),
            (ANY_ADDRESS,),
            "grant",
            spans=(row_of(proof, "web shop").spans[0],),
            senders=(pattern("shop@example.com"),),
            grant="web shop",
        ),
        Row(
            "printers",
            Clients((ip_network(PRINTER),)),
            (pattern("*@example.com"),),
            "lane",
            spans=(row_of(proof, "listener:printers").spans[0],),
            senders=(pattern("scanner@example.com"),),
            grant="listener:printers",
        ),
        Row(
            "submission",
            AnyIdentity(),
            (ANY_ADDRESS,),
            "grant",
            accounts=1,
            tls=True,
            owned=True,
            null_sender=True,
            quota=Quota(messages_per_hour=9),
            expires_at=NOW + 5,
            grant="staff",
        ),
    )
    assert str(row_of(proof, "web shop").spans[0]) == SHOP


def test_each_who_of_a_grant_has_its_row_and_counts_its_accounts() -> None:
    bob = replace(ALICE, account="bob", groups=frozenset({"others"}))
    proof = proof_of(
        house(
            grant("press", "group:editors", "user:bob", SHOP, listeners=["submission"])
        ),
        ALICE,
        bob,
        replace(ALICE, account="carol"),
    )
    counts = {row.who: row.accounts for row in proof.rows if row.grant == "press"}
    assert counts == {Group("editors"): 2, User("bob"): 1}


def test_a_range_is_shown_without_the_holes_that_it_does_not_match() -> None:
    box = grant("box", "10.1.2.0/29", listeners=["mx"], senders=["a@y.example"])
    row = row_of(proof_of(house(box, gateways=["10.1.2.1"])), "box")
    assert [str(span) for span in row.spans] == ["10.1.2.0", "10.1.2.2 to 10.1.2.7"]


@pytest.mark.parametrize(
    "dead",
    [
        grant("dead", "authenticated", expires_at=NOW),
        grant("dead", "authenticated", recipients=["a@example.com"]),
        grant("dead", "authenticated", listeners=["mx"]),
    ],
)
def test_what_lets_nobody_relay_has_no_row(dead: object) -> None:
    proof = proof_of(house(dead))  # type: ignore[arg-type] - a Grant
    assert not [row for row in proof.rows if row.grant == "dead"]


def test_recipients_of_a_listed_domain_are_shown_where_they_exist() -> None:
    listed = OwnDomain(
        "listed.example", RecipientCheck.LISTED, frozenset({("anna", "listed.example")})
    )
    nobody_there = OwnDomain("empty.example", RecipientCheck.LISTED)
    rules = house(
        domains=[listed, nobody_there],
        printers=lane(recipients=["*@listed.example", "bob@listed.example"]),
    )
    proof = proof_of(rules)
    assert proof.rows[0].recipients == (pattern("*@listed.example"),)
    lane_row = row_of(proof, "listener:printers")
    assert lane_row.recipients == (pattern("*@listed.example"),)


def test_a_house_without_domains_has_no_rows_for_them() -> None:
    rules = {row.rule for row in proof_of(house(STAFF, domains=[])).rows}
    assert rules == {"grant", "lane"}


def test_an_earlier_grant_that_allows_as_much_is_named() -> None:
    rules = house(STAFF, grant("editors", "group:editors", recipients=["*@y.example"]))
    (caution,) = [c for c in proof_of(rules).cautions if c.kind is Concern.COVERED]
    assert caution == Caution(
        Concern.COVERED, "editors", "'staff' already allows what it allows"
    )


@pytest.mark.parametrize(
    "earlier",
    [
        grant("staff", "authenticated", quota=Quota(messages_per_day=1)),
        grant("staff", "authenticated", expires_at=NOW + 1),
        grant("staff", "authenticated", recipients=["*@z.example"]),
        grant("staff", "authenticated", senders=["a@y.example"]),
        grant("staff", "group:others"),
    ],
)
def test_a_grant_that_outlasts_or_outreaches_an_earlier_one_is_not_covered(
    earlier: object,
) -> None:
    rules = house(earlier, grant("editors", "group:editors"))  # type: ignore[arg-type]
    assert not about(proof_of(rules), Concern.COVERED)


def test_an_account_that_may_send_as_anybody_is_named() -> None:
    everybody = replace(ALICE, account="root", addresses=(ANY_ADDRESS,))
    assert about(proof_of(house(STAFF), ALICE, everybody), Concern.OWNS_ALL) == ["root"]


def test_problems_of_trust_are_findings() -> None:
    proof = proof_of(
        house(grant("world", "0.0.0.0/0", listeners=["mx"], senders=["*"]))
    )
    assert not proof.is_closed
    kinds = {f.kind for f in proof.findings if not isinstance(f, StrangerRelays)}
    assert kinds == {Trust.INTERNET, Trust.TOO_MANY}


# The proof against decisions that are wrong: what it exists for.


class Leaky(Policy):
    """A policy that lets pass what `leaks` says, whoever asks."""

    def leaks(self, case: Facts) -> bool:
        raise NotImplementedError

    def decide(self, facts: Facts) -> Decision:
        case = facts
        decision = super().decide(case)
        if decision.verdict is Verdict.REFUSE and self.leaks(case):
            return super().decide(
                replace(
                    case, listener="mx", recipients=self.ours, reverse_path=self.sender
                )
            )
        return decision

    ours = facts("mx", "", "postmaster").recipients
    sender = facts("mx", "").reverse_path


class OpenRelay(Leaky):
    def leaks(self, case: Facts) -> bool:
        return True


class OpenToNeighbours(Leaky):
    """An off-by-one at the end of a range."""

    def leaks(self, case: Facts) -> bool:
        return case.client == ip_address("10.1.2.8")


class OpenToPercent(Leaky):
    """Sub-domains and look-alikes of ours taken for ours."""

    def leaks(self, case: Facts) -> bool:
        return any(o.address.domain.endswith("example.com") for o in case.recipients)


class OpenAfterExpiry(Leaky):
    def leaks(self, case: Facts) -> bool:
        return case.now >= NOW + 5 and case.client.version == 6


class OpenToAccounts(Leaky):
    """Whoever signs in relays, without any grant."""

    def leaks(self, case: Facts) -> bool:
        return isinstance(case.who, Identity)


class OpenToGateway(Leaky):
    def leaks(self, case: Facts) -> bool:
        return case.client == ip_address("10.1.2.3")


@pytest.mark.parametrize(
    "flawed",
    [
        OpenRelay,
        OpenToNeighbours,
        OpenToPercent,
        OpenAfterExpiry,
        OpenToAccounts,
        OpenToGateway,
    ],
)
def test_a_decision_that_lets_strangers_relay_is_found_out(flawed: type[Leaky]) -> None:
    rules = house(
        grant(
            "box",
            "10.1.2.0/29",
            listeners=["mx"],
            senders=["a@y.example"],
            expires_at=NOW + 5,
        ),
        gateways=["10.1.2.3"],
    )
    proof = prove(flawed(rules), now=NOW, accounts=[ALICE])
    assert not proof.is_closed
    found = proof.findings[-1]
    assert isinstance(found, StrangerRelays)
    assert found.reason
    assert not is_ours(rules, address(found.recipient))


class NeverExpires(Policy):
    def decide(self, facts: Facts) -> Decision:
        return super().decide(replace(facts, now=0.0))


def test_the_table_shows_when_a_grant_ends_by_the_decision_not_by_the_file() -> None:
    rules = house(grant("staff", "authenticated", expires_at=NOW + 5))
    row = prove(NeverExpires(rules), now=NOW).rows[-1]
    assert row.expires_at == inf


class EarlyEnd(Policy):
    def decide(self, facts: Facts) -> Decision:
        return super().decide(
            facts if facts.now <= NOW else replace(facts, now=NOW + 5)
        )


def test_a_grant_that_ends_before_its_time_is_not_shown_as_if_it_did_not() -> None:
    rules = house(grant("staff", "authenticated", expires_at=NOW + 5))
    assert prove(EarlyEnd(rules), now=NOW).rows[-1].expires_at == NOW


def test_a_house_that_trusts_everybody_has_no_strangers_and_is_still_not_closed() -> (
    None
):
    rules = house(grant("all", "0.0.0.0/0", "::/0", listeners=["mx"], senders=["*"]))
    assert stranger_clients(rules) == []
    assert not proof_of(rules).is_closed


# Rows.

ROW = Row(
    "mx", Anyone(), (ANY_ADDRESS,), "own-domain", senders=(pattern("a@y.example"),)
)


@pytest.mark.parametrize(
    ("row", "case", "covered"),
    [
        (ROW, facts("mx", "a@y.example"), True),
        (ROW, facts("submission", "a@y.example"), False),
        (ROW, facts("mx", "b@y.example"), False),
        (ROW, facts("mx", ""), False),
        (replace(ROW, null_sender=True), facts("mx", ""), True),
        (replace(ROW, expires_at=NOW), facts("mx", "a@y.example"), False),
        (replace(ROW, tls=True), facts("mx", "a@y.example"), False),
        (replace(ROW, owned=True), facts("mx", "alice@example.com", who=ALICE), True),
        (replace(ROW, owned=True), facts("mx", "alice@example.com"), False),
        (replace(ROW, who=Clients(())), facts("mx", "a@y.example"), False),
        (replace(ROW, who=AnyIdentity()), facts("mx", "a@y.example", who=ALICE), True),
        (replace(ROW, who=AnyIdentity()), facts("mx", "a@y.example"), False),
        (
            replace(ROW, who=Group("editors")),
            facts("mx", "a@y.example", who=ALICE),
            True,
        ),
        (
            replace(ROW, who=Group("others")),
            facts("mx", "a@y.example", who=ALICE),
            False,
        ),
        (replace(ROW, who=User("alice")), facts("mx", "a@y.example", who=ALICE), True),
        (replace(ROW, who=User("alice")), facts("mx", "a@y.example"), False),
    ],
)
def test_a_row_covers_what_it_says(row: Row, case: Facts, *, covered: bool) -> None:
    assert row.covers(case, address("b@x.example")) is covered


def test_a_thousand_grants_and_ten_thousand_accounts_are_proved_in_seconds() -> None:
    """A measurement: the bound is 2 s; this allows for a machine that is busy."""
    rules = house(
        *(
            grant(
                f"box {n}",
                f"10.1.{n // 250}.{n % 250}",
                listeners=["mx"],
                senders=[f"box{n}@example.com"],
                expires_at=NOW + n + 1,
                accept_risk="measured",
            )
            for n in range(500)
        ),
        *(
            grant(f"group {n}", f"group:{n}", recipients=[f"*@p{n}.example"])
            for n in range(250)
        ),
        *(
            grant(f"user {n}", f"user:u{n}", senders=[f"u{n}@y.example"])
            for n in range(250)
        ),
    )
    accounts = [
        replace(
            ALICE,
            account=f"u{n}",
            addresses=(pattern(f"u{n}@example.com"),),
            groups=frozenset({str(n % 250), str(n * 7 % 250)}),
        )
        for n in range(10_000)
    ]
    policy = compile_rules(rules)
    started = time.process_time()
    proof = prove(policy, now=NOW, accounts=accounts, host=HostFacts())
    assert time.process_time() - started < 2 * 4
    assert proof.is_closed
    assert len(proof.rows) == 3 + 500 + 1 + 2 * 500


def test_listeners_that_share_a_machine_are_walked_each() -> None:
    rules = Rules(
        "h.example",
        address("postmaster@example.com"),
        {name: ListenerRule(name, Role.MX) for name in ("one", "two")},
        {},
        (grant("box", SHOP, listeners=["two"], senders=["a@y.example"]),),
    )
    proof = proof_of(rules)
    assert [(row.listener, row.grant) for row in proof.rows] == [("two", "box")]
