"""The facts that conditions may ask about: one row a fact.

A row says how the fact is spelled in an inventory, of which kind it is, which words it
may have, and what to look for when it is missing. A fact that is not there is *not
known*; nothing here ever stands for "no".
"""

import re
from dataclasses import dataclass
from enum import Enum

from sekisho.advisory.products import product_named
from sekisho.model.text import Text

Value = str | int | bool | frozenset[str] | frozenset[int]
UNTOLD = "unknown"
"""Spells "not known" for any fact, as leaving it out does."""
MAX_TEXT = 256
MAX_MEMBERS = 10_000
MAX_PORT = 65_535
MAX_SERVICE_PACK = 99
NO_VERSION = "none"


class FactError(ValueError):
    """A value that the fact cannot have; says so in a few words."""


class Kind(Enum):
    """What a fact's value is."""

    WORD = "one of a few words"
    NAME = "text"
    PRODUCT = "the name of an operating system"
    VERSION = "a version"
    EXCHANGE = "a version of Exchange, or none"
    NUMBER = "a whole number"
    YES_NO = "true or false"
    KEYS = "registry keys"
    PORTS = "ports"
    CODES = "codes"


@dataclass(frozen=True, slots=True)
class Fact:
    """A row.

    Attributes:
        name: Its path in a host's description.
        kind: What its value is.
        says: What is to be found out.
        words: The words it may have, of a `Kind.WORD`; the usual ones, of others.
        given: Whether an inventory may tell it; what is not given is found by us.

    """

    name: str
    kind: Kind
    says: Text
    words: tuple[str, ...] = ()
    given: bool = True


FACTS = (
    Fact(
        "os.product",
        Kind.PRODUCT,
        Text("which operating system runs", "オペレーティング システムの種類"),
    ),
    Fact(
        "os.edition",
        Kind.NAME,
        Text("which edition of it", "オペレーティング システムのエディション"),
        ("Professional", "Server", "Advanced Server", "Datacenter Server"),
    ),
    Fact(
        "os.service_pack",
        Kind.NUMBER,
        Text(
            "which service pack is installed, 0 for none",
            "適用されている Service Pack の番号 (なければ 0)",
        ),
    ),
    Fact(
        "os.language",
        Kind.NAME,
        Text("the language of the system", "システムの言語"),
    ),
    Fact(
        "os.hardware",
        Kind.NAME,
        Text("pcat or pc98", "PC/AT 互換機か PC-9800 か"),
    ),
    Fact(
        "smtp.installed",
        Kind.YES_NO,
        Text(
            "whether the system's SMTP service is installed",
            "SMTP サービスがインストールされているか",
        ),
    ),
    Fact(
        "smtp.state",
        Kind.WORD,
        Text(
            "whether the SMTP service runs now",
            "SMTP サービスが実行中か",
        ),
        ("running", "stopped"),
    ),
    Fact(
        "smtp.start_type",
        Kind.WORD,
        Text(
            "how the SMTP service starts",
            "SMTP サービスのスタートアップの種類",
        ),
        ("auto", "manual", "disabled"),
    ),
    Fact(
        "smtp.ports",
        Kind.PORTS,
        Text(
            "all ports on which the SMTP service listens",
            "SMTP サービスが待ち受けるすべてのポート",
        ),
    ),
    Fact(
        "domain_role",
        Kind.WORD,
        Text(
            "whether it stands alone or belongs to a domain",
            "スタンドアロンか、ドメインに属しているか",
        ),
        ("standalone", "member", "domain-controller"),
    ),
    Fact(
        "exchange",
        Kind.EXCHANGE,
        Text(
            "which Exchange is on the host, or none",
            "ホスト上の Exchange のバージョン (なければ none)",
        ),
    ),
    Fact(
        "exchange_mail_service",
        Kind.WORD,
        Text(
            "whether Exchange's own internet mail service is there",
            "Exchange のインターネット メール サービスの有無",
        ),
        ("present", "absent"),
    ),
    Fact(
        "firewall_internet_25",
        Kind.WORD,
        Text(
            "whether port 25 can be reached from the internet",
            "インターネットからポート 25 に届くか",
        ),
        ("open", "blocked"),
    ),
    Fact(
        "needs_smtp",
        Kind.YES_NO,
        Text(
            "whether anybody needs the SMTP service",
            "SMTP サービスが必要か",
        ),
    ),
    Fact(
        "web_server",
        Kind.YES_NO,
        Text("whether it is a web server", "Web サーバーかどうか"),
    ),
    Fact(
        "patch.registry_keys",
        Kind.KEYS,
        Text(
            "which keys of updates the registry holds, all of them",
            "レジストリにある更新プログラムのキー (すべて)",
        ),
    ),
    Fact(
        "patch.filelist",
        Kind.WORD,
        Text(
            "how the files compare with the update's list of files",
            "更新プログラムのファイル一覧と実際のファイルとの比較",
        ),
        ("match", "older", "newer", "absent"),
    ),
    Fact(
        "patch.reboot_pending",
        Kind.YES_NO,
        Text(
            "whether the host still has to restart after an update",
            "更新後の再起動が済んでいないか",
        ),
    ),
    Fact(
        "probe.flawed",
        Kind.CODES,
        Text(
            "which probes of an audit succeeded",
            "監査で成功した検査",
        ),
        given=False,
    ),
    Fact(
        "sekisho.version",
        Kind.VERSION,
        Text("which Sekisho is installed", "導入されている Sekisho の版"),
        given=False,
    ),
    Fact(
        "sekisho.settings",
        Kind.CODES,
        Text(
            "what the configuration turns on, as `table.key=value`",
            "設定ファイルで有効な項目 (`table.key=value`)",
        ),
        given=False,
    ),
    Fact(
        "answer.verdict",
        Kind.WORD,
        Text("the verdict", "判定"),
        ("affected", "unknown", "mitigated", "not_affected", "fixed"),
        given=False,
    ),
    Fact(
        "answer.scope",
        Kind.WORD,
        Text("the scope of the mitigation", "緩和の範囲"),
        ("all", "internet-only", "none"),
        given=False,
    ),
    Fact(
        "answer.reasons",
        Kind.CODES,
        Text("the reasons that hold", "成り立つ理由"),
        given=False,
    ),
    Fact(
        "answer.missing",
        Kind.CODES,
        Text("the facts that are missing", "不足している事実"),
        given=False,
    ),
)
BY_NAME = {fact.name: fact for fact in FACTS}
PATCH_STATE = "patch.state"
MISSING_TEXTS = {fact.name: fact.says for fact in FACTS} | {
    PATCH_STATE: Text(
        "what of the evidence about the update is right: it contradicts itself",
        "更新プログラムの状態 (証拠が互いに矛盾している)",
    )
}

_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,3}")
_EXCHANGE = re.compile(
    r"(?:microsoft )?(?:exchange )?(?:server )?"
    r"(?P<major>\d{1,4})(?:\.(?P<minor>\d{1,5}))?\b.{0,32}",
    re.IGNORECASE,
)
_EXCHANGE_SOLD_AS = {"6.0": "2000", "6.5": "2003"}
_FIRST_YEAR = 2000
_HIVES = {"HKLM": "HKEY_LOCAL_MACHINE", "HKCU": "HKEY_CURRENT_USER"}


def registry_key(text: str) -> str:
    """Give the one spelling of a registry key: they are alike in any case."""
    hive, _, rest = text.strip().rstrip("\\").upper().partition("\\")
    return f"{_HIVES.get(hive, hive)}\\{rest}"


def version_numbers(text: str) -> tuple[int, ...] | None:
    """Give a version as numbers to compare; None for "none"."""
    if text == NO_VERSION:
        return None
    return tuple(int(one) for one in text.split("."))


def read_fact(fact: Fact, raw: object) -> Value | None:
    """Take a value as an inventory spells it; None where it says "not known".

    Raises:
        FactError: The fact cannot have this value.

    """
    told = not isinstance(raw, str) or raw.strip().lower() != UNTOLD
    if raw is None or (fact.given and not told):
        return None
    return _READERS[fact.kind](fact, raw)


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise FactError("is not text")
    if len(raw) > MAX_TEXT:
        raise FactError(f"is longer than {MAX_TEXT} characters")
    return raw.strip()


def _name(fact: Fact, raw: object) -> Value | None:
    name = _text(raw)
    usual = {word.lower(): word for word in fact.words}
    return usual.get(name.lower(), name) or None


def _product(fact: Fact, raw: object) -> Value | None:
    del fact
    return product_named(_text(raw))


def _word(fact: Fact, raw: object) -> Value:
    word = _text(raw).lower()
    if word not in fact.words:
        raise FactError(f"is none of: {', '.join(fact.words)}")
    return word


def _version(fact: Fact, raw: object) -> Value:
    del fact
    text = _text(raw)
    if not _VERSION.fullmatch(text):
        raise FactError("is not a version such as 1.2.3")
    return text


def _exchange(fact: Fact, raw: object) -> Value:
    del fact
    is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
    text = _text(str(raw) if is_number else raw)
    if text.lower() == NO_VERSION:
        return NO_VERSION
    found = _EXCHANGE.fullmatch(text)
    if found is None:
        raise FactError('is neither "none" nor a version such as 5.5')
    if int(found["major"]) >= _FIRST_YEAR:
        return found["major"]
    version = f"{int(found['major'])}.{int((found['minor'] or '0')[:1])}"
    return _EXCHANGE_SOLD_AS.get(version, version)


def _number(fact: Fact, raw: object) -> Value:
    del fact
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise FactError("is not a whole number")
    if not 0 <= raw <= MAX_SERVICE_PACK:
        raise FactError(f"is not from 0 to {MAX_SERVICE_PACK}")
    return raw


def _yes_no(fact: Fact, raw: object) -> Value:
    del fact
    if not isinstance(raw, bool):
        raise FactError("is neither true nor false")
    return raw


def _members(raw: object) -> list[object]:
    if not isinstance(raw, list | tuple | set | frozenset):
        raise FactError("is not a list")
    members: list[object] = list(raw)  # pyright: ignore[reportUnknownArgumentType]
    if len(members) > MAX_MEMBERS:
        raise FactError(f"has more than {MAX_MEMBERS} members")
    return members


def _keys(fact: Fact, raw: object) -> Value:
    del fact
    return frozenset(registry_key(_text(one)) for one in _members(raw))


def _codes(fact: Fact, raw: object) -> Value:
    del fact
    return frozenset(_text(one) for one in _members(raw))


def _ports(fact: Fact, raw: object) -> Value:
    del fact
    return frozenset(_port(one) for one in _members(raw))


def _port(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 1 <= raw <= MAX_PORT:
        raise FactError(f"has a member that is no port from 1 to {MAX_PORT}")
    return raw


_READERS = {
    Kind.WORD: _word,
    Kind.NAME: _name,
    Kind.PRODUCT: _product,
    Kind.VERSION: _version,
    Kind.EXCHANGE: _exchange,
    Kind.NUMBER: _number,
    Kind.YES_NO: _yes_no,
    Kind.KEYS: _keys,
    Kind.PORTS: _ports,
    Kind.CODES: _codes,
}
