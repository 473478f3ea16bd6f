"""The configuration as the values that the rooms below and above work with.

`sekisho.app` calls these and adds nothing: what a key means is said here alone.

**Postmaster.** RFC 5321 §4.5.1 wants that its mail is always taken. It goes to
``postmaster`` of the file, else to postmaster at the first own domain, else to
postmaster at the host name: then the host name is an own domain with that one
recipient, and its mail lands in a Maildir in ``data_dir``. A mailbox named in the
file may be anywhere; one in an own domain goes with that domain's mail.
"""

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from typing import assert_never

from sekisho.config.authenticators import OFF
from sekisho.config.bounds import SESSION_NAMES
from sekisho.config.schema import Config
from sekisho.config.tables import BrakeTable, Domain, Grant, Listener
from sekisho.config.via import SmarthostName, Target
from sekisho.model import rules as model
from sekisho.model.address import ANY_ADDRESS, Address
from sekisho.model.limits import Limits, ServiceLimits
from sekisho.model.route import (
    Credentials,
    DropRoute,
    HostRoute,
    MaildirRoute,
    MxRoute,
    Route,
    RouteRule,
    Routes,
)

POSTMASTER_FOLDER = "postmaster"

SUBMIT_LISTENER = "sendmail"
"""The socket that ``sekisho sendmail`` speaks to: a submission listener whose papers
are those of the kernel (``docs/decisions/0004-sendmail-through-a-socket.md``)."""

_SUBMIT_RULE = model.ListenerRule(
    SUBMIT_LISTENER, model.Role.SUBMISSION, model.TlsMode.IMPLICIT
)


def offers_scram_sha_1(config: Config) -> bool:
    """Whether any listener does, so that new passwords need such keys."""
    return any(name in OFF for one in config.listeners for name in one.mechanisms)


def rules(
    config: Config,
    gateways: Collection[model.IPAddress] = (),
    bridges: Collection[model.IPNetwork] = (),
) -> model.Rules:
    """Make the rules that decide who may send what to whom.

    Args:
        config: The configuration.
        gateways: Default gateways of this machine and its addresses on container
            bridges, which a range in a grant never matches.
        bridges: Networks of container bridges; the same holds for them.

    """
    return model.Rules(
        hostname=config.hostname,
        postmaster=postmaster_of(config),
        listeners={one.name: _listener_rule(one) for one in config.listeners}
        | {SUBMIT_LISTENER: _SUBMIT_RULE},
        domains=_own_domains(config),
        grants=tuple(_grant(one) for one in config.grants),
        max_hops=session_limits(config).max_hops,
        gateways=frozenset(gateways),
        bridges=tuple(bridges),
        brake=_brake(config.brake),
    )


def routes(config: Config) -> Routes:
    """Make the routes: own domains first, then ``[[route]]`` in order, then DNS."""
    hosts = {name: _smarthost(config, name) for name in config.smarthosts}
    domains = {
        name: _route(domain.route, hosts)
        for name, domain in config.domains.items()
        if domain.route is not None
    }
    if _implies_own_hostname(config):
        folder = config.data_dir / POSTMASTER_FOLDER
        domains[config.hostname] = MaildirRoute(str(folder))
    return Routes(
        domains,
        tuple(
            RouteRule(one.to, one.sender, _route(one.via, hosts))
            for one in config.routes
        ),
    )


def session_limits(config: Config, listener: Listener | None = None) -> Limits:
    """Make the bounds of a session, on a listener or in general."""
    given = {key: value for key, value in config.limits.items() if key in SESSION_NAMES}
    if listener is not None:
        given |= listener.limits
    return replace(Limits(), **given)


def service_limits(config: Config) -> ServiceLimits:
    """Make the bounds of the service as a whole."""
    names = {bound.name for bound in fields(ServiceLimits)}
    given = {key: value for key, value in config.limits.items() if key in names}
    return replace(ServiceLimits(), **given)


# -- who may send what ----------------------------------------------------------------


def _brake(table: BrakeTable) -> model.Brake:
    bound = model.Quota(
        table.messages_per_hour,
        table.messages_per_day,
        table.recipients_per_hour,
        table.recipients_per_day,
    )
    return model.Brake(bound, table.refused_recipients_per_hour)


def _listener_rule(listener: Listener) -> model.ListenerRule:
    lane = _lane(listener) if listener.role is model.Role.LEGACY else None
    return model.ListenerRule(listener.name, listener.role, listener.tls, lane)


def _lane(listener: Listener) -> model.Grant:
    return model.Grant(
        name=f"listener:{listener.name}",
        who=(model.Clients(listener.who),),
        listeners=frozenset({listener.name}),
        senders=listener.senders,
        recipients=listener.recipients,
        quota=_quota(listener),
        expires_at=listener.expires,
        null_sender=listener.null_sender,
        sender_binding=listener.sender_binding,
        accept_risk=listener.accept_risk,
    )


def _grant(grant: Grant) -> model.Grant:
    return model.Grant(
        name=grant.name,
        who=grant.who,
        listeners=frozenset(grant.listeners),
        senders=grant.senders,
        recipients=grant.recipients,
        quota=_quota(grant),
        expires_at=grant.expires,
        null_sender=grant.null_sender,
        sender_binding=grant.sender_binding,
        accept_risk=grant.accept_risk,
    )


def _quota(one: Grant | Listener) -> model.Quota:
    return model.Quota(
        messages_per_hour=one.max_messages_per_hour,
        messages_per_day=one.max_messages_per_day,
        recipients_per_hour=one.max_recipients_per_hour,
        recipients_per_day=one.max_recipients_per_day,
    )


# -- own domains ----------------------------------------------------------------------


def postmaster_of(config: Config) -> Address:
    """Who gets the mail for ``postmaster``."""
    if config.postmaster is not None:
        return config.postmaster
    return Address("postmaster", next(iter(config.domains), config.hostname))


def _implies_own_hostname(config: Config) -> bool:
    return config.postmaster is None and not config.domains


def _own_domains(config: Config) -> Mapping[str, model.OwnDomain]:
    if not _implies_own_hostname(config):
        return {
            name: _own_domain(name, domain) for name, domain in config.domains.items()
        }
    name = config.hostname
    only_postmaster = frozenset({Address("postmaster", name).key})
    return {name: model.OwnDomain(name, model.RecipientCheck.LISTED, only_postmaster)}


def _own_domain(name: str, domain: Domain) -> model.OwnDomain:
    known = domain.recipients
    check = known.check
    if any(p == ANY_ADDRESS or p.domain == name for p in known.patterns):
        # A list that holds everything is "any", and has to be warned of as such.
        check = model.RecipientCheck.ANY
    return model.OwnDomain(
        name=name,
        check=check,
        recipients=known.addresses,
        patterns=known.patterns,
        accept_own_senders_from_outside=domain.accept_own_senders_from_outside,
    )


# -- where mail goes ------------------------------------------------------------------


def _smarthost(config: Config, name: str) -> HostRoute:
    host = config.smarthosts[name]
    login = None
    if host.username is not None and host.password is not None:
        login = Credentials(host.username, host.password.reveal())
    return HostRoute(f"smarthost:{name}", host.servers, host.tls, credentials=login)


def _route(target: Target, smarthosts: Mapping[str, HostRoute]) -> Route:
    match target:
        case SmarthostName(name=name):
            return smarthosts[name]
        case MxRoute() | HostRoute() | MaildirRoute() | DropRoute():
            return target
        case _:
            assert_never(target)
