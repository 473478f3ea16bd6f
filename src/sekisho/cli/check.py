"""``sekisho check``: the configuration, whole, and the proof that it is closed."""

import socket
import sys
from datetime import UTC, datetime
from math import isinf
from typing import Any

import click
from rich.box import SIMPLE
from rich.table import Table

from sekisho.app.access import lacking, privileged_ports
from sekisho.app.authenticators import read_authorities_asked, read_listed_accounts
from sekisho.app.certificate import read_authorities
from sekisho.app.clock import unix_seconds
from sekisho.app.control import Refusal
from sekisho.app.hostfacts import look_at_host
from sekisho.app.keytabs import read_keytabs_asked
from sekisho.app.proof import finding_text, policy_of, prove_policy
from sekisho.app.starting import imported
from sekisho.app.stopped import known_accounts
from sekisho.auth.account import AccountError
from sekisho.cli.options import (
    config_option,
    config_path,
    json_option,
    print_json,
    print_table,
    read_config,
)
from sekisho.config.schema import Config
from sekisho.config.sign_in import Announcement, announcement
from sekisho.model.rules import AnyIdentity, Clients, Group, Quota, Role, User
from sekisho.net.tls import TlsFilesError, load_server_tls
from sekisho.policy.table import Anyone, Proof, Row

_QUOTAS = (
    ("messages_per_hour", "messages an hour"),
    ("messages_per_day", "messages a day"),
    ("recipients_per_hour", "recipients an hour"),
    ("recipients_per_day", "recipients a day"),
)


@click.command("check")
@config_option
@json_option
@click.option("--live", is_flag=True, help="have the running service audit itself")
@click.option("--as", "user", metavar="USER", help="tell what this user cannot reach")
def check_command(
    config_file: str | None, *, as_json: bool, live: bool, user: str | None
) -> None:
    """Read the configuration and show who may relay what; exit 1 if not closed."""
    config = read_config(config_file)
    if live:
        sys.exit(imported("sekisho.cli.check_live").check_live(config, as_json=as_json))
    lacks, notes = _access(config, config_file, user)
    seen = look_at_host()
    accounts, unread = known_accounts(config)
    policy = policy_of(config, seen)
    proof = prove_policy(policy, accounts, seen, unix_seconds())
    unseen = [*seen.unseen, *unread, *_elsewhere(config)]
    broken = [*_broken_files(config), *_broken_authorities(config)]
    sign_in = _sign_in(config)
    if as_json:
        more = {"sign_in": _as_maps(sign_in), "lacks": lacks, "look": notes}
        print_json({**_as_json(proof, unseen, broken), **more})
    else:
        _print_sign_in(sign_in)
        _print(proof, unseen, broken)
        _print_access(user or "", lacks, notes)
    if broken or lacks or not proof.is_closed:
        sys.exit(1)


def _access(
    config: Config, config_file: str | None, user: str | None
) -> tuple[list[str], list[str]]:
    """What a user lacks to serve it, and what to think of besides."""
    if user is None:
        return [], []
    return lacking(config, config_path(config_file), user), privileged_ports(config)


def _print_access(user: str, lacks: list[str], notes: list[str]) -> None:
    for one in notes:
        click.echo(f"look: {one}")
    for one in lacks:
        click.secho(f"{user} lacks: {one}", fg="red")


def _elsewhere(config: Config) -> list[str]:
    """Gateways and bridges are those of the machine that looks."""
    here = socket.getfqdn()
    if here == config.hostname:
        return []
    return [
        f"whether this machine ({here}) is the one that serves: gateways, bridges "
        "and accounts are those found here"
    ]


def _broken_files(config: Config) -> list[str]:
    if config.tls is None:
        return []
    try:
        authorities = read_authorities(config.listeners)
        pair = load_server_tls(config.tls.certificate, config.tls.key, authorities)
    except TlsFilesError as error:
        return [f"{error} ({error.hint})"]
    now = unix_seconds()
    broken = [
        f"{name}: client_crl is too old since {_expiry(one.next_update)}, so no "
        "certificate of a client is taken"
        for name, one in authorities.items()
        if one.next_update <= now
    ]
    if pair.not_after <= now:
        broken.append(f"{config.tls.certificate} expired on {_expiry(pair.not_after)}")
    return broken


def _broken_authorities(config: Config) -> list[str]:
    try:
        read_listed_accounts(config)
        read_authorities_asked(config)
        read_keytabs_asked(config)
    except AccountError as error:
        return [str(error)]
    except Refusal as refusal:
        return [f"{refusal.sentence} ({refusal.hint})"]
    except TlsFilesError as error:
        return [f"{error} ({error.hint})"]
    return []


def _sign_in(config: Config) -> list[Announcement]:
    """What each listener announces at best, and what it leaves out."""
    kinds = {one.name: one.kind for one in config.authenticators}
    return [
        announcement(
            one.name,
            {name: kinds[name] for name in one.authenticators or kinds},
            one.mechanisms,
        )
        for one in config.listeners
        if one.role is Role.SUBMISSION
    ]


def _as_json(proof: Proof, unseen: list[str], broken: list[str]) -> dict[str, Any]:
    return {
        "closed": proof.is_closed,
        "decisions": proof.walked,
        "rows": [
            {
                "listener": row.listener,
                "who": who_text(row),
                "tls": row.tls,
                "senders": _senders(row),
                "recipients": [str(one) for one in row.recipients],
                "quota": _quota(row.quota),
                "expires": _expiry(row.expires_at),
                "grant": row.grant,
                "rule": row.rule,
            }
            for row in proof.rows
        ],
        "findings": [finding_text(one) for one in proof.findings],
        "broken": broken,
        "cautions": [
            {"kind": one.kind.name.lower(), "about": one.about, "detail": one.detail}
            for one in proof.cautions
        ],
        "not_seen": unseen,
    }


def _as_maps(sign_in: list[Announcement]) -> dict[str, Any]:
    return {
        one.listener: {
            "mechanisms": list(one.mechanisms),
            "left_out": dict(one.left_out),
        }
        for one in sign_in
    }


def _print_sign_in(sign_in: list[Announcement]) -> None:
    for one in sign_in:
        click.echo(f"sign in: {one.listener}: {', '.join(one.mechanisms)}")
        for mechanism, why in one.left_out.items():
            click.echo(f"  not {mechanism}: {why}")


def _print(proof: Proof, unseen: list[str], broken: list[str]) -> None:
    table = Table(box=SIMPLE, pad_edge=False, title="who may send what to whom")
    headings = ("listener", "who", "from", "to", "how much", "until", "by")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in proof.rows:
        table.add_row(
            row.listener + (" (TLS)" if row.tls else ""),
            who_text(row),
            ", ".join(_senders(row)),
            _some([str(one) for one in row.recipients]),
            ", ".join(_quota(row.quota)) or "-",
            _expiry(row.expires_at) or "-",
            f"grant {row.grant}" if row.grant else row.rule,
        )
    print_table(table)
    click.echo()
    for caution in proof.cautions:
        click.echo(f"look: {caution.about}: {caution.kind.value}: {caution.detail}")
    for one in unseen:
        click.echo(f"not seen: {one}")
    for one in broken:
        click.secho(f"broken: {one}", fg="red")
    for finding in proof.findings:
        click.secho(f"open: {finding_text(finding)}", fg="red")
    if proof.is_closed:
        click.secho(
            f"closed: no stranger relays ({proof.walked} cases asked)", fg="green"
        )
    else:
        click.secho("not closed: `sekisho serve` will not start", fg="red")


_SHOWN = 6


def _some(texts: list[str]) -> str:
    more = f", and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more


def who_text(row: Row) -> str:
    """Say in people's words who a row is about."""
    accounts = f" ({row.accounts} accounts)"
    match row.who:
        case Anyone():
            return "anyone"
        case AnyIdentity():
            return "whoever signed in" + accounts
        case Group(name):
            return f"group {name}" + accounts
        case User(name):
            return f"user {name}"
        case Clients(networks):
            return _some([_network(str(one)) for one in networks])


def _network(text: str) -> str:
    return text.removesuffix("/32").removesuffix("/128")


def _senders(row: Row) -> list[str]:
    own = ["their own addresses"] if row.owned else []
    null = ["<>"] if row.null_sender else []
    return own + [str(one) for one in row.senders] + null


def _quota(quota: Quota) -> list[str]:
    amounts = ((getattr(quota, name), words) for name, words in _QUOTAS)
    return [f"{amount} {words}" for amount, words in amounts if amount]


def _expiry(expires_at: float) -> str:
    if isinf(expires_at):
        return ""
    return datetime.fromtimestamp(expires_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
