"""Names, fingerprints, budgets, patterns: chosen rightly, and never a verdict."""

import asyncio
import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from sekisho.audit.budget import MAX_ATTEMPTS, Budget, SpentError
from sekisho.audit.catalogue import PROBES
from sekisho.audit.fingerprint import fingerprint
from sekisho.audit.names import FOREIGN, Wanted, names_for
from sekisho.audit.pace import pace_for
from sekisho.audit.selection import PatternError, selected
from sekisho.audit.target import Target
from sekisho.audit.vantage import LOOPBACK, OWN_NETWORK, PRIVATE, is_on_link, vantage
from sekisho.audit.visit import Account, Visit
from sekisho.model.reply import Reply
from sekisho.session.client_extensions import NO_CAPABILITIES, Capabilities


def greeted(text: str) -> Reply:
    return Reply(220, "", (text,))


MICROSOFT = "w2k.test Microsoft ESMTP MAIL Service, Version: {} ready at  Mon, 1 Jan"


@pytest.mark.parametrize(
    ("version", "pack", "said"),
    [
        ("5.0.2172.1", "before RTM", "possibly open"),
        ("5.0.2195.1", "RTM", "possibly open"),
        ("5.0.2195.1600", "SP1", "possibly open"),
        ("5.0.2195.2966", "SP2", "possibly open"),
        ("5.0.2195.2967", "after SP2, a hotfix", "cannot be told"),
        ("5.0.2195.4624", "after SP2, a hotfix", "cannot be told"),
        ("5.0.2195.5328", "after SP2, a hotfix", "cannot be told"),
        ("5.0.2195.5329", "SP3", "is in it"),
        ("5.0.2195.6713", "SP4", "is in it"),
        ("5.0.2195.7000", "after SP4, a hotfix", "is in it"),
    ],
)
def test_a_windows_2000_build_points_to_its_service_pack(
    version: str, pack: str, said: str
) -> None:
    seen = fingerprint(greeted(MICROSOFT.format(version)), NO_CAPABILITIES)
    assert seen is not None
    assert (seen.service, seen.version) == ("Microsoft SMTP service", version)
    assert seen.note is not None
    assert f"of {pack}:" in seen.note.en
    assert said in seen.note.en
    assert pack in seen.note.ja


def test_later_windows_has_no_note() -> None:
    banner = greeted(MICROSOFT.format("6.0.3790.4675"))
    seen = fingerprint(banner, NO_CAPABILITIES)
    assert seen is not None
    assert seen.note is None


def test_exchange_is_told_by_its_verbs() -> None:
    offers = Capabilities(keywords=frozenset({"X-EXPS"}))
    seen = fingerprint(greeted(MICROSOFT.format("5.0.2195.2966")), offers)
    assert seen is not None
    assert seen.service == "Microsoft Exchange"
    assert seen.note is not None
    assert "does not apply" in seen.note.en
    assert fingerprint(greeted("x.test ESMTP"), offers) is not None


@pytest.mark.parametrize(
    ("banner", "service", "version"),
    [
        ("mx.test ESMTP Postfix (Debian/GNU)", "Postfix", ""),
        ("mx.test ESMTP Postfix (3.7.11)", "Postfix", "3.7.11"),
        ("mx.test ESMTP Exim 4.96 Mon, 1 Jan 2026 00:00:00 +0000", "Exim", "4.96"),
        ("mx.test ESMTP OpenSMTPD", "OpenSMTPD", ""),
        ("mx.test ESMTP Sendmail 8.17.1/8.17.1; Mon", "Sendmail", "8.17.1"),
        ("mx.test Microsoft ESMTP MAIL Service ready at Mon", "Microsoft Exchange", ""),
        ("mx.test Python SMTP 1.4.6", "aiosmtpd", "1.4.6"),
        ("mx.test ESMTP Haraka/3.0.1 ready", "Haraka", "3.0.1"),
    ],
)
def test_services_are_told_by_their_banner(
    banner: str, service: str, version: str
) -> None:
    seen = fingerprint(greeted(banner), NO_CAPABILITIES)
    assert seen is not None
    assert (seen.service, seen.version) == (service, version)


def test_an_unknown_banner_is_no_guess() -> None:
    assert fingerprint(greeted("mx.test ESMTP ready"), NO_CAPABILITIES) is None
    assert fingerprint(None, NO_CAPABILITIES) is None


@pytest.mark.parametrize(
    ("greeting", "host", "server", "domain"),
    [
        ("mail.example.com ESMTP", "192.0.2.1", "mail.example.com", "example.com"),
        ("example.com ESMTP", "192.0.2.1", "example.com", "example.com"),
        ("Welcome", "mx.example.net", "mx.example.net", "example.net"),
        ("[192.0.2.1] ESMTP", "192.0.2.1", "audit.invalid", "audit.invalid"),
        ("192.0.2.1 ESMTP", "2001:db8::1", "audit.invalid", "audit.invalid"),
        ("a..b>\x7f<x ESMTP".replace("\x7f", ""), "mx.a.test", "mx.a.test", "a.test"),
    ],
)
def test_names_come_from_what_the_server_says(
    greeting: str, host: str, server: str, domain: str
) -> None:
    names = names_for(Wanted(), host=host, greeting=greeted(greeting))
    assert (names.server, names.domain) == (server, domain)
    assert names.foreign == FOREIGN
    assert names.known == ""


def test_what_is_named_wins() -> None:
    wanted = Wanted(domain="d.test", known="ann", other="bob", foreign="f.test")
    account = Account("carl@own.test", "secret")
    names = names_for(wanted, host="h.test", account=account)
    assert (names.domain, names.known, names.other) == ("d.test", "ann", "bob")
    assert names.foreign == "f.test"
    names = names_for(Wanted(canary="w@c.test"), host="h.test", account=account)
    assert (names.domain, names.known) == ("own.test", "carl")
    assert names.foreign == "c.test"


def test_nobody_is_another_nobody_each_time() -> None:
    one, other = (names_for(Wanted(), host="h.test") for _ in range(2))
    assert one.unknown != other.unknown


@pytest.mark.parametrize(
    ("canary", "recipient"),
    [
        ("", "audit-t0"),
        ("w@c.test", "w+audit-t0"),
        ("w-*@c.test", "w-audit-t0"),
        ("*@c.test", "audit-t0"),
    ],
)
def test_the_token_stands_in_the_canarys_own_address(
    canary: str, recipient: str
) -> None:
    names = names_for(Wanted(canary=canary), host="h.test")
    target = Target(host="h.test", address="192.0.2.1", port=25)
    assert Visit(target=target, names=names, token="t0").text("{C}") == recipient


def test_the_budget_ends_at_ten() -> None:
    budget = Budget()
    assert budget.holds(MAX_ATTEMPTS)
    assert not budget.holds(MAX_ATTEMPTS + 1)
    for _ in range(MAX_ATTEMPTS):
        budget.spend()
    with pytest.raises(SpentError, match="10 attempts"):
        budget.spend()


def test_patterns_choose_and_a_mistake_chooses_nothing() -> None:
    chosen = selected(PROBES, ["RLY-00*", "auth-001"], ["RLY-001"])
    assert [one.id for one in chosen if one.id == "AUTH-001"]
    assert "RLY-001" not in [one.id for one in chosen]
    assert selected(PROBES, [], []) == tuple(PROBES)
    with pytest.raises(PatternError, match="RLX"):
        selected(PROBES, ["RLX-*"], [])
    with pytest.raises(PatternError, match="leave no probe"):
        selected(PROBES, ["RLY-001"], ["RLY-*"])


def test_from_where_it_is_asked_is_told() -> None:
    here = Target(host="a", address="127.0.0.1", port=25)
    assert vantage(here) is LOOPBACK
    assert vantage(Target(host="a", address="::1", port=25)) is LOOPBACK
    assert vantage(here, "10.1.2.3") is PRIVATE
    assert vantage(here, "8.8.8.8") is None
    near = Target(host="a", address="127.0.0.9", port=25, source=("127.0.0.9", 0))
    assert vantage(near) is LOOPBACK
    own = Target(host="a", address="8.8.4.4", port=25, source=("8.8.4.4", 0))
    assert vantage(own) is OWN_NETWORK


def test_a_host_that_is_not_here_is_paced() -> None:
    async def knocks(*addresses: str) -> float:
        pace, began = pace_for(addresses, 0.05), time.monotonic()
        await asyncio.gather(*(pace.wait() for _ in range(4)))
        return time.monotonic() - began

    assert asyncio.run(knocks("192.0.2.1")) >= 0.14
    assert asyncio.run(knocks("127.0.0.1", "::1")) < 0.05


def test_who_signs_in_with_an_address_has_one_at_sign() -> None:
    account = Account("ann@own.test", "secret")
    names = names_for(Wanted(), host="h.test", account=account)
    target = Target(host="h.test", address="192.0.2.1", port=25)
    visit = Visit(target=target, names=names, token="t0", account=account)
    assert visit.text("{U}") == "ann@own.test"
    assert visit.text("MAIL FROM:<{U}@{D}>") == "MAIL FROM:<ann@own.test>"
    assert visit.text("<{U}%x@{D}>") == "<ann%x@own.test>"
    visit.account = None
    assert visit.text("<{U}@{D}>") == "<ann@own.test>"


def test_what_the_kernel_reaches_without_a_gateway_is_our_own_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    four, six = tmp_path / "route", tmp_path / "ipv6_route"
    four.write_text(
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n"
        "eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
    )
    via = "00000000000000000000000000000000 00"
    six.write_text(
        f"20010db8000000000000000000000000 40 {via} {via[:32]} 0 0 0 00000001 eth0\n"
        f"{via} {via} fe800000000000000000000000000001 0 0 0 00000003 eth0\n"
    )
    monkeypatch.setattr("sekisho.audit.vantage._ROUTES", four)
    monkeypatch.setattr("sekisho.audit.vantage._ROUTES6", six)
    near = ("192.0.2.9", "2001:db8::9")
    far = ("192.0.3.9", "2001:db8:1::9", "8.8.8.8")
    assert [is_on_link(ip_address(one)) for one in near] == [True, True]
    assert [is_on_link(ip_address(one)) for one in far] == [False, False, False]
    monkeypatch.setattr("sekisho.audit.vantage._ROUTES", tmp_path / "none")
    assert not is_on_link(ip_address("192.0.2.9"))
