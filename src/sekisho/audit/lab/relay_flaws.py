"""Servers that relay for strangers, each by one way of writing an address.

A relay flaw is mostly a reading: octets behind ``RCPT TO:`` in, the foreign mailbox out
that a server with the flaw sends the message to; None for what it reads like anybody.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from sekisho.audit.lab import sound
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.manners import SOUND, Command, Manners
from sekisho.audit.lab.session import LabSession
from sekisho.audit.lab.verbs import rcpt
from sekisho.model.text import Text

Reading = Callable[[bytes], bytes | None]


def _inside(argument: bytes) -> bytes:
    """Give what stands in the angle brackets, parameters left out."""
    return argument.partition(b"<")[2].rpartition(b">")[0]


def _reads(reading: Reading, base: Manners = SOUND) -> Manners:
    """Make manners that take what the reading finds, and send it there."""

    def knows(session: LabSession, argument: bytes) -> bytes:
        found = reading(argument)
        return base.knows(session, argument) if found is None else sound.TAKEN

    def leads_to(argument: bytes) -> bytes:
        found = reading(argument)
        return base.leads_to(argument) if found is None else found

    return replace(base, knows=knows, leads_to=leads_to)


def _found(pattern: bytes, mailbox: bytes = rb"\1@\2") -> Reading:
    """Read a mailbox out of what stands in the brackets, where all of it fits."""
    compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL)

    def reading(argument: bytes) -> bytes | None:
        found = compiled.fullmatch(_inside(argument) or argument)
        return found.expand(mailbox) if found else None

    return reading


def _trusts(pattern: bytes) -> Manners:
    """Make manners that relay for senders of a kind."""
    kind = re.compile(pattern, re.IGNORECASE | re.DOTALL)

    def takes_sender(session: LabSession, argument: bytes) -> bytes:
        reply = sound.takes_sender(session, argument)
        return b"250 2.1.0 sender ok" if kind.match(argument) else reply

    def knows(session: LabSession, argument: bytes) -> bytes:
        reply = sound.knows(session, argument)
        trusted = kind.match(session.sender or b"")
        return sound.TAKEN if trusted and reply == sound.RELAYING_DENIED else reply

    return replace(SOUND, takes_sender=takes_sender, knows=knows)


def _split_at_the_first_at(argument: bytes) -> bytes | None:
    """Forget quotes, and all behind the second @."""
    inside = _inside(argument)
    local, _, rest = inside.partition(b"@")
    domain = re.split(rb"[@(]", rest)[0]
    several = inside.count(b"@") > 1 and not inside.startswith((b"@", b'"'))
    return local + b"@" + domain if several and b"%" not in inside else None


def _after_comments(argument: bytes) -> bytes | None:
    """Take comments and blanks out, as mail headers have it."""
    inside = _inside(argument)
    bare = re.sub(rb"\([^)]*\)|\s", b"", inside)
    return bare if bare != inside and not bare.endswith(b"@lab.test") else None


def _folded(argument: bytes) -> bytes | None:
    """Squeeze every character into eight bits, or into ASCII by its looks."""
    text = _inside(argument).decode("utf-8", "surrogateescape")
    if text.isascii() or not re.search("[\udcc1\uff20\ufe6b\u0140]", text):
        return None
    folded = re.sub("\udcc1\udc80|[\uff20\ufe6b\u0140]", "@", text)
    local, _, domain = folded.partition("@")
    return f"{local}@{domain.partition('@')[0]}".encode("utf-8", "replace")


def _of_other_scripts(argument: bytes) -> bytes | None:
    """Take every domain with something else than plain ASCII in it for known."""
    inside = _inside(argument)
    domain = inside.rpartition(b"@")[2]
    odd = not domain.isascii() or b"xn--" in domain.lower()
    return inside if odd else None


def _looks_own(argument: bytes) -> bytes | None:
    """Ask only whether the own name stands somewhere in the domain."""
    inside = _inside(argument)
    local, _, domain = inside.rpartition(b"@")
    look = domain.lower() != sound.DOMAIN and sound.DOMAIN in domain.lower()
    return inside if b"audit-" in local and look else None


def _decapsulated(argument: bytes) -> bytes | None:
    """Turn +40 into an @, and so on; the octets are ASCII."""
    found = re.fullmatch(rb"IMCEASMTP-([^@]+)@.*", _inside(argument))
    if found is None:
        return None
    return re.sub(
        rb"\+([0-9A-Fa-f]{2})", lambda pair: bytes.fromhex(pair[1].decode()), found[1]
    )


def _has_parameters(argument: bytes) -> bytes | None:
    """Take a recipient with parameters for one that another server has checked."""
    return _inside(argument) if b"> " in argument else None


def _without_brackets(argument: bytes) -> bytes | None:
    """Look for the last thing that resembles a mailbox."""
    odd = not re.fullmatch(rb"<[^<> ;]*>(?: [A-Za-z].*)?", argument)
    found = re.findall(rb"[\w+-]*audit-\w+@[\w.]+", argument)
    return found[-1] if odd and found and b'"' not in argument else None


def _run_program(argument: bytes) -> bytes | None:
    """Run what stands behind a bar, as old servers do; here it is only pretended."""
    found = re.search(rb"\|\S+ ([^\"@]+@[^\"@]+)\"", argument)
    return found[1] if found else None


def _commands(**commands: Command) -> Manners:
    return replace(SOUND, commands=commands)


async def _rcpt_first(session: LabSession, argument: bytes) -> bytes | None:
    """RCPT without MAIL begins a transaction, and asks nothing."""
    if session.sender is not None:
        return await rcpt(session, argument)
    session.sender = b"<>"
    session.recipients.append(argument[3:])
    return sound.TAKEN


async def _remembering_rcpt(session: LabSession, argument: bytes) -> bytes | None:
    """Refuse, and keep the recipient nevertheless."""
    reply = await rcpt(session, argument)
    if reply == sound.RELAYING_DENIED:
        session.recipients.append(argument[3:])
    return reply


async def _rcpt_beside(session: LabSession, argument: bytes) -> bytes | None:
    """Take everybody once one good recipient is there."""
    reply = await rcpt(session, argument)
    if reply == sound.RELAYING_DENIED and session.recipients:
        session.recipients.append(argument[3:])
        return sound.TAKEN
    return reply


async def _rcpt_in_a_batch(session: LabSession, argument: bytes) -> bytes | None:
    """Take what comes with more behind it for the mail of a known server."""
    if session.sender is not None and session.input:
        session.recipients.append(argument[3:])
        return sound.TAKEN
    return await rcpt(session, argument)


async def _looked_up(session: LabSession, argument: bytes) -> bytes | None:
    """Take what was looked up for allowed."""
    session.looked_up = argument
    return b"250 2.1.5 <" + argument + b">"


async def _rcpt_after_looking(session: LabSession, argument: bytes) -> bytes | None:
    reply = await rcpt(session, argument)
    if reply == sound.RELAYING_DENIED and session.looked_up:
        session.recipients.append(argument[3:])
        return sound.TAKEN
    return reply


async def _turned(session: LabSession, argument: bytes) -> bytes | None:
    del session, argument
    return b"250 2.0.0 done"


def _takes_all_of_its_own(session: LabSession, argument: bytes) -> bytes:
    """Find out only later who exists."""
    reply = sound.knows(session, argument)
    return sound.TAKEN if reply == sound.NO_SUCH_USER else reply


def _flaw(name: str, title: tuple[str, str], probes: str, manners: Manners) -> Flaw:
    ids = tuple(f"RLY-{number}" for number in probes.split())
    return Flaw(name=name, title=Text(*title), probes=ids, manners=manners)


_OLD_VERBS: Mapping[str, Command] = dict.fromkeys(
    ("TURN", "ATRN", "DEBUG", "WIZ", "KILL"), _turned
)

RELAY_FLAWS: tuple[Flaw, ...] = (
    _flaw(
        "open-relay",
        ("Takes every recipient from everybody", "誰からのどの宛先も受理"),
        "001 002 003 004 021 022 023 024",
        _reads(_found(rb"([^@\"!%<>]+)@([\w.-]+)")),
    ),
    _flaw(
        "trusts-null-sender",
        ("Relays bounces, and what looks like one", "バウンスを装えば中継"),
        "001 024",
        _trusts(rb"<>"),
    ),
    _flaw(
        "trusts-own-senders",
        ("Relays for senders of its own domain", "自ドメインの送信者なら中継"),
        "003 022 023",
        _trusts(rb"<[^>]*@lab\.test>"),
    ),
    _flaw(
        "trusts-literal-senders",
        ("Relays for senders at its own address", "自アドレスの送信者なら中継"),
        "004 022",
        _trusts(rb"<[^>]*@\[127\.0\.0\.1\]>"),
    ),
    _flaw(
        "trusts-unqualified-senders",
        ("Relays for senders without a domain", "ドメインのない送信者なら中継"),
        "020",
        _trusts(rb"<[^@>]+>"),
    ),
    _flaw(
        "trusts-localhost",
        ("Relays for senders at localhost", "localhost の送信者なら中継"),
        "021",
        _trusts(rb"<[^>]*@localhost"),
    ),
    _flaw(
        "percent-hack",
        ("Routes local parts by %", "ローカル部の % を経路として解釈"),
        "005 006 008 026",
        _reads(_found(rb'"?([^%"@]+)%(?:40)?([^%"@]+)(?:%lab\.test)?"?(?:@.*)?')),
    ),
    _flaw(
        "bang-path",
        ("Routes local parts by !", "ローカル部の ! を経路として解釈"),
        "014 015 016 027",
        _reads(
            _found(rb"(?:lab\.test!)?([^!@]+)!([^!@%]+)(?:%[^@]*)?(?:@.*)?", rb"\2@\1")
        ),
    ),
    _flaw(
        "quotes-stripped",
        ("Reads addresses out of quoted local parts", "引用符内のアドレスを宛先と解釈"),
        "007 010 029",
        _reads(_found(rb'"([^"@\\]+)\\?@([^" ]+)[^"]*"(?:@.*)?')),
    ),
    _flaw(
        "first-at",
        ("Ends the domain at the second @", "二つ目の @ でドメインを打ち切り"),
        "009 011 025",
        _reads(_split_at_the_first_at),
    ),
    _flaw(
        "source-routes",
        ("Follows source routes", "ソースルートに従って中継"),
        "012 013 028",
        _reads(_found(rb"@[^:]*:([^@]+)@([^@]+)")),
    ),
    _flaw(
        "comments-stripped",
        ("Takes comments and blanks out of addresses", "コメントと空白を除去して解釈"),
        "030",
        _reads(_after_comments),
    ),
    _flaw(
        "brackets-guessed",
        ("Looks for an address in whatever it is given", "山括弧の異常を推測で補正"),
        "031",
        _reads(_without_brackets),
    ),
    _flaw(
        "encodings-folded",
        ("Folds other encodings into an @", "別符号化の文字を @ に変換"),
        "032",
        _reads(_folded),
    ),
    _flaw(
        "other-scripts",
        ("Lets domains of other scripts pass", "国際化ドメインを無検査で受理"),
        "033",
        _reads(_of_other_scripts),
    ),
    _flaw(
        "domain-by-substring",
        ("Looks for its name anywhere in a domain", "ドメインを部分一致で比較"),
        "034",
        _reads(_looks_own),
    ),
    _flaw(
        "any-literal",
        ("Relays to every address literal", "任意のアドレスリテラルに中継"),
        "035",
        _reads(_found(rb"([^@]*audit-[^@]*)@(\[?[\w:.]*\d\]?)")),
    ),
    _flaw(
        "imcea",
        ("Unpacks encapsulated addresses", "カプセル化アドレスを展開"),
        "036",
        _reads(_decapsulated),
    ),
    _flaw(
        "srs-unchecked",
        (
            "Takes SRS addresses back without a valid hash",
            "SRS のハッシュを無検証で復元",
        ),
        "037",
        _reads(_found(rb"SRS0=[^=]*=[^=]*=([^=]+)=([^@]+)@.*", rb"\2@\1")),
    ),
    _flaw(
        "pipe-recipients",
        ("Runs programs named by recipients", "宛先に書かれたプログラムを実行"),
        "038",
        _reads(_run_program),
    ),
    _flaw(
        "commands-behind-lf",
        ("Reads a second RCPT behind a lone LF", "単独の LF の後ろの RCPT を実行"),
        "039",
        replace(
            _reads(_found(rb"([^@]*audit-[^@]+)@([\w.]+)")),
            command_ends=re.compile(rb"\r\n|\n|\r"),
            command_refuses=re.compile(rb"\0"),
        ),
    ),
    _flaw(
        "parameters-trusted",
        (
            "Takes recipients with parameters unchecked",
            "パラメーター付きの宛先を無検査で受理",
        ),
        "040",
        _reads(_has_parameters),
    ),
    _flaw(
        "rcpt-first",
        ("Takes RCPT before MAIL", "MAIL より前の RCPT を受理"),
        "041",
        _commands(RCPT=_rcpt_first),
    ),
    _flaw(
        "refused-recipients-kept",
        ("Keeps the recipients that it refused", "拒否した宛先を保持"),
        "041-DATA 041-BDAT 041-MIXED",
        _commands(RCPT=_remembering_rcpt),
    ),
    _flaw(
        "one-good-recipient",
        (
            "One good recipient lets all others pass",
            "正当な宛先が一つあれば全宛先を受理",
        ),
        "041-MIXED",
        _commands(RCPT=_rcpt_beside),
    ),
    _flaw(
        "batches-trusted",
        ("Asks nothing of pipelined recipients", "パイプラインの宛先を無検査で受理"),
        "042",
        _commands(RCPT=_rcpt_in_a_batch),
    ),
    _flaw(
        "old-verbs",
        (
            "Does TURN, DEBUG, WIZ and KILL for strangers",
            "TURN・DEBUG などを誰にでも実行",
        ),
        "043",
        _commands(**_OLD_VERBS),
    ),
    _flaw(
        "looked-up-allowed",
        ("Relays to what was asked of VRFY", "VRFY で照会した宛先に中継"),
        "044",
        _commands(VRFY=_looked_up, RCPT=_rcpt_after_looking),
    ),
    _flaw(
        "backscatter",
        (
            "Takes unknown users, and returns the mail later",
            "未知の宛先を受理して後から返送",
        ),
        "046",
        replace(SOUND, knows=_takes_all_of_its_own, bounces=True),
    ),
)
