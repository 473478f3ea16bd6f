"""An advisory as a CSAF 2.0 document, for programs that collect advisories.

The document is ours and says so: it restates a bulletin in our own words, so the
publisher is whoever issues it and the source stands among the references. There is one
document a language. The English one is the original; the Japanese one is a translation
and is marked as CSAF marks one: its `source_lang` is English, its tracking id is its
own, and it refers to the original.

The same advisory gives the same octets: no clock, no host and no version of ours goes
in; times are those of the file's own revisions.

What has a fault is a `csaf_security_advisory`; a file without any (Sekisho's own, as
long as that is so) is a `csaf_base` document, which has no vulnerabilities.

Statuses: what the source calls affected is `known_affected`, with each update as its
remediation; what it calls unaffected is `known_not_affected`, with the reason; a
product with an update installed on it is `fixed`. What merely keeps attackers away is
a remediation of the affected, and no status: somebody can undo it.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from sekisho.advisory.bulletin import Bulletin, Product, Update
from sekisho.model.text import Language, Text

ORIGINAL = Language.ENGLISH
_FIXED = "with-"
_NOT_THERE = "vulnerable_code_not_present"
_FILE = re.compile(r"[^+\-a-z0-9]+")
_CVE = re.compile(r"(?:CVE|CAN)-(\d{4}-\d{4,})\Z")

_DETAILS = Text("Details", "技術的な詳細")
_SUMMARY = Text("Summary", "概要")
_TESTED = Text("Tested versions", "テストしたバージョン")
_VERIFY = Text("How to verify the installation", "インストールの確認方法")
_PLATFORMS = Text("Where the update can be installed", "適用できる環境")
_CONTAINS = Text("Earlier corrections in it", "含まれる過去の修正")
_SUPERSEDED = Text("What supersedes it", "置き換える更新プログラム")
_CAVEATS = Text("Caveats", "注意")
_UNSETTLED = Text("What the source leaves open", "原典で決まっていないこと")
_HISTORY = Text("History of the source", "原典の更新履歴")
_SOURCE = Text("The document that this one restates", "この文書のもとになった文書")
_SELF = Text("This document", "この文書")
_WITH = Text("{product} with {update}", "{update} を適用した {product}")
_ORIGINAL_IS = Text(
    "Original document in English: {id}", "英語の原文書 (Original document): {id}"
)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who issues the document.

    Attributes:
        name: As people know them.
        namespace: A URI of theirs; documents are found below it.

    """

    name: str = "Sekisho"
    namespace: str = "https://sekisho.example"


def csaf_document(
    bulletin: Bulletin,
    language: Language = ORIGINAL,
    publisher: Publisher | None = None,
) -> bytes:
    """Write the document: JSON in UTF-8, with a line feed at its end."""
    value = _Writer(bulletin, language, publisher or Publisher()).whole()
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def csaf_file_name(bulletin: Bulletin, language: Language = ORIGINAL) -> str:
    """What CSAF has the file be called (section 5.1)."""
    return _FILE.sub("_", _tracking_id(bulletin, language).lower()) + ".json"


def _tracking_id(bulletin: Bulletin, language: Language) -> str:
    name = bulletin.id if bulletin.id.upper().startswith("SEKISHO") else ""
    own = name or f"SEKISHO-{bulletin.id}"
    return own if language is ORIGINAL else f"{own}-{language.value}"


class _Writer:
    """One document in one language."""

    def __init__(
        self, bulletin: Bulletin, language: Language, publisher: Publisher
    ) -> None:
        self._bulletin = bulletin
        self._language = language
        self._publisher = publisher
        self._has_fault = bool(bulletin.affected)

    def whole(self) -> dict[str, Any]:
        document = {"document": self._document()}
        if not self._has_fault:
            return document
        return {
            **document,
            "product_tree": self._product_tree(),
            "vulnerabilities": self._vulnerabilities(),
        }

    def _say(self, text: Text, **values: str) -> str:
        return (
            text.said_in(self._language).format(**values)
            if values
            else (text.said_in(self._language))
        )

    def _document(self) -> dict[str, Any]:
        bulletin = self._bulletin
        kind = "csaf_security_advisory" if self._has_fault else "csaf_base"
        is_original = self._language is ORIGINAL
        origin = {} if is_original else {"source_lang": ORIGINAL.value}
        category = "other" if is_original else "translator"
        return {
            **self._acknowledgments(),
            "aggregate_severity": {"text": self._say(bulletin.severity.words)},
            "category": kind,
            "csaf_version": "2.0",
            "distribution": {"tlp": {"label": "WHITE"}},
            "lang": self._language.value,
            "notes": self._notes(),
            "publisher": {
                "category": category,
                "name": self._publisher.name,
                "namespace": self._publisher.namespace,
            },
            "references": self._references(),
            **origin,
            "title": f"{bulletin.id}: {self._say(bulletin.title)}",
            "tracking": self._tracking(),
        }

    def _acknowledgments(self) -> dict[str, Any]:
        thanks = [
            {"summary": self._say(one)} for one in self._bulletin.acknowledgements
        ]
        return {"acknowledgments": thanks} if thanks else {}

    def _tracking(self) -> dict[str, Any]:
        bulletin = self._bulletin
        revisions = bulletin.revisions
        tracking_id = _tracking_id(bulletin, self._language)
        aliases = [bulletin.id] if bulletin.id != tracking_id else []
        return {
            **({"aliases": aliases} if aliases else {}),
            "current_release_date": _instant(revisions[-1].date),
            "id": tracking_id,
            "initial_release_date": _instant(revisions[0].date),
            "revision_history": [
                {
                    "date": _instant(one.date),
                    "number": str(one.number),
                    "summary": self._say(one.text),
                }
                for one in revisions
            ],
            "status": "final",
            "version": str(revisions[-1].number),
        }

    def _notes(self) -> list[dict[str, str]]:
        bulletin = self._bulletin
        history = [
            f"{one.date.isoformat()}: {self._say(one.text)}" for one in bulletin.history
        ]
        summary = [bulletin.audience, bulletin.impact, bulletin.recommendation]
        rows = (
            ("summary", _SUMMARY, summary),
            ("details", _DETAILS, bulletin.details),
            ("general", _TESTED, [bulletin.tested]),
            ("general", _PLATFORMS, bulletin.platforms),
            ("general", _CONTAINS, [bulletin.contains_text]),
            ("general", _SUPERSEDED, [bulletin.superseded_text]),
            ("other", _CAVEATS, bulletin.caveats),
            ("other", _UNSETTLED, bulletin.unsettled),
        )
        notes = [self._note(kind, title, texts) for kind, title, texts in rows if texts]
        notes += [
            {
                "category": "faq",
                "text": self._say(one.answer),
                "title": self._say(one.question),
            }
            for one in bulletin.questions
        ]
        if verify := [self._verification(one) for one in bulletin.verification]:
            notes.append(_note("general", self._say(_VERIFY), verify))
        if history:
            notes.append(_note("other", self._say(_HISTORY), history))
        return notes

    def _note(self, kind: str, title: Text, texts: Sequence[Text]) -> dict[str, str]:
        return _note(kind, self._say(title), [self._say(one) for one in texts])

    def _verification(self, one: Any) -> str:  # noqa: ANN401 - msgspec's struct
        return "\n".join(filter(None, (one.key, one.files, self._say(one.text))))

    def _references(self) -> list[dict[str, str]]:
        bulletin = self._bulletin
        own = csaf_file_name(bulletin, self._language)
        year = bulletin.revisions[0].date.year
        base = f"{self._publisher.namespace.rstrip('/')}/white/{year}"
        references = [_reference("self", self._say(_SELF), f"{base}/{own}")]
        if self._language is not ORIGINAL:
            original = csaf_file_name(bulletin)
            says = self._say(_ORIGINAL_IS, id=_tracking_id(bulletin, ORIGINAL))
            references.append(_reference("external", says, f"{base}/{original}"))
        external = [(self._say(_SOURCE), one) for one in bulletin.source.addresses]
        external += [(self._say(one.title), one.address) for one in bulletin.references]
        seen: set[str] = set()
        for title, address in external:
            if _is_address(address) and address not in seen:
                seen.add(address)
                references.append(_reference("external", title, address))
        return references

    def _product_tree(self) -> dict[str, Any]:
        vendors: dict[str, list[dict[str, Any]]] = {}
        for one in [*self._bulletin.affected, *self._bulletin.unaffected]:
            vendors.setdefault(one.vendor, []).append(_product_branch(one))
        makers = {one.id: one.vendor for one in self._bulletin.affected}
        for update in self._installable():
            vendor = makers[update.products[0]]
            vendors[vendor].append(_update_branch(update))
        tree: dict[str, Any] = {
            "branches": [
                {"branches": products, "category": "vendor", "name": vendor}
                for vendor, products in vendors.items()
            ]
        }
        if relationships := self._relationships():
            tree["relationships"] = relationships
        return tree

    def _installable(self) -> list[Update]:
        """The updates that can be had somewhere, on something that is affected."""
        affected = {one.id for one in self._bulletin.affected}
        return [
            one
            for one in self._bulletin.updates
            if (one.address or one.package) and affected.intersection(one.products[:1])
        ]

    def _relationships(self) -> list[dict[str, Any]]:
        names = {one.id: _name(one) for one in self._bulletin.affected}
        return [
            {
                "category": "installed_on",
                "full_product_name": {
                    "name": self._say(_WITH, product=names[product], update=one.id),
                    "product_id": f"{product}-{_FIXED}{one.id}",
                },
                "product_reference": one.id,
                "relates_to_product_reference": product,
            }
            for one in self._installable()
            for product in one.products
            if product in names
        ]

    def _vulnerabilities(self) -> list[dict[str, Any]]:
        numbers = [f"CVE-{found[1]}" for one in self._bulletin.cve
                   if (found := _CVE.match(one))]  # fmt: skip
        return [self._vulnerability(number) for number in numbers or [""]]

    def _vulnerability(self, cve: str) -> dict[str, Any]:
        bulletin = self._bulletin
        ids = [
            {"system_name": f"{bulletin.source.publisher}", "text": bulletin.id},
            *({"system_name": "Knowledge Base", "text": one} for one in bulletin.kb),
        ]
        vulnerability: dict[str, Any] = {
            **({"cve": cve} if cve else {}),
            **self._flags(),
            "ids": ids,
            "notes": [self._note("description", _DETAILS, bulletin.details)],
            "product_status": self._statuses(),
            "release_date": _instant(bulletin.published),
            "remediations": self._remediations(),
            "threats": self._threats(),
            "title": self._say(bulletin.title),
        }
        return vulnerability

    def _statuses(self) -> dict[str, list[str]]:
        fixed = [
            one["full_product_name"]["product_id"] for one in self._relationships()
        ]
        rows = (
            ("fixed", fixed),
            ("known_affected", _ids(self._bulletin.affected)),
            ("known_not_affected", _ids(self._bulletin.unaffected)),
        )
        return {status: products for status, products in rows if products}

    def _flags(self) -> dict[str, Any]:
        unaffected = _ids(self._bulletin.unaffected)
        if not unaffected:
            return {}
        return {"flags": [{"label": _NOT_THERE, "product_ids": unaffected}]}

    def _remediations(self) -> list[dict[str, Any]]:
        affected = _ids(self._bulletin.affected)
        mitigations = [
            {
                "category": "mitigation",
                "details": self._say(one),
                "product_ids": affected,
            }
            for one in self._bulletin.mitigations
        ]
        return [self._fix(one) for one in self._bulletin.updates] + mitigations

    def _fix(self, update: Update) -> dict[str, Any]:
        affected = set(_ids(self._bulletin.affected))
        restart = self._bulletin.restart
        about = (update.id, update.package, ", ".join(update.editions))
        details = [" / ".join(filter(None, about)), self._say(update.text)]
        address = {"url": update.address} if _is_address(update.address) else {}
        return {
            "category": "vendor_fix",
            "details": "\n".join([*details, self._say(update.requires)]),
            "product_ids": [one for one in update.products if one in affected],
            "restart_required": {
                "category": "system" if restart.required else "none",
                "details": self._say(restart.text),
            },
            **address,
        }

    def _threats(self) -> list[dict[str, Any]]:
        bulletin = self._bulletin
        ratings = [
            f"{one.product}: {self._say(one.words)}"
            for one in bulletin.severity.ratings
        ]
        impact = "\n".join([self._say(bulletin.impact), *ratings])
        rows = [(impact, _ids(bulletin.affected))]
        rows += [(self._say(one.why), [one.id]) for one in bulletin.unaffected]
        return [
            {"category": "impact", "details": details, "product_ids": products}
            for details, products in rows
        ]


def _instant(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def _note(kind: str, title: str, texts: Sequence[str]) -> dict[str, str]:
    return {"category": kind, "text": "\n\n".join(texts), "title": title}


def _reference(kind: str, summary: str, address: str) -> dict[str, str]:
    return {"category": kind, "summary": summary, "url": address}


def _is_address(text: str) -> bool:
    return urlsplit(text).scheme in {"http", "https"} and " " not in text


def _ids(products: Sequence[Product]) -> list[str]:
    return [one.id for one in products]


def _name(product: Product) -> str:
    return f"{product.name} {product.version}".strip()


def _product_branch(product: Product) -> dict[str, Any]:
    leaf = {"name": _name(product), "product_id": product.id}
    if not product.version:
        return {"category": "product_name", "name": product.name, "product": leaf}
    version = {
        "category": "product_version",
        "name": product.version,
        "product": leaf,
    }
    return {"branches": [version], "category": "product_name", "name": product.name}


def _update_branch(update: Update) -> dict[str, Any]:
    name = f"{update.id} ({update.package})" if update.package else update.id
    return {
        "category": "patch_level",
        "name": update.id,
        "product": {"name": name, "product_id": update.id},
    }
