"""``sekisho explain``: which rule decides one case, and why."""

import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from ipaddress import ip_address

import click

from sekisho.app.clock import unix_seconds
from sekisho.app.hostfacts import look_at_host
from sekisho.app.proof import identities, policy_of
from sekisho.app.stopped import known_accounts
from sekisho.cli.options import config_option, json_option, print_json, read_config
from sekisho.config.schema import Config
from sekisho.model.address import (
    NULL_PATH,
    Address,
    AddressError,
    ReversePath,
    parse_address,
)
from sekisho.model.facts import Facts, HeaderFacts, Malformation, Offered
from sekisho.model.identity import NOBODY, Identity, Who
from sekisho.model.rules import IPAddress, TlsMode, unmapped
from sekisho.policy.decide import Policy
from sekisho.policy.explain import Explanation, explain


@dataclass(frozen=True, slots=True)
class _Case:
    """The options, as given."""

    listener: str
    client: str
    sender: str
    recipients: tuple[str, ...]
    header_from: str | None
    at: str | None


@click.command("explain")
@config_option
@json_option
@click.option("--listener", required=True, metavar="L")
@click.option("--client", required=True, metavar="IP")
@click.option("--user", metavar="U", help="signed in as this account")
@click.option("--tls", is_flag=True, help="the session is under TLS")
@click.option(
    "--from", "sender", required=True, metavar="A", help="reverse-path; <> is none"
)
@click.option("--to", "recipients", multiple=True, required=True, metavar="B")
@click.option(
    "--header-from", metavar="A", help="what From says; without it RCPT is the end"
)
@click.option("--at", metavar="TIME", help="a date or date-time, UTC; now if left out")
def explain_command(  # noqa: PLR0913 - one parameter an option
    config_file: str | None,
    *,
    as_json: bool,
    user: str | None,
    tls: bool,
    listener: str,
    client: str,
    sender: str,
    recipients: tuple[str, ...],
    header_from: str | None,
    at: str | None,
) -> None:
    """Say which rule decides one case, and why."""
    config = read_config(config_file)
    policy = policy_of(config, look_at_host())
    case = _Case(listener, client, sender, recipients, header_from, at)
    facts = _facts(policy, case, _who(config, user), tls=tls)
    explained = explain(policy, facts)
    if as_json:
        print_json(_as_json(explained))
    else:
        _print(explained)
    if not explained.decision.accepts:
        sys.exit(1)


def _facts(policy: Policy, case: _Case, who: Who, *, tls: bool) -> Facts:
    rule = policy.rules.listeners.get(case.listener)
    if rule is None:
        known = ", ".join(policy.rules.listeners)
        raise click.UsageError(
            f"there is no listener {case.listener!r}; there is {known}"
        )
    header = None
    if case.header_from is not None:
        author = _address(case.header_from, "--header-from")
        header = HeaderFacts(author, None, Malformation.NONE, hops=0)
    return Facts(
        listener=case.listener,
        client=_client(case.client),
        # Nobody signs in without TLS, and an implicit listener has nothing else.
        tls=tls or rule.tls is TlsMode.IMPLICIT or isinstance(who, Identity),
        reverse_path=_sender(case.sender),
        now=_moment(case.at),
        who=who,
        recipients=tuple(Offered(_recipient(policy, one)) for one in case.recipients),
        header=header,
    )


def _who(config: Config, user: str | None) -> Who:
    if user is None:
        return NOBODY
    accounts, _ = known_accounts(config)
    for identity in identities(accounts):
        if identity.account == user.lower():
            return identity
    raise click.UsageError(f"there is no enabled account {user!r}")


def _client(text: str) -> IPAddress:
    try:
        return unmapped(ip_address(text))
    except ValueError as error:
        raise click.UsageError(f"--client: {error}") from error


def _sender(text: str) -> ReversePath:
    return NULL_PATH if text in ("", "<>") else _address(text, "--from")


def _recipient(policy: Policy, text: str) -> Address:
    if text.lower() == "postmaster":
        return policy.rules.postmaster
    return _address(text, "--to")


def _address(text: str, option: str) -> Address:
    try:
        return parse_address(text)
    except AddressError as error:
        raise click.UsageError(f"{option} {text!r}: {error}") from error


def _moment(text: str | None) -> float:
    if text is None:
        return unix_seconds()
    try:
        if len(text) == len("2027-01-01"):
            return datetime.combine(date.fromisoformat(text), time(), UTC).timestamp()
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(f"--at: {error}") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _as_json(explained: Explanation) -> dict[str, object]:
    decision = explained.decision
    return {
        "decision": decision.verdict.value,
        "rule": decision.rule,
        "grant": decision.grant or None,
        "reply": str(decision.reply),
        "reason": decision.reason,
        "steps": [
            {
                "stage": step.stage.value,
                "subject": step.subject,
                "decision": step.verdict.value,
                "rule": step.rule,
                "reason": step.reason,
            }
            for step in explained.steps
        ],
    }


def _print(explained: Explanation) -> None:
    decision = explained.decision
    colour = "green" if decision.accepts else "red"
    grant = f", grant {decision.grant!r}" if decision.grant else ""
    click.secho(f"{decision.verdict.value}: rule {decision.rule}{grant}", fg=colour)
    click.echo(f"  reply:  {decision.reply}\n  reason: {decision.reason}")
    for step in explained.steps:
        about = f"{step.stage.value} {step.subject}".rstrip()
        click.echo(f"  {about}: {step.verdict.value} ({step.rule}): {step.reason}")
