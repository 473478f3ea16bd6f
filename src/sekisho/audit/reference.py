"""The pages of findings and the schema of the JSON, made from rows and reports.

``python -m sekisho.audit.reference docs/reference`` writes them; a test fails when one
in the repository differs.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sekisho.audit.catalogue import PROBES
from sekisho.audit.probe import Group, Need, Probe
from sekisho.audit.reports import words
from sekisho.audit.reports.document import GRAVEST_FIRST
from sekisho.audit.reports.harmless import harmless
from sekisho.audit.reports.json_report import schema
from sekisho.model.text import Language, Text

_PREFACE = Text(
    """\
# Findings

What `sekisho audit` asks, how it knows, and what to change where it is found. In
*What is sent*, `{D}` is a domain that is local at the server, `{H}` its name, `{IP}`
its address, `{C}@{X}` the canary or a recipient that it has no reason to relay to,
`{U}` the test account, `{N}` a user that does not exist, `{V}` another local user.

A probe without *Needs* is run always: it stops at RCPT and delivers nothing.

Made from the rows in `src/sekisho/audit/`; `make docs` writes it anew.
""",
    """\
# 検出項目

`sekisho audit` が何を試し、何を根拠に判定し、見つかった場合に何を変更すべきかの一覧。
「送信内容」の `{D}` はサーバーのローカルドメイン、`{H}` はサーバー名、`{IP}` はその
アドレス、`{C}@{X}` はカナリア、または中継する理由のない宛先、`{U}` は試験用アカウント、
`{N}` は存在しないユーザー、`{V}` は別のローカルユーザーを表す。

「必要なオプション」のない項目は常に実行される。RCPT で止め、メールは配送しない。

`src/sekisho/audit/` の表から生成。更新は `make docs` で行う。
""",
)
_NEEDS: Mapping[Need, str] = {
    Need.ACCOUNT: "`--user`, `--password-file`",
    Need.CANARY: "`--canary`",
    Need.STRESS: "`--stress`",
}
_FILES: Mapping[Language, str] = {
    Language.ENGLISH: "findings.md",
    Language.JAPANESE: "findings.ja.md",
}


def page(language: Language, probes: Iterable[Probe] = PROBES) -> str:
    """Write the page of findings."""
    rows = list(probes)
    parts = [_PREFACE.said_in(language)]
    for group in Group:
        of_group = [one for one in rows if one.group is group]
        if of_group:
            title = words.GROUPS[group].said_in(language)
            parts += [
                f"## {title[0].upper()}{title[1:]}\n",
                *_table(of_group, language),
            ]
            parts += [_probe(one, language) for one in of_group]
    return "\n".join(parts)


def _table(probes: list[Probe], language: Language) -> Iterator[str]:
    heads = (words.FINDING, words.SEVERITY)
    first, second = (one.said_in(language) for one in heads)
    yield f"| | {first} | {second} |\n| --- | --- | --- |"
    for one in sorted(probes, key=lambda probe: GRAVEST_FIRST[probe.severity]):
        severity = words.SEVERITIES[one.severity].said_in(language)
        title = _plain(one.title.said_in(language)).replace("|", "\\|")
        yield f"| [{one.id}](#{one.id.lower()}) | {title} | {severity} |"
    yield ""


def _probe(probe: Probe, language: Language) -> str:
    severity = words.SEVERITIES[probe.severity].said_in(language)
    needs = ", ".join(_NEEDS[one] for one in Need if one in probe.needs)
    parts = [
        f"### {probe.id}\n",
        f"**{_plain(probe.title.said_in(language))}** ({severity})\n",
    ]
    for label, said in (
        (words.SOUND, _plain(probe.safe.said_in(language))),
        (words.ADVICE, _plain(probe.advice.said_in(language))),
        (words.NEEDS, needs),
        (words.REFERENCES, _plain(", ".join(probe.references))),
    ):
        if said:
            parts.append(f"- {label.said_in(language)}: {said}")
    if probe.wire:
        lines = "\n".join(f"    {harmless(line)}" for line in probe.wire)
        parts.append(f"\n{words.WIRE.said_in(language)}:\n\n{lines}")
    return "\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Keep Markdown from reading tags into addresses such as ``<a@b>``."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("*", "\\*")


def pages() -> dict[str, str]:
    """Every file of this reference, by name."""
    made = {name: page(language) for language, name in _FILES.items()}
    return made | {"audit.schema.json": schema()}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, content in pages().items():
        (folder / name).write_text(content, encoding="utf-8")
