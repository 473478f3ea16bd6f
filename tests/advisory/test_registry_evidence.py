"""Only what a registry proves becomes a fact; what would calm must be shown."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisory.exporting import (
    CONTROL,
    SOFTWARE,
    UPDATE,
    Value,
    branch,
    export,
    windows_2000,
)
from sekisho.advisory.evidence import Evidence, take_evidence
from sekisho.advisory.export_file import read_export
from sekisho.advisory.joining import host_of

WINDOWS = SOFTWARE + "\\Windows NT\\CurrentVersion"
SERVICES = CONTROL + "\\Services"
SID = b"\x01\x04" + b"\0" * 5 + b"\x05" + bytes(range(16))


def taken(
    change: dict[str, dict[str, Value] | None] | None = None, *, whole: bool = True
) -> Evidence:
    """What is taken of that host with some keys changed, or gone (None)."""
    keys = windows_2000()
    for path, values in (change or {}).items():
        if values is None:
            for one in [one for one in keys if one.startswith(path)]:
                del keys[one]
        else:
            keys[path] = {**keys.get(path, {}), **values}
    return take_evidence(read_export(export(branch(keys) if whole else keys)), "f")


def fact(host: dict[str, Any], path: str) -> Any:
    found: Any = host
    for name in path.split("."):
        found = found.get(name, {})
    return found if found != {} else None


def test_an_export_of_a_host_gives_its_facts() -> None:
    assert taken().host == {
        "id": "WEB-01",
        "os": {
            "product": "Windows 2000",
            "edition": "Advanced Server",
            "service_pack": 2,
            "language": "ja",
            "hardware": "pc98",
        },
        "smtp": {"installed": True, "start_type": "auto"},
        "exchange": "none",
        "exchange_mail_service": "absent",
        "patch": {"registry_keys": [UPDATE], "reboot_pending": False},
    }


def test_the_list_of_files_is_shown_and_not_taken_for_the_files() -> None:
    evidence = taken()
    assert "filelist" not in evidence.host["patch"]
    assert any("smtpsvc.dll, version 5.0.2195.3779" in one.en for one in evidence.notes)
    bare = taken({UPDATE + "\\Filelist": None})
    assert [one.en for one in bare.notes] == ["Q302755 has no Filelist"]


CASES: list[tuple[dict[str, dict[str, Value] | None], str, object]] = [
    ({SERVICES + "\\SMTPSVC": {"Start": 4}}, "smtp.start_type", "disabled"),
    ({SERVICES + "\\SMTPSVC": {"Start": 3}}, "smtp.start_type", "manual"),
    ({SERVICES + "\\SMTPSVC": {"Start": 9}}, "smtp.start_type", None),
    ({SERVICES + "\\SMTPSVC": {"Start": "2"}}, "smtp.start_type", None),
    ({SERVICES + "\\SMTPSVC": None}, "smtp.installed", False),
    ({SERVICES: None}, "smtp.installed", None),
    (
        {SERVICES + "\\SMTPSVC": None, SERVICES + "\\Tcpip": None},
        "smtp.installed",
        None,
    ),
    ({UPDATE: None, SOFTWARE + "\\Updates": None}, "patch.registry_keys", []),
    ({CONTROL + "\\Control\\Windows": {"CSDVersion": 0x300}}, "os.service_pack", None),
    ({WINDOWS: {"CSDVersion": "Service Pack 3, RC 1"}}, "os.service_pack", 2),
    ({WINDOWS: {"CSDVersion": 2}}, "os.service_pack", 2),
    ({WINDOWS: {"CurrentVersion": "4.0"}}, "os.product", "Windows NT 4.0"),
    ({WINDOWS: {"CurrentVersion": "4.0"}}, "os.edition", "Server"),
    ({WINDOWS: {"CurrentVersion": "3.51"}}, "os.product", "Windows NT 3.51"),
    (
        {WINDOWS: {"CurrentVersion": "5.1", "ProductName": "Microsoft Windows XP"}},
        "os.product",
        "Windows XP",
    ),
    ({WINDOWS: {"ProductName": "Microsoft Windows XP"}}, "os.product", None),
    ({WINDOWS: None}, "os.product", None),
    (
        {CONTROL + "\\Control\\ProductOptions": {"ProductType": "WinNT"}},
        "os.edition",
        "Professional",
    ),
    (
        {CONTROL + "\\Control\\ProductOptions": {"ProductSuite": ["DataCenter"]}},
        "os.edition",
        "Datacenter Server",
    ),
    (
        {CONTROL + "\\Control\\ProductOptions": {"ProductSuite": []}},
        "os.edition",
        "Server",
    ),
    (
        {CONTROL + "\\Control\\ProductOptions": {"ProductType": "LanmanNT"}},
        "domain_role",
        "domain-controller",
    ),
    ({"HKLM\\SECURITY\\Policy\\PolPrDmS": {"": SID}}, "domain_role", "member"),
    ({"HKLM\\SECURITY\\Policy\\PolPrDmS": {"": b"\0" * 4}}, "domain_role", None),
    (
        {SERVICES + "\\Netlogon\\Parameters": {"DynamicSiteName": "Tokyo"}},
        "domain_role",
        None,
    ),
    (
        {"HKLM\\HARDWARE\\DESCRIPTION\\System": {"Identifier": "AT/AT COMPATIBLE"}},
        "os.hardware",
        "pcat",
    ),
    (
        {"HKLM\\HARDWARE\\DESCRIPTION\\System": {"Identifier": "FUJITSU FMR-"}},
        "os.hardware",
        None,
    ),
    (
        {CONTROL + "\\Control\\Nls\\Language": {"InstallLanguage": "0409"}},
        "os.language",
        "en",
    ),
    (
        {SOFTWARE + "\\Exchange\\Setup": {"NewestBuild": 4417}},
        "exchange",
        None,
    ),
    ({SERVICES + "\\MSExchangeIS": {}}, "exchange", None),
    ({SERVICES + "\\MSExchangeSA": {}}, "exchange", None),
    (
        {
            SOFTWARE + "\\Exchange\\Setup": {"NewestBuild": 2650},
            SERVICES + "\\MSExchangeIS": {},
        },
        "exchange",
        "5.5",
    ),
    (
        {
            SOFTWARE + "\\Exchange\\Setup": {"NewestBuild": 9999},
            SERVICES + "\\MSExchangeIS": {},
        },
        "exchange",
        None,
    ),
    ({SERVICES + "\\MSExchangeIMC": {}}, "exchange_mail_service", "present"),
    (
        {
            CONTROL + "\\Control\\Session Manager": {
                "PendingFileRenameOperations": ["\\??\\C:\\smtpsvc.dll"]
            }
        },
        "patch.reboot_pending",
        True,
    ),
    (
        {CONTROL + "\\Control\\Session Manager": None},
        "patch.reboot_pending",
        None,
    ),
]


@pytest.mark.parametrize(("change", "path", "expected"), CASES)
def test_a_fact_is_taken_only_where_it_is_shown(
    change: dict[str, dict[str, Value] | None], path: str, expected: object
) -> None:
    assert fact(taken(change).host, path) == expected


def test_no_service_pack_is_taken_only_from_a_whole_key() -> None:
    keys = windows_2000()
    del keys[CONTROL + "\\Control\\Windows"]
    del keys[WINDOWS]["CSDVersion"]
    whole = take_evidence(read_export(export(branch(keys))), "f")
    part = take_evidence(read_export(export(keys)), "f")
    assert fact(whole.host, "os.service_pack") == 0
    assert fact(part.host, "os.service_pack") is None


def test_a_part_of_a_registry_proves_no_absence() -> None:
    part = taken({SERVICES + "\\SMTPSVC": None, UPDATE: None}, whole=False)
    for path in ("smtp.installed", "exchange", "patch", "exchange_mail_service"):
        assert fact(part.host, path) is None, path


def test_keys_of_a_part_are_taken_with_a_note_that_there_may_be_more() -> None:
    part = taken(whole=False)
    assert fact(part.host, "patch.registry_keys") == [UPDATE]
    assert any("a part of the updates only" in one.en for one in part.notes)


def test_updates_of_nt_are_taken_from_what_can_be_uninstalled() -> None:
    uninstall = SOFTWARE + "\\Windows\\CurrentVersion\\Uninstall"
    keys: dict[str, dict[str, Value] | None] = {
        f"{uninstall}\\310669": {"DisplayName": "Q310669"},
        f"{uninstall}\\Office": {"DisplayName": "Office"},
    }
    evidence = taken({**keys, SOFTWARE + "\\Updates": None})
    found = fact(evidence.host, "patch.registry_keys")
    assert found == [f"{uninstall}\\310669"]
    assert evidence.notes == []


def test_a_host_without_a_name_is_called_as_its_file() -> None:
    assert taken({CONTROL + "\\Control\\ComputerName": None}).host["id"] == "f"


_KEYS = windows_2000()


@given(st.sets(st.sampled_from(sorted(_KEYS))))
def test_a_fragment_shows_nothing_that_the_whole_does_not(kept: set[str]) -> None:
    fragment = {path: values for path, values in _KEYS.items() if path in kept}
    part = host_of(take_evidence(read_export(export(fragment)), "WEB-01"))
    assert part.facts.items() <= host_of(taken()).facts.items()


def test_an_empty_export_proves_nothing() -> None:
    assert take_evidence(read_export(export({})), "f").host == {"id": "f"}
