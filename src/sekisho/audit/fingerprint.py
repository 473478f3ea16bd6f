"""What the banner says of the software: a hint for people, and never a verdict.

Banners are faked, and Windows' own can be set. Where the Windows 2000 service names
its build, the service pack is told that the build came with, and what that means for
MS01-037 (CVE-2001-0504): the behaviour decides (AUTH-001), not this.

Sources of the builds: the catalogue's table (public detectors and KB articles).
"""

import re
from dataclasses import dataclass

from sekisho.model.reply import Reply
from sekisho.model.text import Text
from sekisho.session.client_extensions import Capabilities

MAX_VERSION_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A guess.

    Attributes:
        service: The software: ``Postfix``.
        version: As its banner gives it, or empty.
        note: What the version points to, such as a service pack; None for nothing.

    """

    service: str
    version: str = ""
    note: Text | None = None


_MICROSOFT = "Microsoft SMTP service"
_EXCHANGE = "Microsoft Exchange"
_BANNERS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (service, re.compile(pattern, re.IGNORECASE))
    for service, pattern in (
        (_MICROSOFT, r"Microsoft ESMTP MAIL Service, Version: ([\d.]+)"),
        (_EXCHANGE, r"Microsoft ESMTP MAIL Service ready"),
        (_EXCHANGE, r"Microsoft Exchange Internet Mail Service ([\d.]+)"),
        ("Sekisho", r"\bSekisho\b(?:[ /]([\d.]+))?"),
        ("Postfix", r"\bPostfix\b(?: \(?([\d.]+))?"),
        ("Exim", r"\bExim ([\d._]+)"),
        ("OpenSMTPD", r"\bOpenSMTPD\b"),
        ("Sendmail", r"\bSendmail(?: ([\w.+-]+)/)?"),
        ("Haraka", r"\bHaraka\b(?:[ /]([\d.]+))?"),
        ("qpsmtpd", r"\bqpsmtpd ?([\d.]+)?"),
        ("Courier", r"\bCourier\b(?: ([\d.]+))?"),
        ("chasquid", r"\bchasquid\b"),
        ("Stalwart", r"\bStalwart\b"),
        ("KumoMTA", r"\bKumoMTA\b"),
        ("Apache James", r"\bJAMES\b(?: SMTP Server ([\d.]+))?"),
        ("HCL Domino", r"\bDomino\b(?: Release ([\w.]+))?"),
        ("MDaemon", r"\bMDaemon(?: ([\d.]+))?"),
        ("MailEnable", r"\bMailEnable\b(?:.*Version: ([\d.]+))?"),
        ("IceWarp", r"\bIceWarp(?: ([\d.]+))?"),
        ("Kerio Connect", r"\bKerio (?:Connect|MailServer) ([\d.]+)"),
        ("Zimbra", r"\bZimbra\b"),
        ("aiosmtpd", r"\bPython SMTP(?: ([\d.]+))?"),
        ("MailHog", r"\bMailHog\b"),
        ("Mailpit", r"\bMailpit\b"),
    )
)
_EXCHANGE_VERBS = frozenset({"X-EXPS", "XEXCH50", "X-LINK2STATE"})

LAST_OPEN_BUILD = 2966
"""Of Service Pack 2, the last before the cure."""
FIRST_CURED_BUILD = 5329
"""Of Service Pack 3."""
RELEASE_BUILD = 2195
_PACKS = ((1, "RTM"), (1600, "SP1"), (2966, "SP2"), (5329, "SP3"), (6713, "SP4"))
"""The revision that each began with."""


def fingerprint(greeting: Reply | None, offers: Capabilities) -> Fingerprint | None:
    """Guess what serves, of its greeting and its answer to EHLO."""
    banner = " ".join(greeting.lines) if greeting is not None else ""
    for service, pattern in _BANNERS:
        if found := pattern.search(banner):
            version = (found[1] or "") if found.re.groups else ""
            return _noted(service, version.strip(".")[:MAX_VERSION_CHARACTERS], offers)
    if offers.keywords & _EXCHANGE_VERBS:
        return Fingerprint(_EXCHANGE)
    return None


def _noted(service: str, version: str, offers: Capabilities) -> Fingerprint:
    if service != _MICROSOFT:
        return Fingerprint(service, version)
    if offers.keywords & _EXCHANGE_VERBS:
        return Fingerprint(
            _EXCHANGE,
            version,
            Text(
                "it offers Exchange's own verbs: another component checks sign-ins "
                "there, so MS01-037 does not apply",
                "Exchange 固有の拡張を提供。サインインの検証は別の部品が行うため、"
                "MS01-037 の対象外",
            ),
        )
    numbers = [int(part) for part in version.split(".") if part.isdecimal()]
    if numbers[:2] != [5, 0] or len(numbers) < 4:  # noqa: PLR2004 - major to revision
        return Fingerprint(service, version)
    return Fingerprint(service, version, _windows_2000(numbers[2], numbers[3]))


def _windows_2000(build: int, revision: int) -> Text:
    """Say which service pack 5.0.BUILD.REVISION points to."""
    first = build < RELEASE_BUILD
    pack = "before RTM" if first else _pack(revision)
    if first or revision <= LAST_OPEN_BUILD:
        return Text(
            f"a Windows 2000 build of {pack}: possibly open to MS01-037, where the "
            "machine is stand-alone and lacks Q302755 and SRP1",
            f"Windows 2000 ({pack}) のビルド。スタンドアロンで Q302755 と SRP1 が"
            "未適用なら、MS01-037 の影響を受ける可能性あり",
        )
    if revision < FIRST_CURED_BUILD:
        return Text(
            f"a Windows 2000 build of {pack}: whether the cure of MS01-037 is in it "
            "cannot be told from the version",
            f"Windows 2000 ({pack}) のビルド。MS01-037 の修正を含むかは"
            "バージョンからは判別不能",
        )
    return Text(
        f"a Windows 2000 build of {pack}: the cure of MS01-037 is in it",
        f"Windows 2000 ({pack}) のビルド。MS01-037 の修正を含む",
    )


def _pack(revision: int) -> str:
    began, pack = max(one for one in _PACKS if one[0] <= max(revision, 1))
    return pack if revision <= began else f"after {pack}, a hotfix"
