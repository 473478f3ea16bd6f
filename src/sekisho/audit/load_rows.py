"""The texts of the rows about bounds; `load_probes` carries them out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sekisho.audit.probe import Group, Need, Probe
from sekisho.audit.verdicts import Judgement, Severity
from sekisho.audit.visit import Visit
from sekisho.model.text import Text

_STRESS = frozenset({Need.STRESS})
_CONTENT = frozenset({Need.STRESS, Need.CANARY})
_GOES_ON = Text(
    "Refuses it (552 5.3.4 or 554 5.6.0), or takes it and goes on.",
    "拒否する(552 5.3.4 または 554 5.6.0)か、受理してサービスを継続する。",
)
_UPDATE = Text(
    "Update the mail server and its filters, and bound what they parse.",
    "メールサーバーとフィルターを更新し、解析する量に上限を設けてください。",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRow:
    """A row without what it does."""

    id: str
    title: Text
    wire: tuple[str, ...]
    safe: Text
    advice: Text
    references: tuple[str, ...]
    severity: Severity = Severity.LOW
    needs: frozenset[Need] = _STRESS

    def probe(self, run: Callable[[Visit], Awaitable[Judgement]]) -> Probe:
        """Make it whole."""
        return Probe(
            id=self.id,
            group=Group.LOAD,
            title=self.title,
            severity=self.severity,
            wire=self.wire,
            safe=self.safe,
            advice=self.advice,
            references=self.references,
            run=run,
            needs=self.needs,
            account_helps=Need.CANARY in self.needs,
            attempts=1 if Need.ACCOUNT in self.needs else 0,
        )


def rows() -> tuple[LoadRow, ...]:
    """Give all of them, by number."""
    return _ROWS


_ROWS = (
    LoadRow(
        id="DOS-001",
        title=Text("Command lines have no bound", "コマンド行の長さが無制限"),
        severity=Severity.MEDIUM,
        wire=("MAIL FROM:, 1 MiB of blanks, <{C}@{X}>",),
        safe=Text("500 5.5.2, or closes.", "500 5.5.2 で拒否するか、切断する。"),
        advice=Text(
            "Bound command lines: 512 octets, and what extensions add.",
            "コマンド行は 512 オクテット(拡張分を加算)に制限してください。",
        ),
        references=("RFC 5321 4.5.3.1.4",),
    ),
    LoadRow(
        id="DOS-002",
        title=Text("Lines of AUTH have no bound", "AUTH の行の長さが無制限"),
        severity=Severity.MEDIUM,
        wire=("AUTH LOGIN", "1 MiB in base64"),
        safe=Text("500 5.5.6, or closes.", "500 5.5.6 で拒否するか、切断する。"),
        advice=Text(
            "Bound lines within AUTH: 12288 octets.",
            "AUTH の行は 12288 オクテットに制限してください。",
        ),
        references=("RFC 4954 4",),
    ),
    LoadRow(
        id="DOS-003",
        title=Text("Long lines of text are cut", "長い本文行の切り詰め"),
        wire=("DATA", "a line of 20 KiB", "."),
        safe=Text(
            "500 or 554 5.6.0, or the line arrives with all its octets.",
            "500 または 554 5.6.0 で拒否するか、全オクテットを配送する。",
        ),
        advice=Text(
            "Refuse or fold lines past 998 octets; never cut them.",
            "998 オクテットを超える行は拒否するか折り返し、切り詰めないでください。",
        ),
        references=("RFC 5321 4.5.3.1.6",),
        needs=frozenset({Need.CANARY, Need.ACCOUNT}),
    ),
    LoadRow(
        id="DOS-004",
        title=Text("Impossible domains are taken", "ありえない長さのドメインを受理"),
        wire=("MAIL FROM:<audit@(327 octets)>",),
        safe=Text("501 or 553 5.1.7.", "501 または 553 5.1.7 で拒否する。"),
        advice=Text(
            "Refuse domains past 255 octets: no DNS name is longer.",
            "255 オクテットを超えるドメインは拒否してください(DNS 名の上限)。",
        ),
        references=("RFC 5321 4.5.3.1.2", "RFC 1035 2.3.4"),
        needs=frozenset(),
    ),
    LoadRow(
        id="DOS-005",
        title=Text("Fewer than 100 recipients", "宛先の上限が 100 未満"),
        wire=("RCPT TO:<{U}@{D}> (1001 times)", "RSET"),
        safe=Text(
            "Takes 100, and says 452 4.5.3 somewhere above.",
            "100 件を受理し、それ以上のどこかで 452 4.5.3 を返す。",
        ),
        advice=Text(
            "Take at least 100 recipients: mail to more is not delivered else.",
            "宛先は 100 件以上受け付けてください。",
        ),
        references=("RFC 5321 4.5.3.1.8",),
        needs=_CONTENT,
    ),
    LoadRow(
        id="DOS-006",
        title=Text("Errors have no bound", "エラー回数が無制限"),
        wire=("AUDIT (1000 times)",),
        safe=Text(
            "421 4.7.0 after some, and closes.", "何回かで 421 4.7.0 を返し、切断する。"
        ),
        advice=Text(
            "Close after some 20 errors. Postfix: smtpd_hard_error_limit.",
            "20 回程度のエラーで切断してください。"
            "Postfix では smtpd_hard_error_limit です。",
        ),
        references=("RFC 5321 7.8",),
    ),
    LoadRow(
        id="DOS-007",
        title=Text("A slow client is waited for", "低速クライアントを無期限に待機"),
        wire=("N, an octet every 10 s, for 330 s",),
        safe=Text(
            "A deadline for the whole command: 421 4.4.2.",
            "コマンド全体に期限を設け、421 4.4.2 を返す。",
        ),
        advice=Text(
            "Time commands as a whole, not by octet. Postfix: "
            "smtpd_per_request_deadline = yes.",
            "時間制限はコマンド全体に掛けてください。Postfix では "
            "smtpd_per_request_deadline = yes です。",
        ),
        references=("RFC 5321 4.5.3.2.7",),
    ),
    LoadRow(
        id="DOS-008",
        title=Text("Many connections wear it out", "多数の接続で停止"),
        severity=Severity.MEDIUM,
        wire=("200 connections at once", "all closed", "EHLO on a new one"),
        safe=Text(
            "421 4.7.0 to one too many, or takes them all; goes on afterwards.",
            "超過分に 421 4.7.0 を返すか、すべて受理し、その後もサービスを継続する。",
        ),
        advice=Text(
            "Bound the connections of one address. Postfix: "
            "smtpd_client_connection_count_limit; Exim: smtp_accept_max_per_host.",
            "1 アドレスの同時接続数を制限してください。Postfix では "
            "smtpd_client_connection_count_limit、"
            "Exim では smtp_accept_max_per_host です。",
        ),
        references=("RFC 5321 7.8",),
    ),
    LoadRow(
        id="DOS-009",
        title=Text("Many header fields end it", "大量のヘッダーで停止"),
        severity=Severity.MEDIUM,
        wire=("DATA", "20000 fields", "."),
        safe=_GOES_ON,
        advice=_UPDATE,
        references=("CVE-2024-23184", "CVE-2024-23185"),
        needs=_CONTENT,
    ),
    LoadRow(
        id="DOS-010",
        title=Text("Deep MIME parts end it", "深い MIME 入れ子で停止"),
        severity=Severity.MEDIUM,
        wire=("DATA", "multipart/mixed in multipart/mixed, 1000 times", "."),
        safe=_GOES_ON,
        advice=_UPDATE,
        references=("RFC 2046 5.1",),
        needs=_CONTENT,
    ),
    LoadRow(
        id="DOS-011",
        title=Text("Loops are not seen", "メールループを検出しない"),
        wire=("DATA", "Received: … (101 times)", "."),
        safe=Text("554 5.4.6.", "554 5.4.6 で拒否する。"),
        advice=Text(
            "Refuse mail with more than some 100 Received fields.",
            "Received が 100 個程度を超えるメールは拒否してください。",
        ),
        references=("RFC 5321 6.3",),
        needs=frozenset({Need.CANARY, Need.ACCOUNT}),
    ),
    LoadRow(
        id="DOS-012",
        title=Text("SIZE is announced and not kept", "提示した SIZE の超過を許容"),
        wire=("MAIL FROM:<{C}@{X}> SIZE=limit+1", "DATA", "5/4 of the limit", "."),
        safe=Text(
            "552 5.3.4 at MAIL or after the data.",
            "MAIL または本文のあとに 552 5.3.4 で拒否する。",
        ),
        advice=Text("Count what arrives.", "届いたオクテット数を数えてください。"),
        references=("RFC 1870 6",),
        needs=_CONTENT,
    ),
    LoadRow(
        id="DOS-013",
        title=Text("Aborted logins wear it out", "認証の中断で停止"),
        severity=Severity.MEDIUM,
        wire=("AUTH LOGIN, close (200 times)",),
        safe=Text(
            "Goes on, or sends us away.", "サービスを継続するか、接続を拒否する。"
        ),
        advice=_UPDATE,
        references=("CVE-2017-15132",),
    ),
    LoadRow(
        id="DOS-014",
        title=Text(
            "Malformed parameters end a session", "不正な引数でセッションが異常終了"
        ),
        severity=Severity.MEDIUM,
        wire=('NOOP "', "NOOP <", 'VRFY "', "VRFY", "HELP %s%n", "MAIL FROM:"),
        safe=Text("Each gets a reply.", "すべてに応答する。"),
        advice=_UPDATE,
        references=("RFC 5321 4.1.1.9",),
        needs=frozenset(),
    ),
)
