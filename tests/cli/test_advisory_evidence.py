"""What the commands say of a registry, an audit, this installation, and as files."""

import json
from pathlib import Path
from typing import Any

import pytest

from advisory.exporting import (
    CONTROL,
    SOFTWARE,
    Value,
    branch,
    export,
    make_hive,
    needs_hivex,
    windows_2000,
)
from cli.conftest import Command


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    path = tmp_path / "host.reg"
    path.write_bytes(export(branch(windows_2000())))
    return path


def with_service_pack_3() -> dict[str, dict[str, Value]]:
    keys = windows_2000()
    windows = SOFTWARE + "\\Windows NT\\CurrentVersion"
    keys[windows] = {**keys[windows], "CSDVersion": "Service Pack 3"}
    keys[CONTROL + "\\Control\\Windows"] = {"CSDVersion": 0x300}
    return keys


def inventory(folder: Path, *hosts: dict[str, Any]) -> Path:
    path = folder / "inventory.json"
    path.write_text(json.dumps(list(hosts)))
    return path


def audit(folder: Path, host: str, **verdicts: str) -> Path:
    results = [
        {"id": probe.replace("_", "-"), "verdict": verdict}
        for probe, verdict in verdicts.items()
    ]
    target = {"host": host, "port": 25, "results": results}
    path = folder / "audit.json"
    path.write_text(json.dumps({"schema": "s", "targets": [target]}))
    return path


def test_a_registry_alone_is_judged(sekisho: Command, registry: Path) -> None:
    registry.write_bytes(export(branch(with_service_pack_3())))
    ended = sekisho(
        "advisory", "assess", "--registry", registry, "--advisory", "MS01-037", "--json"
    )
    assert ended.code == 0, ended.err
    (answer,) = ended.json
    assert (answer["id"], answer["verdict"]) == ("WEB-01", "fixed")
    assert answer["reasons"][0] == "R-SP3"
    assert "smtpsvc.dll" in answer["notes"][0]


@needs_hivex
@pytest.mark.real
def test_the_hives_of_one_host_are_judged_together(
    sekisho: Command, tmp_path: Path
) -> None:
    keys = {
        path.replace("CurrentControlSet", "ControlSet001"): values
        for path, values in with_service_pack_3().items()
    }
    keys["HKLM\\SYSTEM\\Select"] = {"Current": 1}
    software = make_hive(tmp_path / "SOFTWARE", "SOFTWARE", keys)
    system = make_hive(tmp_path / "SYSTEM", "SYSTEM", keys)
    files = ("--registry", software, "--registry", system)
    ended = sekisho("advisory", "assess", *files, "--advisory", "MS01-037")
    assert ended.code == 0, ended.err
    assert "WEB-01" in ended.out
    assert "smtpsvc.dll" in ended.out


def test_a_registry_that_is_none_is_wrong_use(sekisho: Command, tmp_path: Path) -> None:
    path = tmp_path / "x.reg"
    path.write_bytes(b"REGEDIT4\r\n\r\n[a\r\n")
    ended = sekisho("advisory", "assess", "--registry", path)
    assert ended.code == 4
    assert "line 3: a key has no closing bracket" in ended.err
    assert "hint: " in ended.err
    assert sekisho("advisory", "assess", "--registry", tmp_path / "none").code == 4
    assert sekisho("advisory", "assess").code == 4


def test_files_of_several_hosts_are_wrong_use(
    sekisho: Command, registry: Path, tmp_path: Path
) -> None:
    keys = windows_2000()
    keys[CONTROL + "\\Control\\ComputerName\\ComputerName"] = {"ComputerName": "B"}
    other = tmp_path / "b.reg"
    other.write_bytes(export(branch(keys)))
    files = ("--registry", registry, "--registry", other)
    ended = sekisho("advisory", "assess", *files)
    assert ended.code == 4
    assert "the files are of several hosts: B, WEB-01" in ended.err


def test_a_contradiction_is_shown_and_believed_by_nobody(
    sekisho: Command, registry: Path, tmp_path: Path
) -> None:
    path = inventory(tmp_path, {"id": "web-01", "os": {"service_pack": 3}})
    arguments = ("advisory", "assess", path, "--registry", registry)
    ended = sekisho(*arguments, "--advisory", "MS01-037")
    assert ended.code == 3
    assert "os.service_pack: the inventory says 3, the registry 2" in ended.out
    japanese = sekisho(*arguments, "--lang", "ja")
    assert "不明として扱う" in japanese.out


def test_a_proof_beats_the_inventory_and_both_are_shown(
    sekisho: Command, tmp_path: Path
) -> None:
    host = {"id": "h", "os": {"product": "Windows 2000", "service_pack": 4}}
    path = inventory(tmp_path, host, {"id": "other"})
    report = audit(tmp_path, "h", AUTH_001="flawed", AUTH_002="safe", RLY_001="safe")
    arguments = ("advisory", "assess", path, "--audit", report)
    ended = sekisho(*arguments, "--advisory", "MS01-037")
    assert ended.code == 1
    assert "R-PROBE" in ended.out
    assert "R-CONTRADICTION" in ended.out
    assert "h: AUTH-001 succeeded on port 25: that is proof" in ended.out
    assert "AUTH-002 on port 25: safe; recorded, it proves nothing" in ended.out
    assert "RLY-001" not in ended.out
    assert "1 hosts were not audited" in ended.err
    answers = sekisho(*arguments, "--advisory", "MS01-037", "--json").json
    assert [one["id"] for one in answers[0]["audit"]] == [
        "AUTH-001",
        "AUTH-002",
        "RLY-001",
    ]
    assert "audit" not in answers[1]


def test_an_audit_of_nobody_known_is_said(sekisho: Command, tmp_path: Path) -> None:
    report = audit(tmp_path, "b\x1b[31m", AUTH_001="flawed")
    path = inventory(tmp_path, {"id": "a"})
    ended = sekisho("advisory", "assess", path, "--audit", report)
    assert ended.code == 3
    assert "is of no host in the inventory" in ended.err
    assert "\x1b" not in ended.err
    report.write_text("{}")
    assert sekisho("advisory", "assess", path, "--audit", report).code == 4


def test_an_advisory_is_exported_to_a_folder_a_file_or_standard_output(
    sekisho: Command, tmp_path: Path
) -> None:
    printed = sekisho("advisory", "export", "ms01-037")
    assert printed.code == 0
    assert printed.json["document"]["csaf_version"] == "2.0"
    assert sekisho("advisory", "export", "MS01-037", "-o", tmp_path).code == 0
    file = tmp_path / "sekisho-ms01-037.json"
    assert file.read_text("utf-8") == printed.out
    new = f"{tmp_path}/new/folder/"
    assert sekisho("advisory", "export", "MS01-037", "-o", new).code == 0
    assert (tmp_path / "new" / "folder" / file.name).exists()
    named = tmp_path / "x.json"
    arguments = ("--lang", "ja", "--publisher", "E", "--namespace", "https://e.example")
    assert sekisho("advisory", "export", "MS01-037", *arguments, "-o", named).code == 0
    publisher = json.loads(named.read_text("utf-8"))["document"]["publisher"]
    assert publisher["namespace"] == "https://e.example"


@pytest.mark.parametrize(
    "arguments",
    [
        ("none",),
        ("MS01-037", "--namespace", "http://e.example"),
        ("MS01-037", "--namespace", "https://"),
        ("MS01-037", "--publisher", " "),
    ],
)
def test_an_export_that_makes_no_sense_is_wrong_use(
    sekisho: Command, arguments: tuple[str, ...]
) -> None:
    assert sekisho("advisory", "export", *arguments).code == 2


def test_a_page_is_written_as_one_file_or_printed(
    sekisho: Command, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    assert sekisho("advisory", "show", "MS01-037", "--html", path).code == 0
    printed = sekisho("advisory", "show", "MS01-037", "--html", "-")
    assert path.read_text("utf-8") == printed.out
    assert printed.out.startswith("<!DOCTYPE html>")


def test_self_reads_the_configuration_and_tells_if_it_is_wrong(
    sekisho: Command, config: Path
) -> None:
    ended = sekisho("advisory", "self", "-c", config, "--json")
    assert ended.code in (0, 1, 3), ended.err
    assert ended.json["configuration"] == str(config)
    assert ended.json["advisories"][0]["verdict"] == "not_affected"
    config.write_text("nonsense")
    assert sekisho("advisory", "self", "-c", config).code == 2
