"""A bulletin as people read it: its sections in their order, for any medium.

What a medium does with them is its own affair; which section comes after which, and
what stands in it, is said here once. A section with nothing in it is left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sekisho.advisory.bulletin import Bulletin, Product, Update, Verification
from sekisho.model.text import Text


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: Text


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a list."""

    text: Text


@dataclass(frozen=True, slots=True)
class Named:
    """Something with a name before it: a product, a question, a code, a date."""

    name: Text
    texts: Sequence[Text]


@dataclass(frozen=True, slots=True)
class Link:
    """An address, with what it leads to."""

    title: Text
    address: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """What is to be typed or compared exactly: a key, a file."""

    text: str


Block = Paragraph | Item | Named | Link | Verbatim


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it."""

    title: Text
    blocks: Sequence[Block]


def sections(bulletin: Bulletin) -> tuple[Section, ...]:
    """Give the sections that have something in them, in the order of a bulletin."""
    found = (
        (Text("Identity", "識別情報"), _identity(bulletin)),
        (Text("Summary", "概要"), _summary(bulletin)),
        (
            Text("Affected software", "影響を受けるソフトウェア"),
            _all(bulletin.affected),
        ),
        (Text("Details", "技術的な詳細"), _paragraphs(bulletin.details)),
        (
            Text("Mitigating factors", "問題を緩和する要素"),
            _items(bulletin.mitigations),
        ),
        (Text("Severity", "深刻度"), _severity(bulletin)),
        (Text("Tested versions", "テストしたバージョン"), _tested(bulletin)),
        (Text("Questions and answers", "よく寄せられる質問"), _questions(bulletin)),
        (Text("Updates", "更新プログラム"), _updates(bulletin.updates)),
        (
            Text("Where it can be installed", "対象プラットフォーム"),
            _platforms(bulletin),
        ),
        (Text("Restart", "再起動の必要性"), _paragraphs([bulletin.restart.text])),
        (Text("Earlier corrections", "過去の修正"), _contained(bulletin)),
        (Text("What supersedes it", "置き換える更新プログラム"), _superseded(bulletin)),
        (
            Text("How to verify the installation", "インストールの確認方法"),
            _verification(bulletin.verification),
        ),
        (Text("Caveats", "警告"), _items(bulletin.caveats)),
        (Text("How a host is judged", "判定の手順"), _conditions(bulletin)),
        (Text("What to do", "対処"), _actions(bulletin)),
        (
            Text("What the source leaves open", "原典で決まっていないこと"),
            _items(bulletin.unsettled),
        ),
        (Text("Acknowledgements", "謝辞"), _items(bulletin.acknowledgements)),
        (Text("References", "参照"), _references(bulletin)),
        (Text("History of the source", "更新履歴 (原典)"), _history(bulletin)),
        (Text("Revisions of this file", "このファイルの改訂"), _revisions(bulletin)),
    )
    filled = ((title, tuple(blocks)) for title, blocks in found)
    return tuple(Section(title, blocks) for title, blocks in filled if blocks)


def _same(text: str) -> Text:
    return Text(text, text)


def _paragraphs(texts: Iterable[Text]) -> Iterator[Block]:
    return (Paragraph(one) for one in texts)


def _items(texts: Iterable[Text]) -> Iterator[Block]:
    return (Item(one) for one in texts)


def _identity(bulletin: Bulletin) -> Iterator[Block]:
    rows = (
        (Text("Bulletin", "セキュリティ情報"), bulletin.id),
        (Text("CVE", "CVE"), ", ".join(bulletin.cve)),
        (Text("Knowledge Base", "サポート技術情報"), ", ".join(bulletin.kb)),
        (Text("Publisher", "公開元"), bulletin.source.publisher),
        (Text("Published", "公開日"), bulletin.published.isoformat()),
        (Text("Last updated", "最終更新日"), bulletin.updated.isoformat()),
    )
    return (Named(name, [_same(value)]) for name, value in rows if value)


def _summary(bulletin: Bulletin) -> Iterator[Block]:
    yield Named(Text("Whom it concerns", "対象者"), [bulletin.audience])
    yield Named(Text("Impact", "脆弱性の影響"), [bulletin.impact])
    yield Named(Text("Recommendation", "推奨する対応策"), [bulletin.recommendation])


def _all(products: Iterable[Product]) -> Iterator[Block]:
    return (
        Named(_same(f"{one.name} {one.version}".strip()), [one.why]) for one in products
    )


def _severity(bulletin: Bulletin) -> Iterator[Block]:
    yield Paragraph(bulletin.severity.words)
    for one in bulletin.severity.ratings:
        yield Named(_same(one.product), [one.words])


def _tested(bulletin: Bulletin) -> Iterator[Block]:
    yield Paragraph(bulletin.tested)
    yield from _all(bulletin.unaffected)


def _questions(bulletin: Bulletin) -> Iterator[Block]:
    return (Named(one.question, [one.answer]) for one in bulletin.questions)


def _updates(updates: Iterable[Update]) -> Iterator[Block]:
    for one in updates:
        about = filter(None, (one.id, one.hardware, one.language, *one.editions))
        yield Named(_same(", ".join(about)), [one.text, one.requires])
        if one.package:
            yield Verbatim(one.package)
        if one.address:
            yield Link(_same(one.id), one.address)


def _platforms(bulletin: Bulletin) -> Iterator[Block]:
    yield from _items(bulletin.platforms)
    yield from _items(bulletin.included_in)


def _contained(bulletin: Bulletin) -> Iterator[Block]:
    yield Paragraph(bulletin.contains_text)
    yield from (Item(_same(one)) for one in bulletin.contains)


def _superseded(bulletin: Bulletin) -> Iterator[Block]:
    yield Paragraph(bulletin.superseded_text)
    yield from (Item(_same(one)) for one in bulletin.superseded_by)


def _verification(verification: Iterable[Verification]) -> Iterator[Block]:
    for one in verification:
        yield Paragraph(one.text)
        yield Verbatim(one.key)
        if one.files:
            yield Verbatim(one.files)


def _conditions(bulletin: Bulletin) -> Iterator[Block]:
    return (
        Named(_same(one.code), [one.reason, one.section]) for one in bulletin.conditions
    )


def _actions(bulletin: Bulletin) -> Iterator[Block]:
    return (Named(_same(one.spelled), [one.text]) for one in bulletin.actions)


def _references(bulletin: Bulletin) -> Iterator[Block]:
    for one in bulletin.source.addresses:
        yield Link(Text("The source", "原典"), one)
    for one in bulletin.references:
        yield Link(one.title, one.address)


def _history(bulletin: Bulletin) -> Iterator[Block]:
    return (Named(_same(one.date.isoformat()), [one.text]) for one in bulletin.history)


def _revisions(bulletin: Bulletin) -> Iterator[Block]:
    return (
        Named(_same(f"{one.number} ({one.date.isoformat()})"), [one.text])
        for one in bulletin.revisions
    )
