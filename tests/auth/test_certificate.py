"""A certificate is worth what the configuration says of it, and nothing by itself."""

import datetime as dt
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography import x509

from auth.support import CONTEXT, NAME, Clock, add_alice
from peers.authority import ANY, CLIENT, DAY, SERVER, ClientAuthority, ClientCertificate
from replacing import replace
from sekisho.auth.accounts import AccountStore
from sekisho.auth.certificate import (
    By,
    CertificateAuthenticator,
    CertificateOptions,
    Listed,
)
from sekisho.auth.gatekeeper import Gatekeeper, GatekeeperOptions
from sekisho.auth.lives import MAX_LIVES, Life, Lives
from sekisho.auth.lockout import Lockout, LockoutRules
from sekisho.model.address import parse_pattern
from sekisho.model.identity import Answer, Identity, Rejected, Unavailable, Verified

SCANNER = Listed(
    "scanner", (parse_pattern("scanner@own.test"),), frozenset({"devices"})
)


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())


@pytest.fixture
def authority(tmp_path: Path) -> ClientAuthority:
    return ClientAuthority(tmp_path / "ca")


def keeper_of(
    clock: Clock,
    by: By,
    listed: Mapping[str, Listed] | None = None,
    accounts: AccountStore | None = None,
) -> Gatekeeper:
    options = CertificateOptions("certificate", by, listed or {})
    return Gatekeeper(
        [CertificateAuthenticator(options, accounts, clock)],
        Lockout(LockoutRules(pair_failures=1000, block_failures=1000)),
        clock=clock,
        options=GatekeeperOptions(decoy_secret=b"s" * 32),
    )


async def show(
    keeper: Gatekeeper, certificate: ClientCertificate | None, account: str = ""
) -> Answer:
    der = certificate.der if certificate else b""
    context = replace(CONTEXT, certificate=der)
    answer = await keeper.begin("EXTERNAL", context).step(account.encode())
    assert isinstance(answer, Verified | Rejected | Unavailable)
    return answer


def test_external_is_announced_to_those_who_have_a_certificate(clock: Clock) -> None:
    keeper = keeper_of(clock, "email")
    assert keeper.mechanisms() == ()
    assert keeper.mechanisms(certificate=True) == ("EXTERNAL",)


@pytest.mark.asyncio
async def test_without_a_certificate_there_is_nobody(
    clock: Clock, store: AccountStore
) -> None:
    keeper = keeper_of(clock, "common_name", {"": SCANNER}, store)
    for account in ("", NAME, "scanner"):
        answer = await show(keeper, None, account)
        assert answer == Rejected("the mechanism is not offered")


@pytest.mark.asyncio
@pytest.mark.parametrize("by", ["fingerprint", "email", "common_name"])
async def test_a_listed_certificate_is_its_account(
    clock: Clock, authority: ClientAuthority, by: By
) -> None:
    shown = authority.issue("Scanner 2nd floor", emails=["Scan@own.test"])
    bears = {
        "fingerprint": shown.fingerprint,
        "email": "scan@own.test",
        "common_name": "scanner 2nd floor",
    }
    keeper = keeper_of(clock, by, {bears[by]: SCANNER})
    for account in ("", "scanner", "Scanner"):
        answer = await show(keeper, shown, account)
        assert isinstance(answer, Verified)
        assert answer.identity.account == "scanner"
        assert answer.identity.addresses == SCANNER.addresses
        assert answer.identity.groups == {"devices"}
        assert answer.identity.mechanism == "EXTERNAL"
        assert keeper.is_current(answer.identity)
    assert isinstance(await show(keeper, shown, "ceo"), Rejected)


@pytest.mark.asyncio
async def test_a_certificate_that_nobody_listed_is_nobodys(
    clock: Clock, authority: ClientAuthority
) -> None:
    shown = authority.issue(NAME, emails=[NAME])
    kinds: tuple[By, ...] = ("fingerprint", "email", "common_name")
    for by in kinds:
        keeper = keeper_of(clock, by, {"another": SCANNER})
        for account in ("", NAME, "scanner"):
            assert isinstance(await show(keeper, shown, account), Rejected)


@pytest.mark.asyncio
async def test_a_name_is_worth_the_local_account_of_that_name(
    clock: Clock, authority: ClientAuthority, store: AccountStore
) -> None:
    add_alice(store, name="bob@example.com")
    cases: tuple[tuple[By, ClientCertificate], ...] = (
        ("email", authority.issue("x", emails=["Alice@Example.com"])),
        ("common_name", authority.issue("Alice@example.com")),
    )
    for by, shown in cases:
        keeper = keeper_of(clock, by, accounts=store)
        answer = await show(keeper, shown)
        assert isinstance(answer, Verified)
        assert answer.identity.account == NAME
        assert answer.identity.addresses == store.get(NAME).addresses
        assert isinstance(await show(keeper, shown, NAME), Verified)
        for other in ("bob@example.com", "nobody"):
            assert isinstance(await show(keeper, shown, other), Rejected)
    fingerprint = keeper_of(clock, "fingerprint", accounts=store)
    assert isinstance(await show(fingerprint, authority.issue(NAME), NAME), Rejected)


@pytest.mark.asyncio
async def test_a_local_account_must_be_there_and_enabled(
    clock: Clock, authority: ClientAuthority, store: AccountStore
) -> None:
    shown = authority.issue("device")
    keeper = keeper_of(clock, "common_name", {"device": Listed("gone")}, store)
    answer = await show(keeper, shown)
    assert answer == Rejected("certificate: there is no such local account", "gone")
    keeper = keeper_of(clock, "common_name", {"device": Listed(NAME)}, store)
    answer = await show(keeper, shown)
    assert isinstance(answer, Verified)
    assert keeper.is_current(answer.identity)
    store.disable(NAME)
    assert not keeper.is_current(answer.identity)
    disabled = Rejected("certificate: the account is disabled", NAME)
    assert await show(keeper, shown) == disabled
    store.enable(NAME)
    assert not keeper.is_current(answer.identity)  # it has changed since
    assert isinstance(await show(keeper, shown), Verified)


@pytest.mark.asyncio
async def test_several_names_are_somebody_only_when_one_is_named(
    clock: Clock, authority: ClientAuthority, store: AccountStore
) -> None:
    add_alice(store, name="bob@example.com")
    shown = authority.issue("x", emails=[NAME, "bob@example.com", "no@example.com"])
    keeper = keeper_of(clock, "email", accounts=store)
    assert "several" in repr(await show(keeper, shown))
    for account in (NAME, "bob@example.com"):
        answer = await show(keeper, shown, account)
        assert isinstance(answer, Verified)
        assert answer.identity.account == account
        assert keeper.is_current(answer.identity)
    assert isinstance(await show(keeper, shown, "no@example.com"), Rejected)
    # Of several common names none counts.
    several = authority.issue(NAME, names=["bob@example.com"])
    keeper = keeper_of(clock, "common_name", accounts=store)
    for account in ("", NAME):
        assert isinstance(await show(keeper, several, account), Rejected)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "usage", [(), (SERVER,), (ANY,)], ids=["none", "server", "any"]
)
async def test_a_certificate_for_something_else_is_none(
    clock: Clock, authority: ClientAuthority, usage: tuple[object, ...]
) -> None:
    shown = authority.issue("device", usage=usage)  # type: ignore[arg-type]
    keeper = keeper_of(clock, "common_name", {"device": SCANNER})
    assert isinstance(await show(keeper, shown), Rejected)
    both = authority.issue("device", usage=(SERVER, CLIENT))
    assert isinstance(await show(keeper, both), Verified)


@pytest.mark.asyncio
async def test_a_certificate_ends_and_its_sessions_with_it(
    clock: Clock, authority: ClientAuthority
) -> None:
    shown = authority.issue("device", ends=dt.timedelta(hours=1))
    keeper = keeper_of(clock, "common_name", {"device": SCANNER})
    answer = await show(keeper, shown)
    assert isinstance(answer, Verified)
    clock.move(3590)
    assert keeper.is_current(answer.identity)
    clock.move(11)
    assert not keeper.is_current(answer.identity)
    assert "expired" in repr(await show(keeper, shown))
    clock.move(-2 * DAY.total_seconds())
    assert "not valid yet" in repr(await show(keeper, shown))


@pytest.mark.asyncio
async def test_octets_that_are_no_certificate_are_refused(clock: Clock) -> None:
    keeper = keeper_of(clock, "email", {"": SCANNER})
    for der in (b"\x30", b"\x30\x03\x02\x01\x00", b"x" * 100):
        fake = ClientCertificate(Path(), Path(), der, 0)
        assert "cannot be read" in repr(await show(keeper, fake))


def test_lives_are_bounded_and_the_oldest_goes() -> None:
    lives = Lives(lambda count: b"k" * count)
    first = Identity("a", "x", "", lives.generation(b"0"))
    for number in range(MAX_LIVES):
        identity = Identity("a", "x", "", lives.generation(b"%d" % number))
        lives.begin(Life(identity, 10.0, 0.0))
    assert lives.of(first, 5.0) is not None  # and used last, now
    lives.begin(Life(Identity("a", "x", "", 1), 10.0, 0.0))
    assert lives.of(first, 5.0) is not None
    assert lives.find(lives.generation(b"1"), 5.0) is None
    assert lives.of(replace(first, account="b"), 5.0) is None
    assert lives.of(first, 10.0) is None


@pytest.mark.asyncio
async def test_a_certificate_counts_from_its_beginning_to_its_end(
    clock: Clock, authority: ClientAuthority
) -> None:
    shown = authority.issue("scanner")
    read = x509.load_der_x509_certificate(shown.der)
    keeper = keeper_of(clock, "common_name", {"scanner": SCANNER})
    begins = read.not_valid_before_utc.timestamp()
    ends = read.not_valid_after_utc.timestamp()
    for now, counts in (
        (begins - 1, False),
        (begins, True),
        (ends - 1, True),
        (ends, False),
        (ends + 1, False),
    ):
        clock.now = now
        assert isinstance(await show(keeper, shown), Verified) == counts


@pytest.mark.asyncio
async def test_each_certificate_of_an_account_ends_by_itself(
    clock: Clock, authority: ClientAuthority
) -> None:
    listed = {"scanner": SCANNER}
    keeper = keeper_of(clock, "common_name", listed)
    short = await show(keeper, authority.issue("scanner", ends=DAY))
    long = await show(keeper, authority.issue("scanner", ends=3 * DAY))
    assert isinstance(short, Verified)
    assert isinstance(long, Verified)
    clock.move(2 * DAY.total_seconds())
    assert not keeper.is_current(short.identity)
    assert keeper.is_current(long.identity)


@pytest.mark.asyncio
async def test_an_account_that_is_called_as_a_fingerprint_is_not_its_owner(
    clock: Clock, authority: ClientAuthority, store: AccountStore
) -> None:
    shown = authority.issue("scanner")
    add_alice(store, name=shown.fingerprint)
    keeper = keeper_of(clock, "fingerprint", {}, store)
    for account in ("", shown.fingerprint):
        assert isinstance(await show(keeper, shown, account), Rejected)
