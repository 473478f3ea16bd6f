"""The configuration becomes exactly the rules, routes and bounds that it says."""

import math
from dataclasses import fields
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import pytest

from config.loader import Loader
from sekisho.app.wiring import lockout_rules
from sekisho.auth.lockout import LockoutRules
from sekisho.config import values
from sekisho.config.bounds import AllBounds, SessionBounds
from sekisho.config.fields import SocketAddress
from sekisho.model.address import ANY_ADDRESS, Address, AddressPattern, parse_pattern
from sekisho.model.limits import Limits, ServiceLimits
from sekisho.model.route import (
    Credentials,
    DropRoute,
    HostRoute,
    MaildirRoute,
    MxRoute,
    RouteRule,
    Server,
    TlsPolicy,
)
from sekisho.model.rules import (
    AnyIdentity,
    Clients,
    Grant,
    Group,
    ListenerRule,
    Quota,
    RecipientCheck,
    Role,
    SenderBinding,
    TlsMode,
    User,
)

TLS = '[tls]\ncertificate = "c.pem"\nkey = "k.pem"\n'
MX = '[[listener]]\nname = "mx"\nrole = "mx"\nbind = ["127.0.0.1:0"]\n'


# -- defaults -------------------------------------------------------------------------


def test_a_file_with_a_hostname_alone_relays_for_nobody(load: Loader):
    config = load()
    rules = values.rules(config)
    assert rules.grants == ()
    assert rules.listeners == {
        "mx": ListenerRule("mx", Role.MX),
        "sendmail": ListenerRule("sendmail", Role.SUBMISSION, TlsMode.IMPLICIT),
    }
    assert [str(b) for b in config.listeners[0].bind] == ["0.0.0.0:25", "[::]:25"]
    assert [a.kind for a in config.authenticators] == ["local"]


def test_with_a_certificate_users_can_come_in(load: Loader):
    config = load(TLS)
    assert [(one.name, one.role) for one in config.listeners] == [
        ("mx", Role.MX),
        ("submission", Role.SUBMISSION),
    ]
    assert str(config.listeners[1].bind[0]) == "0.0.0.0:587"
    assert config.tls is not None
    assert config.tls.key == load.folder / "k.pem"


def test_a_grant_may_name_a_default_listener(load: Loader):
    load(TLS + '[[grant]]\nname="g"\nwho="authenticated"\nlisteners=["submission"]\n')


# -- postmaster -----------------------------------------------------------------------


def test_without_own_domains_postmaster_has_a_maildir_at_the_hostname(load: Loader):
    config = load('data_dir = "data"\n')
    rules, routes = values.rules(config), values.routes(config)
    assert rules.postmaster == Address("postmaster", "relay.example.com")
    (domain,) = rules.domains.values()
    assert domain.check is RecipientCheck.LISTED
    assert domain.recipients == {("postmaster", "relay.example.com")}
    folder = load.folder / "data" / "postmaster"
    assert routes.domains == {"relay.example.com": MaildirRoute(str(folder))}


def test_postmaster_is_at_the_first_own_domain(load: Loader):
    config = load('[domains."b.example"]\n[domains."a.example"]\n')
    rules = values.rules(config)
    assert rules.postmaster == Address("postmaster", "b.example")
    assert list(rules.domains) == ["b.example", "a.example"]
    assert values.routes(config).domains == {}


def test_a_postmaster_that_is_named_makes_no_domain_ours(load: Loader):
    config = load('postmaster = "admin@example.net"\n')
    rules = values.rules(config)
    assert rules.postmaster == Address("admin", "example.net")
    assert rules.domains == {}


# -- grants and lanes -----------------------------------------------------------------


def test_a_grant_says_what_the_file_says(load: Loader):
    config = load(
        TLS
        + MX
        + """
        [[grant]]
        name = "web shop"
        who = ["10.1.2.3", "user:Boss", "::ffff:10.1.2.4", "group:Staff"]
        listeners = ["mx"]
        senders = ["shop@example.com", "*@*.example.net"]
        recipients = ["*@example.org"]
        max_messages_per_hour = 1
        max_messages_per_day = 2
        max_recipients_per_hour = 3
        max_recipients_per_day = 4
        expires = 2027-06-30T12:00:00+02:00
        null_sender = true
        sender_binding = "rewrite"
        accept_risk = "it is the only one"
        """
    )
    assert values.rules(config).grants == (
        Grant(
            name="web shop",
            who=(
                User("boss"),
                Group("staff"),
                Clients((ip_network("10.1.2.3"), ip_network("10.1.2.4"))),
            ),
            listeners=frozenset({"mx"}),
            senders=(
                AddressPattern("shop", "example.com"),
                AddressPattern("*", "*.example.net"),
            ),
            recipients=(AddressPattern("*", "example.org"),),
            quota=Quota(1, 2, 3, 4),
            expires_at=datetime(2027, 6, 30, 10, tzinfo=UTC).timestamp(),
            null_sender=True,
            sender_binding=SenderBinding.REWRITE,
            accept_risk="it is the only one",
        ),
    )


def test_one_who_needs_no_brackets(load: Loader):
    grant = load('[[grant]]\nname = "users"\nwho = "authenticated"\n').grants[0]
    assert grant.who == (AnyIdentity(),)
    assert grant.recipients == (ANY_ADDRESS,)
    assert grant.expires == math.inf


@pytest.mark.parametrize(
    ("written", "last_second"),
    [
        ("2027-06-30", datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC)),
        ("2027-12-31", datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2027-06-30T10:00:00Z", datetime(2027, 6, 30, 9, 59, 59, tzinfo=UTC)),
        ("2027-06-30 10:00:00", datetime(2027, 6, 30, 9, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_date_holds_through_that_day(
    load: Loader, written: str, last_second: datetime
):
    text = f'[[grant]]\nname = "g"\nwho = "authenticated"\nexpires = {written}\n'
    assert load(text).grants[0].expires == last_second.timestamp() + 1


def test_the_last_date_there_is_never_comes(load: Loader):
    text = '[[grant]]\nname = "g"\nwho = "authenticated"\nexpires = 9999-12-31\n'
    assert load(text).grants[0].expires == math.inf


def test_a_legacy_listener_is_a_grant_of_its_own(load: Loader):
    config = load(
        """
        [[listener]]
        name = "printers"
        role = "legacy"
        bind = ["127.0.0.1:0"]
        tls = "off"
        who = ["10.0.8.21", "10.0.8.32/28"]
        senders = ["scanner@example.com"]
        recipients = ["*@example.com"]
        max_messages_per_hour = 60
        expires = 2027-06-30
        """
    )
    rule = values.rules(config).listeners["printers"]
    assert rule.tls is TlsMode.OFF
    assert rule.lane == Grant(
        name="listener:printers",
        who=(Clients((ip_network("10.0.8.21"), ip_network("10.0.8.32/28"))),),
        listeners=frozenset({"printers"}),
        senders=(AddressPattern("scanner", "example.com"),),
        recipients=(AddressPattern("*", "example.com"),),
        quota=Quota(messages_per_hour=60),
        expires_at=datetime(2027, 7, 1, tzinfo=UTC).timestamp(),
    )


def test_a_grant_may_name_the_socket_of_sendmail(load: Loader):
    text = '[[grant]]\nname = "www"\nwho = "user:www-data"\nlisteners = ["sendmail"]\n'
    assert load(MX + text).grants[0].listeners == ("sendmail",)


def test_no_listener_takes_the_place_of_the_socket(load: Loader):
    (problem,) = load.problems(MX.replace('name = "mx"', 'name = "sendmail"'))
    assert problem.key == "listener[0].name"


def test_other_listeners_are_no_lane(load: Loader):
    assert values.rules(load(TLS)).listeners["submission"].lane is None


def test_gateways_and_bridges_are_handed_on(load: Loader):
    rules = values.rules(
        load(), {ip_address("10.0.0.1")}, [ip_network("172.17.0.0/16")]
    )
    assert rules.gateways == {ip_address("10.0.0.1")}
    assert rules.bridges == (ip_network("172.17.0.0/16"),)


# -- own domains ----------------------------------------------------------------------


def test_recipients_of_a_list_and_of_a_file_are_the_same(load: Loader):
    (load.folder / "r.txt").write_text(
        "# ours\n\nInfo@EXAMPLE.com # the office\na#b@example.com\n", encoding="utf-8"
    )
    of_file = load('[domains."example.com"]\nrecipients = { file = "r.txt" }\n')
    of_list = load(
        '[domains."Example.COM"]\n'
        'recipients = ["info@example.com", "a#b@example.com"]\n'
    )
    assert values.rules(of_file) == values.rules(of_list)
    domain = values.rules(of_file).domains["example.com"]
    assert domain.check is RecipientCheck.LISTED
    assert domain.recipients == {
        ("info", "example.com"),
        ("a#b", "example.com"),
    }


@pytest.mark.parametrize("pattern", ["*@example.com", "*"])
def test_a_list_of_everything_is_any(load: Loader, pattern: str):
    config = load(f'[domains."example.com"]\nrecipients = ["{pattern}"]\n')
    domain = values.rules(config).domains["example.com"]
    assert domain.check is RecipientCheck.ANY


def test_callout_is_the_default_and_any_has_to_be_said(load: Loader):
    rules = values.rules(
        load(
            '[domains."a.example"]\n[domains."b.example"]\nrecipients = "any"\n'
            "accept_own_senders_from_outside = true\n"
        )
    )
    assert rules.domains["a.example"].check is RecipientCheck.CALLOUT
    assert not rules.domains["a.example"].accept_own_senders_from_outside
    assert rules.domains["b.example"].check is RecipientCheck.ANY
    assert rules.domains["b.example"].accept_own_senders_from_outside


def test_a_domain_may_be_a_literal_or_a_u_label(load: Loader):
    rules = values.rules(load('[domains."[192.0.2.1]"]\n[domains."bücher.example"]\n'))
    assert list(rules.domains) == ["[192.0.2.1]", "xn--bcher-kva.example"]


# -- routes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("via", "route"),
    [
        ("mx", MxRoute()),
        (
            "smtp://mail.example.com",
            HostRoute("smtp://mail.example.com", (Server("mail.example.com", 25),)),
        ),
        (
            "smtp://[2001:db8::1]:2525?tls=required",
            HostRoute(
                "smtp://[2001:db8::1]:2525?tls=required",
                (Server("2001:db8::1", 2525),),
                TlsPolicy.REQUIRED,
            ),
        ),
        (
            "smtps://10.0.0.1",
            HostRoute(
                "smtps://10.0.0.1",
                (Server("10.0.0.1", 465, implicit_tls=True),),
                TlsPolicy.REQUIRED,
            ),
        ),
        (
            "smtps://host?tls=opportunistic",
            HostRoute(
                "smtps://host?tls=opportunistic",
                (Server("host", 465, implicit_tls=True),),
            ),
        ),
        (
            "lmtp://127.0.0.1:24?tls=off",
            HostRoute(
                "lmtp://127.0.0.1:24?tls=off",
                (Server("127.0.0.1", 24),),
                TlsPolicy.OFF,
                lmtp=True,
            ),
        ),
        ("maildir:/var/mail/in", MaildirRoute("/var/mail/in")),
        ("drop:/var/drop", DropRoute("/var/drop")),
    ],
)
def test_a_via_is_the_route_that_it_spells(load: Loader, via: str, route: HostRoute):
    config = load(f'[[route]]\nfrom = "*@example.com"\nvia = "{via}"\n')
    sender = parse_pattern("*@example.com")
    assert values.routes(config).rules == (RouteRule(ANY_ADDRESS, sender, route),)


def test_a_relative_folder_starts_at_the_file(load: Loader):
    config = load('[[route]]\nto = "*@example.com"\nvia = "drop:out"\n')
    assert config.routes[0].via == DropRoute(str(load.folder / "out"))


def test_a_smarthost_is_put_in_by_name(load: Loader):
    (load.folder / "secret").write_text("sesame \r\n", encoding="utf-8")
    config = load(
        """
        [smarthost.provider]
        servers = ["smtps://a.example:465", "smtp://b.example"]
        username = "relay"
        password = { file = "secret" }
        [domains."example.com"]
        route = "smarthost:provider"
        [[route]]
        via = "smarthost:provider"
        """
    )
    routes = values.routes(config)
    host = routes.domains["example.com"]
    assert host == routes.rules[0].route
    assert host == HostRoute(
        "smarthost:provider",
        (Server("a.example", 465, implicit_tls=True), Server("b.example", 25)),
        TlsPolicy.REQUIRED,
        credentials=Credentials("relay", "sesame "),
    )


# -- bounds ---------------------------------------------------------------------------


def test_every_bound_can_be_configured_under_its_own_name():
    session = {bound.name: bound.default for bound in fields(Limits)}
    service = {bound.name: bound.default for bound in fields(ServiceLimits)}
    assert AllBounds().model_dump() == session | service
    # One bound for the whole service, as the policy counts it.
    del session["max_hops"]
    assert SessionBounds().model_dump() == session


def test_bounds_of_a_listener_come_before_those_of_the_service(load: Loader):
    config = load(
        "limits = { max_recipients = 200, max_errors = 3, max_hops = 30,"
        " max_sessions = 9 }\n"
        + MX
        + "limits = { max_errors = 20, command_seconds = 5 }\n"
    )
    (listener,) = config.listeners
    assert values.session_limits(config).max_errors == 3
    here = values.session_limits(config, listener)
    assert (here.max_recipients, here.max_errors) == (200, 20)
    assert here.command_seconds == 5
    assert here.max_message_bytes == Limits().max_message_bytes
    assert values.rules(config).max_hops == 30
    assert values.service_limits(config) == ServiceLimits(max_sessions=9)


def test_port_0_may_be_given_as_often_as_wanted(load: Loader):
    config = load(MX + MX.replace('"mx"\nrole', '"mx 2"\nrole'))
    assert config.listeners[1].bind == (SocketAddress(ip_address("127.0.0.1"), 0),)


# -- lockout --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "well", "beyond"),
    [
        ("service_failures", (0, 1, 1_000_000), (-1, 1_000_001)),
        ("service_delay_seconds", (0.1, 30), (0, 30.1)),
    ],
)
def test_the_wait_of_strangers_is_bounded_and_can_be_switched_off(
    load: Loader, key: str, well: tuple[float, ...], beyond: tuple[float, ...]
):
    for value in well:
        config = load(f"[lockout]\n{key} = {value}\n")
        assert getattr(lockout_rules(config), key) == value
    for value in beyond:
        (problem,) = load.problems(f"[lockout]\n{key} = {value}\n")
        assert problem.line == 3


def test_the_rules_of_lockout_are_those_of_the_file(load: Loader):
    assert lockout_rules(load()) == LockoutRules()
