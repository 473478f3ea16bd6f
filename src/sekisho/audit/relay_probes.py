"""Does the server relay for strangers? Section C of the catalogue, RLY-001 to RLY-046.

Not here: RLY-045 (every port and both address families are audited alike), RLY-047
(forwarding rules are the server's inside, and need its accounts), and RLY-048, which is
no probe but how all of these prove what was accepted: the canary (`relaying.prove`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from sekisho.audit import relay_forms as forms
from sekisho.audit import relay_sequences as sequences
from sekisho.audit.probe import Group, Need, Probe
from sekisho.audit.relaying import ask_forms
from sekisho.audit.verdicts import Judgement, Severity
from sekisho.audit.visit import Visit
from sekisho.model.text import Text

_DENY = Text(
    "Accept recipients outside your own domains only from clients that have signed in, "
    "or from addresses that you list one by one.",
    "自ドメイン以外の宛先は、認証済みのクライアントまたは個別に登録したアドレスからだけ"
    "受け付けてください。",
)
_SENDERS = Text(
    "Never let the sender address decide about relaying: anybody can write any sender.",
    "中継の可否を送信者アドレスで決めないでください。送信者は誰でも詐称できます。",
)
_OPAQUE = Text(
    "Do not read routes out of local parts (%, !, quotes, @): decide by the domain of "
    "the final mailbox, and take only users who exist.",
    "ローカル部の %・!・引用符・@ から経路を読み取らず、最終的な宛先のドメインで"
    "判定し、実在する利用者だけを受け付けてください。",
)
_SYNTAX = Text(
    "Refuse recipients that break the grammar of RFC 5321 with 501 or 553; "
    "do not repair them.",
    "RFC 5321 の文法に反する宛先は修復せず、501 または 553 で拒否してください。",
)
_EXACT = Text(
    "Compare domains label by label, in one normal form, with the exact list of yours.",
    "ドメインは正規形にそろえ、ラベル単位で自ドメインの一覧と完全一致で比較してください。",
)
_ORDER = Text(
    "Keep to the order of RFC 5321 §4.1.4, and refuse content that no accepted "
    "recipient wants.",
    "RFC 5321 4.1.4 の順序を守り、受理した宛先のない本文は拒否してください。",
)
_SAFE = Text(
    "Refuses with 550, 553 or 554 5.7.1, on submission ports with 530 5.7.0.",
    "550・553・554 5.7.1(投稿ポートでは 530 5.7.0)で拒否する。",
)
_SAFE_OPAQUE = Text(
    "Refuses: 550 5.1.1 (no such user), 5.7.1 (relaying denied), or 501/553 5.1.3.",
    "550 5.1.1(利用者なし)、5.7.1(中継拒否)、501/553 5.1.3 のいずれかで拒否する。",
)
_SAFE_ORDER = Text(
    "Refuses with 503 5.5.1 or 554 5.5.1, or the recipient with 550 5.7.1.",
    "503 5.5.1・554 5.5.1、または宛先を 550 5.7.1 で拒否する。",
)


def _wire(rows: tuple[forms.Form, ...]) -> tuple[str, ...]:
    lines: list[str] = []
    for form in rows:
        said = (*form.before, f"MAIL FROM:{form.sender}", f"RCPT TO:{form.recipient}")
        lines += [line for line in said if line not in lines]
    return tuple(
        line.encode("ascii", "backslashreplace").decode().replace("\0", "\\x00")
        for line in lines
    )


def _asks(
    id_: str,
    title: tuple[str, str],
    rows: tuple[forms.Form, ...],
    *references: str,
    severity: Severity = Severity.HIGH,
    safe: Text = _SAFE_OPAQUE,
    advice: Text = _OPAQUE,
) -> Probe:
    return Probe(
        id=id_,
        group=Group.RELAY,
        title=Text(*title),
        severity=severity,
        wire=_wire(rows),
        safe=safe,
        advice=advice,
        references=references,
        run=partial(ask_forms, forms=rows),
    )


def _does(
    id_: str,
    title: tuple[str, str],
    run: Callable[[Visit], Awaitable[Judgement]],
    wire: tuple[str, ...],
    *references: str,
    severity: Severity = Severity.HIGH,
) -> Probe:
    return Probe(
        id=id_,
        group=Group.RELAY,
        title=Text(*title),
        severity=severity,
        wire=wire,
        safe=_SAFE_ORDER,
        advice=_ORDER,
        references=references,
        run=run,
    )


_NMAP_TITLES = (
    ("Relays with the null sender", "空の送信者による中継"),
    ("Relays from a foreign sender", "外部の送信者による中継"),
    ("Relays from a sender at the server's name", "サーバー名の送信者による中継"),
    (
        "Relays from a sender at the server's address",
        "アドレスリテラルの送信者による中継",
    ),
    ("Percent route at the server's address", "アドレスリテラル宛てのパーセント経路"),
    ("Percent route at the server's name", "サーバー名宛てのパーセント経路"),
    ("Whole address in quotes", "引用符で囲んだアドレス全体"),
    ("Percent route in quotes", "引用符内のパーセント経路"),
    (
        "Two at signs, ending at the server's address",
        "二重の @(末尾がアドレスリテラル)",
    ),
    ("Quoted address at the server's address", "アドレスリテラル宛ての引用アドレス"),
    ("Two at signs, ending at the server's name", "二重の @(末尾がサーバー名)"),
    ("Source route over the server's address", "アドレスリテラル経由のソースルート"),
    ("Source route over the server's name", "サーバー名経由のソースルート"),
    ("Bang path without a domain", "ドメインなしの UUCP バングパス"),
    ("Bang path at the server's address", "アドレスリテラル宛てのバングパス"),
    ("Bang path at the server's name", "サーバー名宛てのバングパス"),
)
_NMAP_SENDERS = 4
"""So many of the sixteen play with the sender alone."""


def _nmap(number: int) -> Probe:
    by_sender = number <= _NMAP_SENDERS
    return _asks(
        f"RLY-{number:03}",
        _NMAP_TITLES[number - 1],
        forms.NMAP[number - 1],
        "RFC 5321 §7.8",
        "CVE-1999-0512",
        severity=Severity.CRITICAL,
        safe=_SAFE if by_sender else _SAFE_OPAQUE,
        advice=_DENY if by_sender else _OPAQUE,
    )


_BY_FORM = (
    _asks(
        "RLY-020",
        ("Relays from an unqualified sender", "ドメインのない送信者による中継"),
        forms.UNQUALIFIED_SENDERS,
        "RFC 5321 §2.3.5",
        safe=_SAFE,
        advice=_SENDERS,
    ),
    _asks(
        "RLY-021",
        ("Relays from senders that sound local", "localhost などの送信者による中継"),
        forms.NEAR_SENDERS,
        "CVE-2006-7176",
        safe=_SAFE,
        advice=_SENDERS,
    ),
    _asks(
        "RLY-022",
        ("Relays from postmaster of the server", "サーバーの postmaster を名乗る中継"),
        forms.POSTMASTER_SENDERS,
        "RFC 5321 §4.5.1",
        safe=_SAFE,
        advice=_SENDERS,
    ),
    _asks(
        "RLY-023",
        ("Relays from a forged local sender", "詐称したローカル送信者による中継"),
        forms.LOCAL_SENDERS,
        "RFC 5321 §7.1",
        severity=Severity.CRITICAL,
        safe=_SAFE,
        advice=_SENDERS,
    ),
    _asks(
        "RLY-024",
        ("Relays what looks like a bounce", "バウンスを装った中継"),
        forms.NULL_SENDER,
        "RFC 5321 §4.5.5",
        severity=Severity.CRITICAL,
        safe=_SAFE,
        advice=_SENDERS,
    ),
    _asks(
        "RLY-025",
        ("Several at signs", "複数の @ を含む宛先"),
        forms.MANY_ATS,
        "RFC 5321 §4.1.2",
        advice=_SYNTAX,
    ),
    _asks(
        "RLY-026",
        ("Percent routes", "パーセント経路の宛先"),
        forms.PERCENT,
        "RFC 1123 §5.2.16",
    ),
    _asks("RLY-027", ("Bang paths", "バングパスの宛先"), forms.BANG, "RFC 976"),
    _asks(
        "RLY-028",
        ("Source routes", "ソースルートの宛先"),
        forms.ROUTES,
        "RFC 5321 App. F.2",
        "RFC 5321 App. C",
    ),
    _asks(
        "RLY-029",
        ("Addresses in quoted local parts", "引用ローカル部内のアドレス"),
        forms.QUOTED,
        "CVE-2025-13033",
        "RFC 5321 §4.1.2",
    ),
    _asks(
        "RLY-030",
        ("Comments and blanks in addresses", "コメントや空白を含む宛先"),
        forms.COMMENTS,
        "RFC 5321 §4.1.2",
        advice=_SYNTAX,
    ),
    _asks(
        "RLY-031",
        ("Groups, nested and missing angle brackets", "グループ構文・山括弧の異常"),
        forms.ANGLES,
        "RFC 5321 §3.3",
        severity=Severity.MEDIUM,
        advice=_SYNTAX,
    ),
    _asks(
        "RLY-032",
        ("At signs in other encodings", "別の符号化による @"),
        forms.ENCODED,
        "RFC 3629 §10",
        "RFC 2047 §5",
        advice=_SYNTAX,
    ),
    _asks(
        "RLY-033",
        ("Foreign domains in other scripts", "国際化ドメインの外部宛先"),
        forms.SCRIPTS,
        "RFC 6531 §3.2",
        "RFC 5891",
        safe=_SAFE_OPAQUE,
        advice=_EXACT,
    ),
    _asks(
        "RLY-034",
        ("Domains that look like the server's", "自ドメインに似たドメイン"),
        forms.NEAR_DOMAINS,
        "RFC 5321 §2.3.5",
        severity=Severity.CRITICAL,
        safe=_SAFE_OPAQUE,
        advice=_EXACT,
    ),
    _asks(
        "RLY-035",
        ("Address literals", "アドレスリテラル宛て"),
        forms.LITERALS,
        "RFC 5321 §4.1.3",
        safe=_SAFE_OPAQUE,
        advice=_EXACT,
    ),
    _asks(
        "RLY-036",
        ("Encapsulated addresses (IMCEA)", "カプセル化アドレス (IMCEA)"),
        forms.ENCAPSULATED,
        "MS99-027",
    ),
    _asks(
        "RLY-037",
        ("Rewritten senders (SRS, BATV, VERP)", "SRS・BATV・VERP 形式の宛先"),
        forms.REWRITTEN,
        "CVE-2026-114473",
        advice=Text(
            "Take rewritten addresses back only with a valid hash and age, "
            "and only for the null sender.",
            "書き換えたアドレスは、ハッシュと期限が有効で送信者が空の場合にだけ"
            "元へ戻してください。",
        ),
    ),
    _asks(
        "RLY-038",
        ("Programs and files as recipients", "プログラムやファイルを指す宛先"),
        forms.PROGRAMS,
        "CVE-2020-7247",
        severity=Severity.CRITICAL,
        advice=Text(
            "Never hand local parts from outside to a shell, a pipe or a file name.",
            "外部から来たローカル部をシェル・パイプ・ファイル名に渡さないでください。",
        ),
    ),
    _asks(
        "RLY-040",
        ("Parameters that open the relay", "拡張パラメーターによる中継"),
        forms.PARAMETERS,
        "RFC 3461",
        "RFC 4954 §5",
        severity=Severity.MEDIUM,
        safe=_SAFE,
        advice=Text(
            "Let no parameter of MAIL or RCPT change who may relay; refuse unknown "
            "ones with 555 5.5.4.",
            "MAIL・RCPT のパラメーターで中継の可否を変えず、未知のものは 555 5.5.4 で"
            "拒否してください。",
        ),
    ),
    _asks(
        "RLY-044",
        ("Relays after VRFY or EXPN", "VRFY・EXPN 後の中継"),
        forms.AFTER_LOOKING_UP,
        "RFC 5321 §7.3",
        severity=Severity.LOW,
        safe=_SAFE,
        advice=_ORDER,
    ),
)
_BY_SEQUENCE = (
    replace(
        _does(
            "RLY-039",
            ("Recipients behind a lone CR or LF", "単独の CR・LF に続く宛先"),
            sequences.line_ends_in_paths,
            ("MAIL FROM:<spamtest@{X}>", "RCPT TO:<{N}@{D}>\\nRCPT TO:<{C}@{X}>"),
            "CVE-2015-8476",
            "CVE-2026-23829",
            severity=Severity.CRITICAL,
        ),
        safe=Text(
            "Refuses the line with 500, 501 or 550 5.5.2, or the recipient.",
            "行を 500・501・550 5.5.2 で、または宛先を拒否する。",
        ),
        advice=Text(
            "End commands at CRLF alone, and refuse lines with a lone CR, LF or NUL.",
            "コマンドは CRLF だけで終端とし、単独の CR・LF・NUL を含む行は"
            "拒否してください。",
        ),
    ),
    _does(
        "RLY-041",
        ("RCPT out of order", "順序外の RCPT"),
        sequences.out_of_order,
        ("RCPT TO:<{C}@{X}>", "MAIL FROM:<spamtest@{X}>", "MAIL FROM:<postmaster@{D}>"),
        "RFC 5321 §4.1.4",
        severity=Severity.CRITICAL,
    ),
    _does(
        "RLY-041-DATA",
        ("DATA after refused recipients", "宛先拒否後の DATA"),
        sequences.data_after_refusals,
        ("MAIL FROM:<spamtest@{X}>", "RCPT TO:<{C}@{X}>", "DATA"),
        "RFC 5321 §3.3",
        severity=Severity.CRITICAL,
    ),
    _does(
        "RLY-041-BDAT",
        ("BDAT after refused recipients", "宛先拒否後の BDAT"),
        sequences.bdat_after_refusals,
        ("MAIL FROM:<spamtest@{X}>", "RCPT TO:<{C}@{X}>", "BDAT 0 LAST"),
        "RFC 3030 §2",
        severity=Severity.CRITICAL,
    ),
    replace(
        _does(
            "RLY-041-MIXED",
            ("A refused recipient beside a good one", "正当な宛先に混ぜた外部宛先"),
            sequences.mixed_recipients,
            ("RCPT TO:<{U}@{D}>", "RCPT TO:<{C}@{X}>", "DATA"),
            "RFC 5321 §3.3",
            severity=Severity.CRITICAL,
        ),
        needs=frozenset({Need.CANARY}),
    ),
    _does(
        "RLY-042",
        ("Pipelined relaying", "パイプラインによる中継"),
        sequences.pipelined_batch,
        ("MAIL FROM:<spamtest@{X}>\\r\\nRCPT TO:<{C}@{X}>\\r\\nDATA\\r\\n",),
        "RFC 2920 §3.1",
    ),
    replace(
        _does(
            "RLY-043",
            ("Verbs that nobody needs", "不要な旧命令"),
            sequences.old_verbs,
            (
                "TURN",
                "ATRN {D}",
                "DEBUG",
                "WIZ",
                "KILL",
                "XADR",
                "SEND FROM:",
                "SOML FROM:",
            ),
            "RFC 5321 App. F.1",
            "CVE-1999-0095",
            severity=Severity.MEDIUM,
        ),
        safe=Text("Refuses with 500 or 502 5.5.1.", "500・502 5.5.1 で拒否する。"),
        advice=Text(
            "Switch these verbs off: TURN gives a stranger your mail, DEBUG and WIZ a "
            "shell.",
            "これらの命令を無効にしてください。TURN はメールを、DEBUG や WIZ はシェルを"
            "他人に渡します。",
        ),
    ),
    replace(
        _does(
            "RLY-046",
            ("Backscatter to forged senders", "偽装送信者へのバックスキャッター"),
            sequences.backscatter,
            ("MAIL FROM:<{C}@{X}>", "RCPT TO:<{N}@{D}>", "DATA"),
            "RFC 5321 §6.2",
            severity=Severity.MEDIUM,
        ),
        safe=Text(
            "Refuses the unknown user at RCPT with 550 5.1.1.",
            "未知の利用者を RCPT で 550 5.1.1 で拒否する。",
        ),
        advice=Text(
            "Know your users at RCPT, so that nothing has to be returned later.",
            "後から返送せずに済むよう、RCPT の時点で利用者の実在を確認してください。",
        ),
        needs=frozenset({Need.CANARY}),
    ),
)

RELAY: tuple[Probe, ...] = (
    *(_nmap(number) for number in range(1, len(forms.NMAP) + 1)),
    *sorted((*_BY_FORM, *_BY_SEQUENCE), key=lambda probe: probe.id),
)
