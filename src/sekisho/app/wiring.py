"""The parts of a worker, built from the configuration and put together.

This is the only place that builds and connects; every other room is handed what it
needs. Nothing here decides.
"""

import os
import random
import secrets
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import ip_address

from sekisho.app.authenticators import doors
from sekisho.app.clock import unix_seconds
from sekisho.app.hostfacts import Seen, own_addresses
from sekisho.app.randomness import id_bits
from sekisho.app.reports import Reporter as ReportMaker
from sekisho.app.roster import Roster
from sekisho.app.submission import SYSTEM, system_identity
from sekisho.auth.accounts import AccountStore
from sekisho.auth.gatekeeper import Gatekeeper, GatekeeperOptions
from sekisho.auth.hashing import HashingPool
from sekisho.auth.lockout import Lockout, LockoutRules, Success
from sekisho.config.carriage import Queue, QueueDomain
from sekisho.config.schema import Config
from sekisho.config.tables import Listener
from sekisho.config.values import (
    SUBMIT_LISTENER,
    offers_scram_sha_1,
    postmaster_of,
    routes,
    session_limits,
)
from sekisho.delivery.callout import Callout, CalloutOptions
from sekisho.delivery.courier import Courier, CourierOptions, CourierTools
from sekisho.delivery.mx import OwnHost
from sekisho.model.identity import Identity
from sekisho.model.ids import MessageId, new_message_id
from sekisho.model.rules import IPAddress, Role, TlsMode
from sekisho.model.text import Language
from sekisho.net.dns import DnsOptions, DnsResolver
from sekisho.net.tls import opportunistic_context, verifying_context
from sekisho.queue.bodies import BodyFiles
from sekisho.scheduler.options import Patience, SchedulerOptions
from sekisho.scheduler.schedule import RetryRule
from sekisho.server.services import ListenerContext
from sekisho.session.client_events import ClientTimeouts
from sekisho.session.extensions import SessionProfile
from sekisho.shared.failures import FailureTable

SMTP_PORT = 25
_MOST_CARRIERS = 500
"""Connections to next hosts at once, of all workers together."""
_LEAST_CARRIERS = 100
"""But so many a worker."""


def new_id(unix_seconds: float) -> MessageId:
    """A message id, random enough that nobody guesses another."""
    return new_message_id(unix_seconds, id_bits())


def listener_context(config: Config, listener: Listener) -> ListenerContext:
    """A configured listener, as its connections see it."""
    return ListenerContext(
        name=listener.name,
        profile=SessionProfile(
            hostname=config.hostname,
            role=listener.role,
            limits=session_limits(config, listener),
            bare_newline=listener.bare_newline,
        ),
        tls_mode=listener.tls,
        offers_auth=listener.role is Role.SUBMISSION,
        proxies=listener.proxy_protocol,
    )


def submission_context(config: Config) -> ListenerContext:
    """The socket that ``sekisho sendmail`` speaks to."""
    return ListenerContext(
        name=SUBMIT_LISTENER,
        profile=SessionProfile(
            hostname=config.hostname,
            role=Role.SUBMISSION,
            limits=session_limits(config),
        ),
        tls_mode=TlsMode.OFF,
        offers_auth=False,
        identify=lambda user: system_identity(user, config.hostname),
    )


@dataclass(slots=True)
class Papers:
    """Who is verified, and whether it still is."""

    gatekeeper: Gatekeeper

    def is_current(self, identity: Identity) -> bool:
        """Whether an identity is what it was; the kernel's always is."""
        if identity.authenticator == SYSTEM:
            return True
        return self.gatekeeper.is_current(identity)


def roster(config: Config, accounts: AccountStore, closing: AsyncExitStack) -> Roster:
    """Who keeps the authenticators; it has none yet."""
    pool = HashingPool(_hashing_threads(config))
    closing.callback(pool.close)
    made = Roster(accounts, pool, unix_seconds)
    closing.push_async_callback(made.close)
    return made


def gatekeeper(
    config: Config, roster: Roster, seen: Seen, table: FailureTable | None = None
) -> Gatekeeper:
    """Who checks credentials; failures are counted in the table."""
    accounts = roster.accounts
    # A reload may have switched it on: new passwords get these keys from then on.
    accounts.keeps_sha_1 = offers_scram_sha_1(config)

    async def keep(batch: Sequence[Success]) -> None:
        await roster.hashing.run(accounts.keep_successes, batch)

    rules = lockout_rules(config)
    return Gatekeeper(
        roster.authenticators,
        Lockout(rules, seen.facts.gateways, accounts.successes(), table),
        clock=unix_seconds,
        options=GatekeeperOptions(
            decoy_secret=accounts.decoy_secret, keep_successes=keep
        ),
        doors=doors(config),
    )


def _hashing_threads(config: Config) -> int:
    """A worker's share of half of the cores, and one at least.

    People who guess passwords must not take all of them from the mail.
    """
    cores = len(os.sched_getaffinity(0))
    return max(1, cores // 2 // (config.workers or cores))


def lockout_rules(config: Config) -> LockoutRules:
    """When failed sign-ins lock out, and for how long."""
    return LockoutRules(
        pair_failures=config.lockout.pair_failures,
        block_failures=config.lockout.block_failures,
        first_seconds=config.lockout.first_seconds,
        longest_seconds=config.lockout.longest_seconds,
        forget_seconds=config.lockout.forget_seconds,
        service_failures=config.lockout.service_failures,
        service_delay_seconds=config.lockout.service_delay_seconds,
    )


def courier(config: Config, bodies: BodyFiles) -> Courier:
    """Who opens the way to next hosts."""
    delivery = config.delivery
    resolver = DnsResolver(
        DnsOptions(
            servers=tuple((str(one.host), one.port) for one in config.dns.servers),
            timeout_seconds=config.dns.timeout_seconds,
        ),
        time.monotonic,
    )
    options = CourierOptions(
        hostname=config.hostname,
        own=OwnHost(frozenset({config.hostname}), _own_port_25(config)),
        connect_seconds=delivery.connect_seconds,
        timeouts=ClientTimeouts(
            greeting=delivery.command_seconds,
            command=delivery.command_seconds,
            mail=delivery.command_seconds,
            rcpt=delivery.command_seconds,
            data=delivery.command_seconds,
            final=delivery.data_seconds,
        ),
    )
    tools = CourierTools(
        resolver=resolver,
        bodies=bodies,
        verifying=verifying_context(),
        opportunistic=opportunistic_context(),
        shuffle=random.SystemRandom().shuffle,
        token=lambda: secrets.token_hex(16),
        clock=unix_seconds,
    )
    return Courier(options, tools)


def callout(config: Config, way: Courier) -> Callout:
    """Who asks inner hosts for their recipients."""
    table = routes(config)
    return Callout(way, lambda: table, time.monotonic, CalloutOptions())


def report_maker(config: Config, bodies: BodyFiles) -> ReportMaker:
    """Who writes bounces and notices."""
    patience = schedule(config, 1).patience
    return ReportMaker(
        config.hostname,
        bodies,
        new_id,
        unix_seconds,
        lambda domain: patience(domain).expire_seconds,
        language=Language(config.report.language),
        copy_to=postmaster_of(config) if config.report.copy_to_postmaster else None,
    )


def schedule(config: Config, carriers: int) -> SchedulerOptions:
    """What is tried when, and how much at once; `carriers` to one destination."""
    return SchedulerOptions(
        retry_seconds=tuple(60 * one for one in config.queue.retry_minutes),
        retry_by_rule={
            RetryRule(name): tuple(60 * one for one in minutes)
            for name, minutes in config.queue.retry
            if minutes
        },
        expire_seconds=3600 * config.queue.expire_hours,
        delay_notice_seconds=3600 * config.queue.delay_notice_hours,
        by_domain={
            name: _patience(config.queue, name, one)
            for name, one in config.queue.domains.items()
        },
        max_carriers_per_destination=carriers,
        max_carriers=max(_LEAST_CARRIERS, _MOST_CARRIERS // _workers(config)),
    )


def _workers(config: Config) -> int:
    return config.workers or len(os.sched_getaffinity(0))


def _patience(queue: Queue, name: str, own: QueueDomain) -> Patience:
    expire, notice = own.expire_hours, own.delay_notice_hours
    return Patience(
        f'[queue.domains."{name}"]',
        3600 * (queue.expire_hours if expire is None else expire),
        3600 * (queue.delay_notice_hours if notice is None else notice),
        tuple(60 * one for one in own.retry_minutes),
    )


def _own_port_25(config: Config) -> frozenset[IPAddress]:
    """Where our own port 25 listens: mail by MX never goes there."""
    bound = {
        address.host
        for listener in config.listeners
        for address in listener.bind
        if address.port == SMTP_PORT
    }
    found = {one for one in bound if not one.is_unspecified}
    if len(found) < len(bound):
        found |= own_addresses()
        found.add(ip_address("127.0.0.1"))
    return frozenset(found)
