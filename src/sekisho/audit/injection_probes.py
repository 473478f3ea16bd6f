"""Do foreign words get where they do not belong? INJ-001 to INJ-004 of the catalogue.

INJ-001 calls nobody flawed who answers an early client later: most servers do, and it
opens nothing. It finds servers that carry out commands before they have greeted, which
is before they have looked at who is there. INJ-003 and INJ-004 are about what arrives,
so they need the canary and its mailbox.
"""

import re

from sekisho.audit.content import carried, head
from sekisho.audit.counting import positive
from sekisho.audit.probe import Group, Need, Probe
from sekisho.audit.starttls_probes import judge_http
from sekisho.audit.verdicts import Judgement, Severity, flawed, safe
from sekisho.audit.visit import Visit, spelled
from sekisho.model.text import Text

GREETING = 220


async def _early(visit: Visit) -> Judgement:
    async with visit.dial(greeted=False) as conversation:
        await conversation.send(b"EHLO audit.invalid\r\n")
        reply = await conversation.greet()
        if positive(reply) and reply.code != GREETING:
            return flawed(
                f"a command ran before the greeting: {spelled(reply)}",
                f"グリーティング前にコマンドを実行: {spelled(reply)}",
            )
        if positive(reply):
            return safe(
                "greets first, whatever came before",
                "先に届いた内容にかかわらず、まずグリーティングを送信",
            )
    return safe(f"refused: {spelled(reply)}", f"拒否: {spelled(reply)}")


async def _http(visit: Visit) -> Judgement:
    async with visit.dial() as conversation:
        return await judge_http(visit, conversation)


async def _injected_name(visit: Visit) -> Judgement:
    field = f"X-Audit-{visit.token}"
    end = f"end {visit.token}".encode()
    arrived = await carried(
        visit, head(visit) + b"\r\n" + end, name=f"audit.invalid\r{field}: 1"
    )
    if isinstance(arrived, Judgement):
        return arrived
    if re.search(rb"[\r\n]" + field.encode() + b":", arrived):
        return flawed(
            "a CR in the EHLO name made a header field",
            "EHLO 名の CR によりヘッダーフィールドが成立",
        )
    return safe("the EHLO name makes no field", "EHLO 名からフィールドは成立しない")


async def _trusted_field(visit: Visit) -> Judgement:
    server = visit.text("{H}")
    forged = f"Authentication-Results: {server}; dkim=pass header.d={visit.token}"
    arrived = await carried(visit, head(visit, forged.encode()))
    if isinstance(arrived, Judgement):
        return arrived
    named = rb"(?im)^authentication-results:\s*" + re.escape(server.encode()) + rb"\s*;"
    ours = forged.partition("; ")[2].encode()
    if ours not in arrived:
        return safe(
            "a field in the server's name is removed",
            "自サーバー名義のフィールドを除去",
        )
    if len(re.findall(named, arrived)) > 1:
        return flawed(
            "a stranger's field stands beside the server's own, in its name",
            "第三者の書いたフィールドが、サーバー自身のものと同じ名義で併存",
        )
    return safe(
        "the server writes no such field, so nobody trusts one in its name",
        "サーバー自身はこのフィールドを付けず、その名義を信用する者もいない",
    )


_MAILBOX = frozenset({Need.CANARY, Need.ACCOUNT})

INJECTION: tuple[Probe, ...] = (
    Probe(
        id="INJ-001",
        group=Group.INJECTION,
        title=Text(
            "Commands run before the greeting", "グリーティング前のコマンド実行"
        ),
        severity=Severity.LOW,
        wire=("EHLO audit.invalid, before the 220",),
        safe=Text(
            "554 5.5.1 or 521, or greets first and answers then.",
            "554 5.5.1 または 521 で拒否するか、先にグリーティングを送る。",
        ),
        advice=Text(
            "Greet first, and refuse clients that do not wait for it.",
            "先にグリーティングを送り、待たないクライアントは拒否してください。",
        ),
        references=("RFC 5321 4.3.1",),
        run=_early,
    ),
    Probe(
        id="INJ-002",
        group=Group.INJECTION,
        title=Text(
            "Commands in an HTTP request run", "HTTP リクエスト内のコマンド実行"
        ),
        severity=Severity.MEDIUM,
        wire=("POST / HTTP/1.1 …", "HELO, MAIL FROM, RSET in its body"),
        safe=Text(
            "Closes at the request: 521, 554 or 421.", "521・554・421 で切断する。"
        ),
        advice=Text(
            "Close at GET, POST, PUT and their like: a web page can make a browser in "
            "your network send them. Postfix: smtpd_forbidden_commands.",
            "GET・POST・PUT などを受けたら直ちに切断してください。Web ページは社内の"
            "ブラウザーにこれを送らせることができます。Postfix では "
            "smtpd_forbidden_commands です。",
        ),
        references=("RFC 5321 4.1.4",),
        run=_http,
    ),
    Probe(
        id="INJ-003",
        group=Group.INJECTION,
        title=Text("The EHLO name writes header fields", "EHLO 名によるヘッダー注入"),
        severity=Severity.HIGH,
        wire=("EHLO audit.invalid CR X-Audit-…: 1", "a message to the canary"),
        safe=Text(
            "501 5.5.4, or Received shows it in one line, made printable.",
            "501 5.5.4 で拒否するか、Received に印字可能な 1 行として記録する。",
        ),
        advice=Text(
            "Let nothing into Received that is no domain and no address literal.",
            "ドメインでもアドレスリテラルでもない値を Received に書かないでください。",
        ),
        references=("RFC 5321 4.4",),
        run=_injected_name,
        needs=_MAILBOX,
        attempts=1,
    ),
    Probe(
        id="INJ-004",
        group=Group.INJECTION,
        title=Text(
            "Authentication-Results can be forged",
            "Authentication-Results の詐称が可能",
        ),
        severity=Severity.MEDIUM,
        wire=("Authentication-Results: {H}; dkim=pass …", "a message to the canary"),
        safe=Text(
            "Fields in the server's own name are removed on the way in.",
            "自サーバー名義のフィールドを受信時に除去する。",
        ),
        advice=Text(
            "Remove incoming Authentication-Results fields that bear your name.",
            "自サーバー名義の Authentication-Results は受信時に除去してください。",
        ),
        references=("RFC 8601 5",),
        run=_trusted_field,
        needs=_MAILBOX,
        attempts=1,
    ),
)
