"""The words of the reports themselves, in each language."""

from collections.abc import Mapping

from sekisho.audit.probe import Group
from sekisho.audit.verdicts import Severity, Verdict
from sekisho.model.text import Text

VERDICTS: Mapping[Verdict, Text] = {
    Verdict.FLAWED: Text("flawed", "欠陥あり"),
    Verdict.SUSPECT: Text("suspect", "疑いあり"),
    Verdict.UNDECIDED: Text("undecided", "判定不能"),
    Verdict.SAFE: Text("safe", "安全"),
    Verdict.NOT_APPLICABLE: Text("not applicable", "対象外"),
}
MEANINGS: Mapping[Verdict, Text] = {
    Verdict.FLAWED: Text("proved, with the transcript", "通信記録により実証済み"),
    Verdict.SUSPECT: Text(
        "accepted, and not yet proved", "受け付けられたが、まだ実証されていない"
    ),
    Verdict.UNDECIDED: Text(
        "something stood in the way of an answer", "妨げるものがあり、判定できなかった"
    ),
    Verdict.SAFE: Text("asked, and rightly refused", "試行し、正しく拒否された"),
    Verdict.NOT_APPLICABLE: Text(
        "the server does not offer what it is about",
        "サーバーが対象の機能を提供していない",
    ),
}
SEVERITIES: Mapping[Severity, Text] = {
    Severity.CRITICAL: Text("critical", "緊急"),
    Severity.HIGH: Text("high", "重要"),
    Severity.MEDIUM: Text("medium", "警告"),
    Severity.LOW: Text("low", "注意"),
}
GROUPS: Mapping[Group, Text] = {
    Group.RELAY: Text("relay", "中継"),
    Group.AUTHENTICATION: Text("authentication", "認証"),
    Group.SMUGGLING: Text("smuggling", "SMTP スマグリング"),
    Group.CHUNKING: Text("CHUNKING", "CHUNKING"),
    Group.STARTTLS: Text("STARTTLS", "STARTTLS"),
    Group.INJECTION: Text("injection", "インジェクション"),
    Group.LOAD: Text("load", "負荷"),
}
HEADLINES: Mapping[Verdict | None, Text] = {
    Verdict.FLAWED: Text("Flaws were proved", "欠陥が実証されました"),
    Verdict.SUSPECT: Text(
        "Nothing is proved, but something is suspect",
        "実証された欠陥はありませんが、疑わしい点があります",
    ),
    Verdict.UNDECIDED: Text(
        "Nothing wrong was found, but not everything could be decided",
        "問題は見つかりませんでしたが、判定できない項目があります",
    ),
    Verdict.SAFE: Text("Nothing wrong was found", "問題は見つかりませんでした"),
    Verdict.NOT_APPLICABLE: Text(
        "Nothing that was asked about is offered", "試験対象の機能は提供されていません"
    ),
    None: Text("Nothing could be asked", "試験を実施できませんでした"),
}

TITLE = Text("SMTP audit", "SMTP 監査")
INCOMPLETE = Text(
    "Stopped before the end: what follows is what was done until then.",
    "途中で中断されました。以下はそれまでに実施した分です。",
)
NOT_ASKED = Text(
    "nothing could be asked of this port", "このポートには試験を実施できませんでした"
)
ADVICE = Text("What to change", "対策")
SOUND = Text("A sound server", "健全なサーバーの動作")
WIRE = Text("What is sent", "送信内容")
REFERENCES = Text("See", "参考")
SEVERITY = Text("Severity", "深刻度")
GROUP = Text("Group", "分類")
NEEDS = Text("Needs", "必要なオプション")
TRANSCRIPT = Text("Transcript ({lines} lines)", "通信記録({lines} 行)")
MORE_LINES = Text(
    "{lines} lines before these stand in the HTML and JSON reports",
    "これより前の {lines} 行は HTML または JSON の報告書を参照してください",
)
PORTS = Text("Ports", "ポート")
PORT = Text("Port", "ポート")
SERVICE = Text("Service, by its banner", "サービス(バナーからの推定)")
FINDINGS = Text("Findings, worst first", "検出事項(深刻なものから)")
NO_FINDINGS = Text("There are none.", "検出事項はありません。")
OTHERS = Text("What is in order", "問題のない項目")
FINDING = Text("Finding", "項目")
WHERE = Text("Where", "対象")
VERDICT = Text("Verdict", "判定")
EVIDENCE = Text("Evidence", "根拠")
STARTED = Text("Started", "開始")
SECONDS = Text("{seconds} s", "{seconds} 秒")
ON_PORTS = Text("ports: {ports}", "ポート数: {ports}")
COUNT = Text("{count} {verdict}", "{verdict} {count} 件")
COMPARED = Text("Since the baseline", "前回からの変化")
NEW = Text("new", "新規")
WORSE = Text("worse", "悪化")
MENDED = Text("mended", "解消")
GONE = Text(
    "no longer seen (not asked, or undecided)", "確認できず(未実施または判定不能)"
)
UNCHANGED = Text("{count} unchanged", "変化なし {count} 件")
NEVER_ASKED = Text("not asked", "未実施")
MADE_BY = Text("Made by sekisho audit {version}", "作成: sekisho audit {version}")
