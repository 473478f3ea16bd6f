"""Against OpenLDAP's server: who is verified, who is not, and who cannot be known."""

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auth.ldap.conftest import HARD_NAMES
from auth.ldap.support import asking
from auth.ranks import ALPHA_Z, ATTEMPTS, rank_z
from peers.certificate import make_certificate
from peers.loopback import free_port, fresh_address
from peers.slapd import (
    ALICE,
    ALICE_PASSWORD,
    BOB,
    BOB_PASSWORD,
    GROUPS,
    PEOPLE,
    SERVICE,
    Slapd,
    person,
)
from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.ldap.names import escaped
from sekisho.model.address import AddressPattern
from sekisho.model.identity import NotMine, Rejected, Verified

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]
WAYS = ["url", "tls_url"]
DIRECT = {"user_dn": f"uid={{user}},{PEOPLE}", "bind_dn": None, "bind_password": None}
MODES: dict[str, dict[str, Any]] = {
    "search": {},
    "direct": DIRECT,
    "direct with look-ups": {"user_dn": f"uid={{user}},{PEOPLE}"},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
async def test_the_right_password_alone_is_verified(
    slapd: Slapd, way: str, mode: str
) -> None:
    url, ca = getattr(slapd, way), slapd.certificate.certificate
    async with asking(url, ca=ca, **MODES[mode]) as directory:
        answer = await directory.verify_password(ALICE, ALICE_PASSWORD)
        assert isinstance(answer, Verified)
        assert answer.identity.account == ALICE
        assert answer.identity.authenticator == "ldap"
        # "*@own.test" is a mailbox there, and must be no pattern here.
        assert answer.identity.addresses == (AddressPattern("alice", "own.test"),)
        assert directory.is_current(answer.identity)
        for wrong in (BOB_PASSWORD, ALICE_PASSWORD + " ", "x", SERVICE):
            answer = await directory.verify_password(ALICE, wrong)
            assert answer == Rejected("the password is wrong", ALICE)
        assert isinstance(await directory.verify_password(BOB, BOB_PASSWORD), Verified)


@pytest.mark.parametrize("mode", MODES)
async def test_an_unknown_name_is_not_mine_only_where_it_was_looked_up(
    slapd: Slapd, mode: str
) -> None:
    ca = slapd.certificate.certificate
    async with asking(slapd.url, ca=ca, **MODES[mode]) as directory:
        for name in ("nobody", "*", "ali*", "*)(uid=*", "alice)(uid=alice", "a,b"):
            answer = await directory.verify_password(name, ALICE_PASSWORD)
            if mode == "search":
                assert answer == NotMine()
            else:
                assert isinstance(answer, Rejected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", HARD_NAMES)
async def test_a_name_that_could_be_a_query_is_a_name(
    slapd: Slapd, mode: str, name: str
) -> None:
    ca = slapd.certificate.certificate
    async with asking(slapd.url, ca=ca, **MODES[mode]) as directory:
        answer = await directory.verify_password(name, "hard to spell")
        assert isinstance(answer, Verified)
        assert answer.identity.account == name


async def test_what_stands_for_two_accounts_is_none(slapd: Slapd) -> None:
    async with asking(slapd.url, ca=slapd.certificate.certificate) as directory:
        for password in ("the first's", "the second's"):
            answer = await directory.verify_password("twin", password)
            assert answer == Rejected("several entries have this name", "twin")
        # One entry with two names has none that a log or a grant could rely on.
        answer = await directory.verify_password("double", "two names")
        assert answer == Rejected("its entry has changed, or has no name", "double")


# Of whom another has verified, it says who they are.

LOOKING_UP = {name: keys for name, keys in MODES.items() if name != "direct"}


@pytest.mark.parametrize("mode", LOOKING_UP)
async def test_an_account_is_described_without_its_password(
    slapd: Slapd, mode: str
) -> None:
    ca = slapd.certificate.certificate
    async with asking(slapd.url, ca=ca, **MODES[mode]) as directory:
        described = await directory.look_up(ALICE)
        assert described == await directory.verify_password(ALICE, ALICE_PASSWORD)
        assert isinstance(described, Verified)
        assert directory.is_current(described.identity)
    keys = {**MODES[mode], "group_base": GROUPS}
    async with asking(slapd.url, ca=ca, **keys) as directory:
        described = await directory.look_up(ALICE)
        assert isinstance(described, Verified)
        assert described.identity.groups == {"scanner team"}


@pytest.mark.parametrize("mode", LOOKING_UP)
@pytest.mark.parametrize(
    "name", ["nobody", "*", "ali*", "a,b", "uid=alice", "duplicate"]
)
async def test_a_name_that_the_directory_does_not_have_is_refused(
    slapd: Slapd, mode: str, name: str
) -> None:
    ca = slapd.certificate.certificate
    async with asking(slapd.url, ca=ca, **MODES[mode]) as directory:
        answer = await directory.look_up(name)
        assert isinstance(answer, Rejected)
        assert answer.account == name
        assert len(directory.looks) == 0


@pytest.mark.parametrize("mode", LOOKING_UP)
@pytest.mark.parametrize("name", HARD_NAMES)
async def test_a_name_that_could_be_a_query_is_described_as_itself(
    slapd: Slapd, mode: str, name: str
) -> None:
    ca = slapd.certificate.certificate
    async with asking(slapd.url, ca=ca, **MODES[mode]) as directory:
        answer = await directory.look_up(name)
        assert isinstance(answer, Verified)
        assert answer.identity.account == name


async def test_what_stands_for_two_accounts_describes_none(slapd: Slapd) -> None:
    async with asking(slapd.url, ca=slapd.certificate.certificate) as directory:
        answer = await directory.look_up("twin")
        assert answer == Rejected("several entries have this name", "twin")
        reason = "its entry has another name, or several"
        assert await directory.look_up("double") == Rejected(reason, "double")


async def test_an_entry_found_by_another_attribute_is_not_the_accounts(
    slapd: Slapd,
) -> None:
    """A principal's name must be the entry's own: not an address that it may choose."""
    keys = {"filter": "(|(uid={user})(mail={user}@own.test)(sn={user}))"}
    async with asking(slapd.url, ca=slapd.certificate.certificate, **keys) as directory:
        assert isinstance(await directory.look_up(ALICE), Verified)
        reason = "its entry has another name, or several"
        assert await directory.look_up("liddell") == Rejected(reason, "liddell")


@pytest.mark.parametrize("mode", LOOKING_UP)
async def test_what_cannot_be_looked_up_is_unavailable(
    tmp_path: Path, mode: str
) -> None:
    with Slapd(tmp_path / "ending") as slapd:
        ca = slapd.certificate.certificate
        async with asking(slapd.url, ca=ca, **MODES[mode]) as directory:
            assert isinstance(await directory.look_up(ALICE), Verified)
            slapd.stop()
            for name in (ALICE, "nobody"):
                with pytest.raises(AuthUnavailableError):
                    await directory.look_up(name)
            slapd.start()
            assert isinstance(await directory.look_up(ALICE), Verified)
        wrong = {**MODES[mode], "bind_password": "wrong"}
        async with asking(slapd.url, ca=ca, **wrong) as directory:
            with pytest.raises(AuthUnavailableError):
                await directory.look_up(ALICE)


async def test_a_base_that_is_not_there_describes_nobody(slapd: Slapd) -> None:
    ca = slapd.certificate.certificate
    async with asking(slapd.url, ca=ca, base=f"ou=gone,{PEOPLE}") as directory:
        with pytest.raises(AuthUnavailableError):
            await directory.look_up(ALICE)


@pytest.mark.parametrize("mode", MODES)
async def test_an_empty_password_is_never_asked(tmp_path: Path, mode: str) -> None:
    """AUTH-010: the directory would take it."""
    more = "allow bind_anon_cred bind_anon_dn"
    with Slapd(tmp_path / "lax", more=more) as lax:
        ca = lax.certificate.certificate
        async with asking(lax.url, ca=ca, **MODES[mode]) as directory:
            for name in (ALICE, "nobody"):
                answer = await directory.verify_password(name, "")
                assert answer == Rejected("the password is empty", name)
            with pytest.raises(ValueError, match="empty"):
                await directory.directory.binds.use(lambda one: one.bind(ALICE, ""))
            # A NUL or a space is no empty password, whatever the server thinks.
            for odd in ("\0", " ", "\0" + ALICE_PASSWORD):
                answer = await directory.verify_password(ALICE, odd)
                assert isinstance(answer, Rejected)


async def test_groups_and_addresses_come_from_the_entry(tmp_path: Path) -> None:
    entries = [
        "dn: cn=Mail Users,ou=groups,dc=own,dc=test\nobjectClass: posixGroup\n"
        "cn: Mail Users\ngidNumber: 7\nmemberUid: alice\n",
    ]
    with Slapd(tmp_path / "groups", entries=entries) as slapd:
        ca = slapd.certificate.certificate
        for keys, groups in (
            ({"group_base": GROUPS}, {"scanner team", "mail users"}),
            ({"group_base": f"ou=people,{GROUPS}"}, None),
            ({}, set[str]()),  # memberOf is written for changes, not by slapadd
        ):
            async with asking(slapd.url, ca=ca, **keys) as directory:
                if groups is None:
                    # A base that is not there says nothing about an account.
                    with pytest.raises(AuthUnavailableError, match="result 32"):
                        await directory.verify_password(ALICE, ALICE_PASSWORD)
                    continue
                answer = await directory.verify_password(ALICE, ALICE_PASSWORD)
                assert isinstance(answer, Verified)
                assert answer.identity.groups == groups
        slapd.modify(
            f"dn: cn=others,{GROUPS}",
            "changetype: modify",
            "add: member",
            f"member: uid=alice,{PEOPLE}",
        )
        async with asking(slapd.url, ca=ca) as directory:
            answer = await directory.verify_password(ALICE, ALICE_PASSWORD)
            assert isinstance(answer, Verified)
            assert answer.identity.groups == {"others"}


AD_PERSON = (
    f"dn: cn=Carol,{PEOPLE}\nobjectClass: inetOrgPerson\n"
    "objectClass: extensibleObject\ncn: Carol\nsn: C\n"
    "sAMAccountName: Carol\nuserPrincipalName: carol@own.test\n"
    "userAccountControl: 512\naccountExpires: 9223372036854775807\nlockoutTime: 0\n"
    "pwdLastSet: 133000000000000000\nmail: Carol@Own.Test\n"
    "proxyAddresses: SMTP:carol@own.test\nproxyAddresses: smtp:c.c@own.test\n"
    "proxyAddresses: X400:c=US\nproxyAddresses: sip:carol@own.test\n"
    "userPassword: carol's own\n"
)
AD: dict[str, Any] = {
    "profile": "active-directory",
    # Without matching rules, slapd finds nobody by sAMAccountName.
    "filter": "(|(cn={user})(mail={user}))",
}


@pytest.fixture(scope="module")
def like_ad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """Active Directory's attributes on OpenLDAP's server, to change them freely."""
    folder = tmp_path_factory.mktemp("ad")
    with Slapd(folder / "ad", entries=[AD_PERSON], active_directory=True) as running:
        yield running


async def test_active_directory_s_attributes_are_read(like_ad: Slapd) -> None:
    async with asking(like_ad.url, ca=like_ad.certificate.certificate, **AD) as one:
        for name in ("carol", "carol@own.test"):
            answer = await one.verify_password(name, "carol's own")
            assert isinstance(answer, Verified), answer
            assert answer.identity.account == "carol"
            assert {str(each) for each in answer.identity.addresses} == {
                "carol@own.test",
                "c.c@own.test",
            }


FILETIME_EPOCH = 11_644_473_600


@pytest.mark.parametrize(
    ("attribute", "value", "good", "reason"),
    [
        ("userAccountControl", "514", "512", "the account is disabled"),
        ("userAccountControl", None, "512", "userAccountControl cannot be read"),
        ("lockoutTime", "133000000000000000", "0", "the account is locked"),
        ("accountExpires", "133000000000000000", "0", "the account has expired"),
    ],
)
async def test_an_account_that_may_not_be_used_is_refused(
    like_ad: Slapd, attribute: str, value: str | None, good: str, reason: str
) -> None:
    def put(text: str | None) -> None:
        lines = [] if text is None else [f"{attribute}: {text}"]
        like_ad.modify(
            f"dn: cn=Carol,{PEOPLE}",
            "changetype: modify",
            f"replace: {attribute}",
            *lines,
        )

    ca = like_ad.certificate.certificate
    async with asking(like_ad.url, ca=ca, cache_seconds=1, **AD) as one:
        answer = await one.verify_password("carol", "carol's own")
        assert isinstance(answer, Verified)
        put(value)
        try:
            refused = await one.verify_password("carol", "carol's own")
            assert refused == Rejected(reason, "carol")
            assert await one.look_up("carol") == refused
            assert not one.is_current(answer.identity)
        finally:
            put(good)


async def test_an_account_that_expires_later_is_taken(like_ad: Slapd) -> None:
    later = int((time.time() + 3600 + FILETIME_EPOCH) * 10_000_000)
    like_ad.modify(
        f"dn: cn=Carol,{PEOPLE}",
        "changetype: modify",
        "replace: accountExpires",
        f"accountExpires: {later}",
    )
    async with asking(like_ad.url, ca=like_ad.certificate.certificate, **AD) as one:
        assert isinstance(await one.verify_password("carol", "carol's own"), Verified)


CHANGES: dict[str, Callable[[Slapd], None]] = {
    "locked": lambda slapd: slapd.change(BOB, "pwdAccountLockedTime", "000001010000Z"),
    "removed": lambda slapd: slapd.delete(BOB),
    "new password": lambda slapd: slapd.change(BOB, "userPassword", "new one"),
    "other addresses": lambda slapd: slapd.change(BOB, "mail", "b@own.test"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_changed_account_is_out_within_the_lifetime(
    tmp_path: Path, change: str
) -> None:
    seconds = 2.0
    with Slapd(tmp_path / "changing") as slapd:
        ca = slapd.certificate.certificate
        async with asking(slapd.url, ca=ca, cache_seconds=seconds) as directory:
            answers = [
                await directory.verify_password(name, password)
                for name, password in ((BOB, BOB_PASSWORD), (ALICE, ALICE_PASSWORD))
            ]
            bob, alice = (one.identity for one in answers if isinstance(one, Verified))
            # In use and unchanged: looked at again, and current for longer than that.
            end = time.monotonic() + 1.5 * seconds
            while time.monotonic() < end:
                assert directory.is_current(bob)
                assert directory.is_current(alice)
                await asyncio.sleep(0.1)
            CHANGES[change](slapd)
            changed_at = time.monotonic()
            while directory.is_current(bob):
                assert time.monotonic() - changed_at < seconds + 0.5
                assert directory.is_current(alice)
                await asyncio.sleep(0.05)
            assert directory.is_current(alice)


async def test_without_a_directory_nobody_stays_current(tmp_path: Path) -> None:
    seconds = 1.0
    with Slapd(tmp_path / "gone") as slapd:
        ca = slapd.certificate.certificate
        async with asking(slapd.url, ca=ca, cache_seconds=seconds) as directory:
            answer = await directory.verify_password(ALICE, ALICE_PASSWORD)
            assert isinstance(answer, Verified)
            slapd.stop()
            with pytest.raises(AuthUnavailableError):
                await directory.verify_password(ALICE, ALICE_PASSWORD)
            with pytest.raises(AuthUnavailableError):
                await directory.verify_password("nobody", ALICE_PASSWORD)
            await asyncio.sleep(seconds + 0.1)
            assert not directory.is_current(answer.identity)
            slapd.start()
            # No restart of ours, and no stand-back that outlasts the outage.
            again = await directory.verify_password(ALICE, ALICE_PASSWORD)
            assert isinstance(again, Verified)
            assert directory.is_current(again.identity)


async def test_the_next_server_is_asked(slapd: Slapd, tmp_path: Path) -> None:
    ca = slapd.certificate.certificate
    dead = f"ldaps://{slapd.address}:{free_port(slapd.address)}"
    async with asking(dead, slapd.tls_url, ca=ca) as directory:
        answer = await directory.verify_password(ALICE, ALICE_PASSWORD)
        assert isinstance(answer, Verified)
        answer = await directory.verify_password(ALICE, "wrong")
        assert isinstance(answer, Rejected)


async def test_a_server_of_another_name_is_refused(tmp_path: Path) -> None:
    other = make_certificate(tmp_path / "other", "other.test")
    with Slapd(tmp_path / "named", certificate=other) as slapd:
        for url in (slapd.url, slapd.tls_url):
            async with asking(url, ca=other.certificate) as directory:
                with pytest.raises(AuthUnavailableError, match="certificate"):
                    await directory.verify_password(ALICE, ALICE_PASSWORD)


async def test_a_server_that_nobody_vouches_for_is_refused(
    slapd: Slapd, tmp_path: Path
) -> None:
    another = make_certificate(tmp_path / "another", slapd.NAME, slapd.address)
    for url in (slapd.url, slapd.tls_url):
        for ca in (another.certificate, None):
            async with asking(url, ca=ca) as directory:
                with pytest.raises(AuthUnavailableError, match="certificate"):
                    await directory.verify_password(ALICE, ALICE_PASSWORD)


async def test_an_expired_authority_is_refused(tmp_path: Path) -> None:
    address = fresh_address()
    ended = dt.timedelta(hours=-1)
    expired = make_certificate(tmp_path / "expired", address, until=ended)
    with Slapd(tmp_path / "old", certificate=expired, address=address) as slapd:
        async with asking(slapd.tls_url, ca=expired.certificate) as directory:
            with pytest.raises(AuthUnavailableError, match="expired"):
                await directory.verify_password(ALICE, ALICE_PASSWORD)


async def test_a_referral_is_not_followed(tmp_path: Path) -> None:
    """Nobody configured the server that it names; passwords do not go there."""
    referral = (
        "dn: uid=elsewhere,{people}\nobjectClass: referral\n"
        "objectClass: extensibleObject\nuid: elsewhere\n"
        "ref: ldap://{host}/uid=elsewhere,{people}\n"
    )
    entry = referral.format(people=PEOPLE, host="127.0.0.1:9")
    with Slapd(tmp_path / "referring", entries=[entry]) as slapd:
        ca = slapd.certificate.certificate
        async with asking(slapd.url, ca=ca) as directory:
            answer = await directory.verify_password("elsewhere", "x")
            assert answer == NotMine()
        async with asking(slapd.url, ca=ca, **DIRECT) as directory:
            assert isinstance(
                await directory.verify_password("elsewhere", "x"), Rejected
            )


async def test_a_server_that_sends_us_elsewhere_is_none(tmp_path: Path) -> None:
    other = "dc=other,dc=test"
    with Slapd(tmp_path / "sending", more="referral ldap://127.0.0.1:9") as slapd:
        ca = slapd.certificate.certificate
        async with asking(slapd.url, ca=ca, base=other) as directory:
            with pytest.raises(AuthUnavailableError, match="referral"):
                await directory.verify_password(ALICE, ALICE_PASSWORD)


async def test_our_own_login_that_is_refused_is_nobody_s_wrong_password(
    slapd: Slapd,
) -> None:
    ca = slapd.certificate.certificate
    async with asking(slapd.url, ca=ca, bind_password="wrong") as directory:
        for name in (ALICE, "nobody"):
            with pytest.raises(AuthUnavailableError, match="bind_dn"):
                await directory.verify_password(name, ALICE_PASSWORD)


async def test_a_base_that_is_not_there_is_no_unknown_name(slapd: Slapd) -> None:
    ca = slapd.certificate.certificate
    async with asking(slapd.url, ca=ca, base="dc=other,dc=test") as directory:
        with pytest.raises(AuthUnavailableError):
            await directory.verify_password(ALICE, ALICE_PASSWORD)


async def test_the_pool_is_bounded(slapd: Slapd) -> None:
    ca = slapd.certificate.certificate
    async with asking(slapd.url, ca=ca, connections=2) as directory:
        answers = await asyncio.gather(
            *(directory.verify_password(ALICE, ALICE_PASSWORD) for _ in range(20))
        )
        assert all(isinstance(one, Verified) for one in answers)
        for pool in (directory.directory.lookups, directory.directory.binds):
            assert sum(map(len, pool._idle.values())) <= 2


@pytest.mark.parametrize("mode", MODES)
async def test_an_unknown_name_takes_as_long_as_a_wrong_password(
    slapd: Slapd, mode: str
) -> None:
    """Thirty pairs, taken in turn; a rank test at one in a thousand."""
    ca = slapd.certificate.certificate
    async with asking(slapd.url, ca=ca, **MODES[mode]) as directory:

        async def seconds(name: str) -> float:
            began = time.perf_counter()
            answer = await directory.verify_password(name, "wrong password")
            assert not isinstance(answer, Verified)
            return time.perf_counter() - began

        await seconds(ALICE)
        for attempt in range(ATTEMPTS):
            known, unknown = list[float](), list[float]()
            for number in range(30):
                known.append(await seconds(ALICE))
                unknown.append(await seconds(f"nobody{number}"))
            z = rank_z(known, unknown)
            if abs(z) < ALPHA_Z:
                return
            assert attempt < ATTEMPTS - 1, z


async def test_what_is_escaped_is_what_was_meant() -> None:
    assert escaped("a*b") == "a\\2ab"
    assert escaped("ü") == "\\c3\\bc"
    assert person("x", "y").startswith("dn: uid=x,")
