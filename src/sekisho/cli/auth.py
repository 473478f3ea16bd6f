"""``sekisho auth``: whether somebody could sign in, and where it would stop."""

import asyncio
import sys
from typing import Any

import click

from sekisho.app.sign_in_trial import Papers, Trial, try_account
from sekisho.auth.authenticator import DiagnosisStep
from sekisho.cli.options import (
    config_option,
    first_line,
    json_option,
    print_json,
    read_config,
)
from sekisho.model.identity import Rejected, Unavailable, Verified


@click.group("auth")
def auth_command() -> None:
    """Try how accounts are verified."""


@auth_command.command("test")
@config_option
@json_option
@click.argument("user")
@click.option(
    "--password-file", metavar="F", help="its first line; - is standard input"
)
@click.option("--token-file", metavar="F", help="a bearer token, likewise")
@click.option("--ask-password", is_flag=True, help="ask for it on the terminal")
def test(
    config_file: str | None,
    as_json: bool,
    user: str,
    password_file: str | None,
    token_file: str | None,
    ask_password: bool,
) -> None:
    """Walk through all authenticators as for USER, and tell each step.

    Without a password or a token the account is looked up, and no more. Nothing is
    counted against the account by us; its directory may count a wrong password.
    """
    if token_file and (password_file or ask_password):
        raise click.UsageError("a password or a token, not both")
    config = read_config(config_file)
    password = first_line(password_file) if password_file else None
    if ask_password and password is None:
        password = click.prompt("Password", hide_input=True, err=True)
    papers = Papers(password, first_line(token_file) if token_file else None)
    steps: list[tuple[str, DiagnosisStep]] = []

    def tell(name: str, step: DiagnosisStep) -> None:
        steps.append((name, step))
        if not as_json:
            mark = click.style("ok  ", fg="green") if step.is_good else "stop"
            click.echo(f"{name}: {mark} {step.what}: {step.detail}")

    trial = asyncio.run(try_account(config, user, papers, tell))
    if as_json:
        print_json(_as_json(trial, steps))
    else:
        _print(trial)
    if not trial.is_good:
        sys.exit(1)


def _outcome(trial: Trial) -> tuple[str, str]:
    """The answer in one word, and the reason."""
    match trial.answer:
        case Verified():
            return "verified", ""
        case Rejected(reason):
            return "rejected", reason
        case Unavailable(reason):
            return "unavailable", reason
        case None:
            return "not tried", "no password or token was given"


def _as_json(trial: Trial, steps: list[tuple[str, DiagnosisStep]]) -> dict[str, Any]:
    answer, reason = _outcome(trial)
    who = trial.identity
    return {
        "steps": [
            {
                "authenticator": name,
                "step": step.what,
                "ok": step.is_good,
                "detail": step.detail,
            }
            for name, step in steps
        ],
        "answer": answer,
        "reason": reason,
        "by": trial.by,
        "account": who.account if who else "",
        "addresses": [str(one) for one in who.addresses] if who else [],
        "groups": sorted(who.groups) if who else [],
        "grants": list(trial.grants),
    }


def _print(trial: Trial) -> None:
    if (who := trial.identity) is not None:
        click.echo(f"account: {who.account}")
        click.echo(f"may send from: {', '.join(map(str, who.addresses)) or 'nothing'}")
        click.echo(f"groups: {', '.join(sorted(who.groups)) or 'none'}")
        click.echo(f"grants: {', '.join(trial.grants) or 'none, so it relays nothing'}")
    answer, reason = _outcome(trial)
    by = f" by {trial.by}" if trial.by else ""
    click.echo(f"{answer}{by}" + (f": {reason}" if reason else ""))
