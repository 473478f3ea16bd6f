"""What the bulletins say of hosts, case by case.

Verdict, scope, missing facts, warnings and the first step are compared exactly; the
reasons named here must be among those given.
"""

from typing import Any, NamedTuple

import pytest

from advisory.described import (
    EXCHANGE_KEY,
    KEY,
    LATER_KEY,
    NT4_KEY,
    WITHHELD,
    answer_for,
    changed,
    only,
)
from sekisho.advisory.inventory import Host
from sekisho.advisory.judge import Judge
from sekisho.advisory.shelf import find


class Case(NamedTuple):
    about: str
    host: dict[str, Any]
    verdict: str
    first: str
    reasons: frozenset[str] | set[str] = frozenset()
    scope: str | None = None
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    priority: str = ""


WORKED = [
    Case(
        "no key, the example",
        changed(),
        "affected",
        "A-HOTFIX-PCAT",
        {"R-AFFECTED"},
        priority="P1",
    ),
    Case(
        "no service pack",
        changed(os__service_pack=0),
        "affected",
        "A-SP3",
        {"R-AFFECTED"},
    ),
    Case(
        "SP3 without the key",
        changed(os__service_pack=3),
        "fixed",
        "A-NONE",
        {"R-SP3"},
        priority="none",
    ),
    Case(
        "domain member",
        changed(domain_role="member"),
        "not_affected",
        "A-NONE",
        {"R-DOMAIN"},
        priority="P4",
    ),
    Case(
        "disabled and stopped",
        changed(smtp__start_type="disabled", smtp__state="stopped"),
        "mitigated",
        "A-PATCH-BEFORE-ENABLE",
        {"R-SMTP-DISABLED"},
        "all",
        priority="P3",
    ),
    Case(
        "25 blocked",
        changed(firewall_internet_25="blocked"),
        "mitigated",
        "A-HOTFIX-PCAT",
        {"R-FW25"},
        "internet-only",
        priority="P2",
    ),
    Case(
        "role not known",
        changed(domain_role=WITHHELD),
        "unknown",
        "A-COLLECT",
        missing=("domain_role",),
        priority="P2",
    ),
    Case(
        "NT 3.51",
        changed(os__product="Windows NT 3.51"),
        "unknown",
        "A-UPGRADE",
        {"R-UNTESTED"},
    ),
]
MORE = [
    Case(
        "NT 4.0",
        changed(os__product="Windows NT 4.0"),
        "not_affected",
        "A-NONE",
        {"R-NT4"},
        priority="none",
    ),
    Case(
        "NT 4.0, Exchange not known",
        only(os__product="Windows NT 4.0"),
        "unknown",
        "A-COLLECT",
        missing=("exchange",),
    ),
    Case(
        "NT 4.0 with Exchange 5.0",
        changed(os__product="Windows NT 4.0", exchange="5.0"),
        "unknown",
        "A-UPGRADE",
        {"R-UNTESTED"},
    ),
    Case(
        "XP with Exchange 5.0",
        changed(os__product="Windows XP", exchange="5.0"),
        "unknown",
        "A-UPGRADE",
        {"R-UNTESTED"},
    ),
    Case(
        "Exchange 5.0",
        changed(exchange="5.0"),
        "unknown",
        "A-UPGRADE",
        {"R-UNTESTED"},
    ),
    Case(
        "another system",
        only(os__product="Debian 12"),
        "not_affected",
        "A-NONE",
        {"R-ONLY-W2K"},
    ),
    Case(
        "only SP3 is known",
        only(os__product="Windows 2000", os__service_pack=3),
        "fixed",
        "A-NONE",
        {"R-SP3"},
    ),
    Case(
        "SP4 and a member: both are told",
        changed(os__service_pack=4, domain_role="member"),
        "fixed",
        "A-NONE",
        {"R-SP3", "R-DOMAIN"},
    ),
    Case(
        "patched",
        changed(patch__registry_keys=[KEY]),
        "fixed",
        "A-NONE",
        {"R-PATCH"},
    ),
    Case(
        "the key in another spelling",
        changed(patch__registry_keys=[KEY.replace("HKLM", "hkey_local_machine")]),
        "fixed",
        "A-NONE",
        {"R-PATCH"},
    ),
    Case(
        "nearly the key",
        changed(patch__registry_keys=[KEY + "x", KEY.replace("SP3", "SP4")]),
        "affected",
        "A-HOTFIX-PCAT",
        {"R-AFFECTED"},
    ),
    Case(
        "a number is no key",
        changed(patch__registry_keys=["Q302755"]),
        "affected",
        "A-HOTFIX-PCAT",
    ),
    Case(
        "patched, files newer",
        changed(patch__registry_keys=[KEY], patch__filelist="newer"),
        "fixed",
        "A-NONE",
        {"R-PATCH"},
        warnings=("W-FILES-NEWER",),
    ),
    Case(
        "patched, a file older",
        changed(patch__registry_keys=[KEY], patch__filelist="older"),
        "affected",
        "A-HOTFIX-PCAT",
        {"R-AFFECTED", "R-FILELIST-MISMATCH"},
    ),
    Case(
        "patched, no Filelist there",
        changed(patch__registry_keys=[KEY], patch__filelist="absent"),
        "fixed",
        "A-VERIFY",
        {"R-PATCH"},
        warnings=("W-FILES-NOT-VERIFIED",),
    ),
    Case(
        "patched, files not compared",
        changed(patch__registry_keys=[KEY], patch__filelist=WITHHELD),
        "unknown",
        "A-COLLECT",
        missing=("patch.filelist",),
        warnings=("W-FILES-NOT-VERIFIED",),
    ),
    Case(
        "patched, not restarted",
        changed(patch__registry_keys=[KEY], patch__reboot_pending=True),
        "affected",
        "A-REBOOT",
        {"R-AFFECTED", "R-PATCH-PENDING-REBOOT"},
    ),
    Case(
        "patched, restart not known",
        changed(patch__registry_keys=[KEY], patch__reboot_pending=WITHHELD),
        "unknown",
        "A-COLLECT",
        missing=("patch.reboot_pending",),
    ),
    Case(
        "the key without a service pack",
        changed(os__service_pack=0, patch__registry_keys=[KEY]),
        "unknown",
        "A-COLLECT",
        {"R-CONTRADICTION"},
        missing=("patch.state",),
        warnings=("W-KEY-ON-SP0",),
    ),
    Case(
        "that, on a member: one settled condition settles",
        changed(os__service_pack=0, patch__registry_keys=[KEY], domain_role="member"),
        "not_affected",
        "A-NONE",
        {"R-DOMAIN", "R-CONTRADICTION"},
        warnings=("W-KEY-ON-SP0",),
    ),
    Case(
        "service pack not known",
        changed(os__service_pack=WITHHELD),
        "unknown",
        "A-COLLECT",
        missing=("os.service_pack",),
        warnings=("W-SP-UNKNOWN",),
    ),
    Case(
        "nothing of the patch is known",
        changed(patch=WITHHELD),
        "unknown",
        "A-COLLECT",
        missing=("patch.registry_keys", "patch.filelist", "patch.reboot_pending"),
    ),
    Case(
        "no service pack: the patch need not be known",
        changed(os__service_pack=0, patch=WITHHELD),
        "affected",
        "A-SP3",
        {"R-AFFECTED"},
    ),
    Case(
        "Exchange 2000, a member",
        changed(exchange="2000", domain_role="member"),
        "not_affected",
        "A-NONE",
        {"R-EXCH", "R-EXCH2000-DOMAIN", "R-DOMAIN"},
    ),
    Case(
        "Exchange 2000 that stands alone cannot be",
        changed(exchange="2000"),
        "not_affected",
        "A-NONE",
        {"R-EXCH"},
        warnings=("W-EXCH2000-STANDALONE",),
    ),
    Case(
        "Exchange 5.5 beside the running service is never silent",
        changed(exchange="5.5"),
        "not_affected",
        "A-NONE",
        {"R-EXCH"},
        warnings=("W-EXCH55-NATIVE-SMTP",),
    ),
    Case(
        "Exchange 5.5 alone",
        changed(exchange="5.5", smtp__state="stopped", smtp__start_type="disabled"),
        "not_affected",
        "A-NONE",
        {"R-EXCH"},
    ),
    Case(
        "a later Exchange was not tested",
        changed(exchange="2003"),
        "unknown",
        "A-UPGRADE",
        {"R-UNTESTED-LATER"},
    ),
    Case(
        "Exchange not known",
        changed(exchange=WITHHELD),
        "unknown",
        "A-COLLECT",
        missing=("exchange",),
    ),
    Case(
        "Q313450 is not Q302755",
        changed(patch__registry_keys=[LATER_KEY]),
        "affected",
        "A-HOTFIX-PCAT",
        {"R-AFFECTED", "R-LATER-HOTFIX"},
    ),
    Case(
        "not installed",
        changed(smtp={"installed": False}),
        "not_affected",
        "A-NONE",
        {"R-SMTP-ABSENT"},
        priority="P4",
    ),
    Case(
        "not installed, yet running: the contradiction is shown",
        changed(smtp__installed=False),
        "not_affected",
        "A-NONE",
        {"R-SMTP-ABSENT", "R-CONTRADICTION"},
    ),
    Case(
        "installation not known",
        changed(smtp__installed=WITHHELD),
        "unknown",
        "A-COLLECT",
        missing=("smtp.installed",),
    ),
    Case(
        "domain controller",
        changed(domain_role="domain-controller"),
        "not_affected",
        "A-NONE",
        {"R-DOMAIN"},
    ),
    Case(
        "stopped, starts again",
        changed(smtp__state="stopped"),
        "mitigated",
        "A-PATCH-BEFORE-ENABLE",
        {"R-SMTP-STOPPED"},
        "all",
        warnings=("W-REVERSIBLE",),
    ),
    Case(
        "stopped, nobody needs it",
        changed(smtp__state="stopped", needs_smtp=False),
        "mitigated",
        "A-DISABLE-SMTP",
        {"R-SMTP-STOPPED"},
        "all",
        warnings=("W-REVERSIBLE",),
    ),
    Case(
        "stopped, start type not known",
        changed(smtp__state="stopped", smtp__start_type=WITHHELD),
        "unknown",
        "A-COLLECT",
        missing=("smtp.start_type",),
    ),
    Case(
        "state not known",
        changed(smtp__state=WITHHELD),
        "unknown",
        "A-COLLECT",
        missing=("smtp.state",),
    ),
    Case(
        "running, start type not known",
        changed(smtp__start_type=WITHHELD),
        "affected",
        "A-HOTFIX-PCAT",
    ),
    Case(
        "disabled, still running",
        changed(smtp__start_type="disabled"),
        "affected",
        "A-STOP-SMTP",
    ),
    Case(
        "nobody needs it",
        changed(needs_smtp=False),
        "affected",
        "A-DISABLE-SMTP",
    ),
    Case(
        "firewall not known is not blocked",
        changed(firewall_internet_25=WITHHELD),
        "affected",
        "A-HOTFIX-PCAT",
    ),
    Case(
        "blocked, but it listens elsewhere too",
        changed(firewall_internet_25="blocked", smtp__ports=[25, 587]),
        "affected",
        "A-HOTFIX-PCAT",
        warnings=("W-PORT-NOT-25",),
    ),
    Case(
        "blocked, ports not known: a mitigation must be shown",
        changed(firewall_internet_25="blocked", smtp__ports=WITHHELD),
        "affected",
        "A-HOTFIX-PCAT",
    ),
    Case(
        "blocked and role not known",
        changed(firewall_internet_25="blocked", domain_role=WITHHELD),
        "unknown",
        "A-COLLECT",
        missing=("domain_role",),
    ),
    Case(
        "PC-9800",
        changed(os__hardware="pc98"),
        "affected",
        "A-HOTFIX-PC98",
    ),
    Case(
        "Datacenter Server",
        changed(os__edition="Datacenter Server"),
        "affected",
        "A-OEM",
    ),
    Case(
        "another language",
        changed(os__language="en"),
        "affected",
        "A-US-BULLETIN",
    ),
    Case(
        "Professional, role not known: not there by default",
        changed(os__edition="Professional", domain_role=WITHHELD),
        "unknown",
        "A-COLLECT",
        missing=("domain_role",),
        priority="P3",
    ),
    Case(
        "nothing is known",
        only(),
        "unknown",
        "A-COLLECT",
        missing=(
            "os.product",
            "os.service_pack",
            "smtp.installed",
            "smtp.state",
            "smtp.start_type",
            "domain_role",
            "exchange",
            "patch.registry_keys",
            "patch.filelist",
            "patch.reboot_pending",
        ),
    ),
]
SIBLING = [
    Case("no key", changed(), "affected", "A-HOTFIX-PCAT", {"R-AFFECTED"}),
    Case(
        "a domain does not help",
        changed(domain_role="member"),
        "affected",
        "A-HOTFIX-PCAT",
    ),
    Case(
        "a firewall does not help",
        changed(firewall_internet_25="blocked"),
        "affected",
        "A-HOTFIX-PCAT",
    ),
    Case("SP3", changed(os__service_pack=3), "fixed", "A-NONE", {"R-SP3"}),
    Case(
        "SP3, Exchange not known: 5.5 has a service of its own",
        changed(os__service_pack=3, exchange=WITHHELD),
        "unknown",
        "A-COLLECT",
        missing=("exchange",),
    ),
    Case(
        "patched",
        changed(patch__registry_keys=[LATER_KEY]),
        "fixed",
        "A-NONE",
        {"R-PATCH"},
    ),
    Case(
        "the key of MS01-037 is another's",
        changed(patch__registry_keys=[KEY]),
        "affected",
        "A-HOTFIX-PCAT",
    ),
    Case(
        "SP1: the update needs SP2",
        changed(os__service_pack=1),
        "affected",
        "A-SP3",
    ),
    Case(
        "the key on SP1, where it cannot be",
        changed(os__service_pack=1, patch__registry_keys=[LATER_KEY]),
        "unknown",
        "A-COLLECT",
        {"R-CONTRADICTION"},
        missing=("patch.state",),
        warnings=("W-KEY-ON-EARLIER-SP",),
    ),
    Case(
        "Exchange 5.5",
        changed(exchange="5.5"),
        "affected",
        "A-HOTFIX-EXCH55",
        {"R-AFFECTED", "R-EXCH55"},
    ),
    Case(
        "Exchange 5.5: SP3 of Windows does not correct it",
        changed(exchange="5.5", os__service_pack=3),
        "affected",
        "A-HOTFIX-EXCH55",
    ),
    Case(
        "Exchange 5.5 on NT 4.0",
        changed(exchange="5.5", os__product="Windows NT 4.0", os__service_pack=6),
        "affected",
        "A-HOTFIX-EXCH55",
    ),
    Case(
        "Exchange 5.5, patched",
        changed(exchange="5.5", patch__registry_keys=[EXCHANGE_KEY], smtp={}),
        "fixed",
        "A-NONE",
        {"R-PATCH", "R-EXCH55"},
    ),
    Case(
        "Exchange 5.5, patched, beside the running service",
        changed(exchange="5.5", patch__registry_keys=[EXCHANGE_KEY]),
        "fixed",
        "A-NONE",
        warnings=("W-NATIVE-SMTP-TOO",),
    ),
    Case(
        "Exchange 5.5 without its mail service: Windows' own counts",
        changed(
            exchange="5.5",
            exchange_mail_service="absent",
            patch__registry_keys=[LATER_KEY],
        ),
        "fixed",
        "A-NONE",
        {"R-PATCH"},
    ),
    Case(
        "Exchange 2000",
        changed(exchange="2000"),
        "not_affected",
        "A-NONE",
        {"R-EXCH"},
        priority="none",
    ),
    Case(
        "Exchange 5.0 and no service of Windows",
        changed(exchange="5.0", smtp={"installed": False}),
        "not_affected",
        "A-EXCH50-ROUTING",
        {"R-SMTP-ABSENT", "R-EXCH50"},
    ),
    Case(
        "Exchange 5.0 beside the running service",
        changed(exchange="5.0"),
        "affected",
        "A-HOTFIX-PCAT",
        {"R-AFFECTED", "R-EXCH50"},
    ),
    Case(
        "Exchange 4.0 was not tested",
        changed(exchange="4.0"),
        "unknown",
        "A-UPGRADE",
        {"R-UNTESTED"},
    ),
    Case(
        "NT 4.0 with the Option Pack's service",
        changed(os__product="Windows NT 4.0", os__service_pack=6),
        "affected",
        "A-HOTFIX-NT4",
    ),
    Case(
        "NT 4.0 SP4: SP6a comes first",
        changed(os__product="NT4", os__service_pack=4),
        "affected",
        "A-NT4-SP6A",
    ),
    Case(
        "NT 4.0, patched",
        changed(
            os__product="Windows NT Server 4.0",
            os__service_pack=6,
            patch__registry_keys=[NT4_KEY],
        ),
        "fixed",
        "A-NONE",
        {"R-PATCH"},
    ),
    Case(
        "NT 4.0 without the service",
        changed(os__product="Windows NT 4.0", smtp={"installed": False}),
        "not_affected",
        "A-NONE",
        {"R-SMTP-ABSENT"},
    ),
    Case(
        "XP Professional",
        only(os__product="Windows XP Professional"),
        "not_affected",
        "A-NONE",
        {"R-XP"},
    ),
    Case(
        "another system",
        only(os__product="Windows Server 2003"),
        "not_affected",
        "A-NONE",
        {"R-ONLY-LISTED"},
    ),
    Case(
        "disabled",
        changed(smtp__start_type="disabled", smtp__state="stopped"),
        "mitigated",
        "A-PATCH-BEFORE-ENABLE",
        {"R-SMTP-DISABLED"},
        "all",
    ),
]
ALL = [
    *(("MS01-037", case) for case in [*WORKED, *MORE]),
    *(("MS02-011", case) for case in SIBLING),
]


@pytest.mark.parametrize(
    ("advisory", "case"), ALL, ids=[f"{name}: {case.about}" for name, case in ALL]
)
def test_host_is_judged_as_the_bulletin_says(advisory: str, case: Case) -> None:
    found = answer_for(case.host, advisory)
    assert found.verdict.value == case.verdict
    assert (found.scope.value if found.scope else None) == case.scope
    assert found.missing == case.missing
    assert tuple(one.code for one in found.warnings) == case.warnings
    assert found.actions[0].code == case.first
    assert case.reasons <= {one.code for one in found.reasons}
    if case.priority:
        assert found.priority.value == case.priority


@pytest.mark.parametrize(
    ("host", "steps"),
    [
        (changed(), ["A-HOTFIX-PCAT", "A-REBOOT", "A-VERIFY", "alt:A-SP3"]),
        (
            changed(os__service_pack=0),
            ["A-SP3", "A-REBOOT", "A-VERIFY", "alt:A-SP1-OR-SP2-THEN-HOTFIX"],
        ),
        (
            changed(os__hardware=WITHHELD),
            ["A-HOTFIX-PCAT", "A-HOTFIX-PC98", "A-REBOOT", "A-VERIFY", "alt:A-SP3"],
        ),
        (
            changed(needs_smtp=WITHHELD),
            [
                "A-HOTFIX-PCAT",
                "A-REBOOT",
                "A-VERIFY",
                "alt:A-SP3",
                "alt:A-DISABLE-SMTP",
            ],
        ),
        (
            changed(patch__registry_keys=[KEY], patch__reboot_pending=True),
            ["A-REBOOT", "A-VERIFY"],
        ),
    ],
)
def test_steps_come_in_the_order_in_which_they_are_done(
    host: dict[str, Any], steps: list[str]
) -> None:
    assert [one.code for one in answer_for(host).actions] == steps


@pytest.mark.parametrize(
    ("advisory", "probe"),
    [("MS01-037", "AUTH-001"), ("MS01-037", "AUTH-002"), ("MS02-011", "AUTH-004")],
)
def test_proof_beats_whatever_the_inventory_says(advisory: str, probe: str) -> None:
    bulletin = find(advisory)
    assert bulletin is not None
    facts = {"os.product": "Windows 2000", "os.service_pack": 4, "exchange": "none"}
    proved = {"probe.flawed": frozenset({probe})}
    found = Judge(bulletin).judge(Host("h", {**facts, **proved}))
    assert found.verdict.value == "affected"
    codes = [one.code for one in found.reasons]
    assert codes[0] == "R-PROBE"
    assert {"R-SP3", "R-CONTRADICTION"} <= set(codes)


def test_a_probe_that_proved_nothing_changes_nothing() -> None:
    bulletin = find("MS01-037")
    assert bulletin is not None
    facts = {"os.product": "Windows 2000", "os.service_pack": 4}
    none = Judge(bulletin).judge(Host("h", {**facts, "probe.flawed": frozenset[str]()}))
    assert none == Judge(bulletin).judge(Host("h", facts))


def test_web_servers_that_stand_alone_go_first() -> None:
    web = answer_for(changed(id="z", web_server=True))
    other = answer_for(changed(id="a"))
    member = answer_for(changed(id="b", web_server=True, domain_role="member"))
    assert (web.first, other.first, member.first) == (True, False, False)
