"""Reports for the tests: one with everything in it, a clean one, a hostile one."""

from datetime import UTC, datetime

from sekisho.audit.fingerprint import Fingerprint
from sekisho.audit.probe import Group, Probe
from sekisho.audit.results import Port, Report, Result
from sekisho.audit.target import Target
from sekisho.audit.transcript import Direction, Line
from sekisho.audit.verdicts import Judgement, Severity, Verdict
from sekisho.audit.visit import Visit
from sekisho.model.text import Text

STARTED = datetime(2026, 11, 24, 9, 30, 5, tzinfo=UTC)
TALK = (
    Line(Direction.NOTE, "connection to mail.example.com:25"),
    Line(Direction.THEIRS, "220 mail.example.com ESMTP"),
    Line(Direction.OURS, "EHLO audit.example.net"),
    Line(Direction.THEIRS, "250-mail.example.com"),
    Line(Direction.THEIRS, "250 AUTH LOGIN PLAIN"),
    Line(Direction.OURS, "AUTH LOGIN"),
    Line(Direction.THEIRS, "334 VXNlcm5hbWU6"),
    Line(Direction.OURS, "Z3Vlc3Q="),
    Line(Direction.THEIRS, "334 UGFzc3dvcmQ6"),
    Line(Direction.OURS, ""),
    Line(Direction.THEIRS, "235 2.7.0 Authentication successful"),
)


async def never(visit: Visit) -> Judgement:
    raise AssertionError("a report carries out nothing")


def probe(
    name: str = "AUTH-001",
    severity: Severity = Severity.CRITICAL,
    group: Group = Group.AUTHENTICATION,
    title: Text | None = None,
) -> Probe:
    return Probe(
        id=name,
        group=group,
        title=title
        or Text("Sign-in without a password accepted", "パスワードなしの認証を受理"),
        severity=severity,
        wire=("AUTH LOGIN", "base64({N})", "(empty line)"),
        safe=Text("Answers 535 5.7.8.", "535 5.7.8 を返す。"),
        advice=Text(
            "Install the vendor's update, or switch AUTH off until then.",
            "更新プログラムを適用するか、それまで AUTH を無効にしてください。",
        ),
        references=("CVE-2001-0504", "MS01-037", "RFC 4954 §4"),
        run=never,
    )


def result(
    of: Probe,
    verdict: Verdict,
    said: str = "235 2.7.0 Authentication successful",
    *,
    notes: tuple[Text, ...] = (),
    transcript: tuple[Line, ...] = TALK,
) -> Result:
    evidence = Text(f"the server answered: {said}", f"サーバーの応答: {said}")
    return Result(of, Judgement(verdict, evidence), transcript, notes, 0.25)


def port(
    *results: Result,
    number: int = 25,
    host: str = "mail.example.com",
    address: str = "192.0.2.1",
    service: str = "Microsoft ESMTP MAIL Service",
    notes: tuple[Text, ...] = (),
) -> Port:
    target = Target(host, address, number, implicit_tls=number == 465)
    note = Text("Windows 2000 SP1", "Windows 2000 SP1")
    hint = Fingerprint(service, "5.0.2195.1600", note) if service else None
    return Port(target, hint, notes, results)


def report(*ports: Port, complete: bool = True) -> Report:
    return Report(STARTED, 12.345, "0.1.0", ports, complete)


OPEN = probe(
    "REL-001",
    Severity.HIGH,
    Group.RELAY,
    Text("Relays for strangers", "第三者中継を許可"),
)
SMUGGLED = probe(
    "SMG-003",
    Severity.MEDIUM,
    Group.SMUGGLING,
    Text("Ends a message at a bare LF", "単独の LF でメッセージを終端"),
)
TLS = probe(
    "TLS-001",
    Severity.LOW,
    Group.STARTTLS,
    Text("Keeps plain input over STARTTLS", "STARTTLS 前の平文入力を保持"),
)
NULL = probe()
NEAR = Text(
    "asked from loopback, which servers commonly trust",
    "ループバックから試行。多くのサーバーはこのアドレスを信頼する",
)


def everything() -> Report:
    """All verdicts, several ports, one of them shut, over IPv4 and IPv6."""
    return report(
        port(
            result(TLS, Verdict.NOT_APPLICABLE, "no STARTTLS"),
            result(SMUGGLED, Verdict.UNDECIDED, "451 4.7.1 Greylisted"),
            result(OPEN, Verdict.SUSPECT, "250 2.1.5 Ok", notes=(NEAR,)),
            result(NULL, Verdict.FLAWED),
        ),
        port(
            result(TLS, Verdict.SAFE, "501 5.5.4"),
            result(SMUGGLED, Verdict.SAFE, "554 5.5.2"),
            result(OPEN, Verdict.SAFE, "550 5.7.1 Relaying denied"),
            result(NULL, Verdict.FLAWED),
            number=465,
            address="2001:db8::1",
            service="",
        ),
        port(
            number=2525,
            service="",
            notes=(Text("no connection: refused", "接続できません: 拒否されました"),),
        ),
    )


def clean() -> Report:
    return report(
        port(
            result(NULL, Verdict.SAFE, "535 5.7.8"),
            result(TLS, Verdict.NOT_APPLICABLE, "no STARTTLS"),
        )
    )


def told_by(hostile: str) -> Report:
    """Everything that a server can choose says this."""
    transcript = (Line(Direction.THEIRS, hostile), Line(Direction.NOTE, hostile))
    note = Text(hostile, hostile)
    return report(
        port(
            *(
                result(one, verdict, hostile, notes=(note,), transcript=transcript)
                for one, verdict in zip(
                    (NULL, OPEN, SMUGGLED, TLS, probe("AUTH-009")), Verdict, strict=True
                )
            ),
            host=f"x{hostile}",
            service=hostile,
            notes=(note,),
        ),
        complete=False,
    )
