"""``sekisho advisory self``: this installation, and whether it is as installed."""

import os
import sys
import tomllib
from collections.abc import Sequence
from typing import Any

import click

from sekisho.advisory.installation import (
    Verified,
    this_installation,
    verify_installation,
)
from sekisho.advisory.own import judge_own
from sekisho.advisory.shelf import shipped
from sekisho.advisory.verdicts import VERDICT_TEXTS, Answer, Verdict
from sekisho.cli.advisory_options import language_option
from sekisho.cli.options import (
    config_option,
    config_path,
    json_option,
    print_json,
    read_config,
)
from sekisho.config.environment import override
from sekisho.model.text import Language, Text

EXIT_FOUND, EXIT_MITIGATED, EXIT_NOT_KNOWN = 1, 2, 3
_EXITS = (
    (Verdict.AFFECTED, EXIT_FOUND),
    (Verdict.UNKNOWN, EXIT_NOT_KNOWN),
    (Verdict.MITIGATED, EXIT_MITIGATED),
)
_HINT = Text(
    "install it again, or find out who changed it; after a change of your own to the "
    "source: pip install --no-deps --no-build-isolation --editable .",
    "インストールし直すか、誰が変更したかを調べてください。ソースを自分で変更した場合: "
    "pip install --no-deps --no-build-isolation --editable .",
)
_WORDS = {
    "version": Text("version {0}", "バージョン {0}"),
    "none": Text("not told", "不明"),
    "config": Text("configuration {0}", "設定ファイル {0}"),
    "unread": Text("no configuration was looked at", "設定ファイルは調べていません"),
    "changed": Text("changed: {0}", "変更されている: {0}"),
    "missing": Text("missing: {0}", "存在しない: {0}"),
    "added": Text("added: {0}", "追加されている: {0}"),
    "same": Text(
        "{0} files are as they were installed", "{0} 個のファイルは導入時のままです"
    ),
    "no_list": Text(
        "the installation has no list of its files' digests: {0} files were compared, "
        "and whether the package is what was installed is not known",
        "インストールにファイルのハッシュ一覧がありません。{0} 個を比べましたが、"
        "導入時のままかどうかは分かりません",
    ),
    "list": Text(
        "compared with {0} (SHA-256 {1})", "比較に用いた一覧: {0} (SHA-256 {1})"
    ),
}


@click.command("self")
@config_option
@json_option
@language_option
def self_command(config_file: str | None, as_json: bool, language: Language) -> None:
    """Judge this installation by Sekisho's own advisories, and verify its files.

    Exit 1 where a fault concerns it or a file is not as it was installed, 3 where
    something is not known, 2 where a fault is mitigated, else 0.
    """
    named, document = _configuration(config_file)
    verified = verify_installation(*this_installation())
    answers = judge_own(shipped(), verified.version, document)
    if as_json:
        print_json(_as_json(verified, answers, named, language))
    else:
        _print(verified, answers, named, language)
    sys.exit(_exit_code(verified, answers))


def _configuration(given: str | None) -> tuple[str, dict[str, Any] | None]:
    """Its name, and what it says with the environment's overrides.

    Raises:
        ConfigErrors: There is one, and it is wrong.

    """
    if given is None:
        try:
            config_path(given)
        except click.UsageError:
            return "", None
    read_config(given)
    path = config_path(given)
    document = tomllib.loads(path.read_text("utf-8"))
    override(document, os.environ)
    return str(path), document


def _exit_code(verified: Verified, answers: Sequence[Answer]) -> int:
    if verified.changed or verified.missing or verified.added:
        return EXIT_FOUND
    verdicts = {one.verdict for one in answers}
    found = next((code for verdict, code in _EXITS if verdict in verdicts), 0)
    if found == EXIT_FOUND or verified.is_whole:
        return found
    return EXIT_NOT_KNOWN


def _as_json(
    verified: Verified, answers: Sequence[Answer], named: str, language: Language
) -> dict[str, Any]:
    return {
        "version": verified.version or None,
        "configuration": named or None,
        "advisories": [
            {
                "advisory": one.advisory,
                "verdict": one.verdict.value,
                "reasons": [said.code for said in one.reasons],
                "actions": [said.code for said in one.actions],
                "missing": list(one.missing),
                "text": [
                    said.text.said_in(language) for said in (*one.reasons, *one.actions)
                ],
            }
            for one in answers
        ],
        "files": {
            "sound": verified.is_sound,
            "listed": verified.is_whole,
            "checked": verified.checked,
            "changed": verified.changed,
            "missing": verified.missing,
            "added": verified.added,
            "lists": verified.lists,
        },
    }


def _print(
    verified: Verified, answers: Sequence[Answer], named: str, language: Language
) -> None:
    def say(word: str, *values: object) -> str:
        return _WORDS[word].said_in(language).format(*values)

    click.echo(say("version", verified.version or say("none")))
    click.echo(say("config", named) if named else say("unread"))
    for one in answers:
        verdict = VERDICT_TEXTS[one.verdict].said_in(language)
        click.echo(f"{one.advisory}: {verdict}")
        for said in (*one.reasons, *one.actions):
            click.echo(f"  {said.code}: {said.text.said_in(language)}")
    for path, digest in verified.lists.items():
        click.echo(say("list", path, digest))
    _print_files(verified, say("no_list", verified.checked), language)
    if verified.is_sound:
        click.secho(say("same", verified.checked), fg="green")


def _print_files(verified: Verified, no_list: str, language: Language) -> None:
    rows = (
        ("changed", verified.changed),
        ("missing", verified.missing),
        ("added", verified.added),
    )
    for word, paths in rows:
        for path in paths:
            said = _WORDS[word].said_in(language).format(path)
            click.secho(said, fg="red")
    if not verified.is_whole:
        click.secho(no_list, fg="yellow")
    elif not verified.is_sound:
        click.echo(f"  hint: {_HINT.said_in(language)}")
