"""Offline hives, made by hivex and read by regipy, tell what exports tell."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisory.exporting import (
    CONTROL,
    UPDATE,
    Value,
    branch,
    export,
    make_hive,
    needs_hivex,
    windows_2000,
)
from sekisho.advisory.evidence import take_evidence
from sekisho.advisory.export_file import read_export
from sekisho.advisory.hive import Hive
from sekisho.advisory.registry import RegistryError, Together

pytestmark = [pytest.mark.real, needs_hivex]


SENTENCES = {
    "the hive is damaged",
    "it is a hive, but neither SOFTWARE, SYSTEM nor SECURITY",
    "a key of it has more than 10000 values",
}


def sentence(path: Path) -> str:
    """What is said of a file, which may be read as well."""
    try:
        take_evidence(Hive(path), "f")
    except RegistryError as error:
        return error.sentence
    return ""


def of_a_hive() -> dict[str, dict[str, Value]]:
    """The same host; a hive has no CurrentControlSet, but says which one it was."""
    keys = {
        path.replace("CurrentControlSet", "ControlSet002"): values
        for path, values in windows_2000().items()
    }
    keys["HKLM\\SYSTEM\\Select"] = {"Current": 2, "Default": 2}
    keys["HKLM\\SYSTEM\\ControlSet001\\Services\\SMTPSVC"] = {"Start": 4}
    return keys


def test_hives_tell_what_an_export_of_the_same_host_tells(tmp_path: Path) -> None:
    software = make_hive(tmp_path / "SOFTWARE", "SOFTWARE", of_a_hive())
    system = make_hive(tmp_path / "SYSTEM", "SYSTEM", of_a_hive())
    found = take_evidence(Together([Hive(software), Hive(system)]), "f").host
    expected = take_evidence(read_export(export(branch(windows_2000()))), "f").host
    del expected["os"]["hardware"]  # HARDWARE is made at start, and in no file
    assert found == expected


def test_one_hive_alone_leaves_the_other_s_facts_open(tmp_path: Path) -> None:
    software = make_hive(tmp_path / "SOFTWARE", "SOFTWARE", of_a_hive())
    host = take_evidence(Hive(software), "file").host
    assert host["id"] == "file"
    assert host["patch"] == {"registry_keys": [UPDATE]}
    assert "smtp" not in host
    assert "exchange" not in host


def test_japanese_values_of_a_hive_are_read(tmp_path: Path) -> None:
    software = Hive(make_hive(tmp_path / "S", "SOFTWARE", of_a_hive()))
    key = software.find("hklm\\software\\microsoft\\windows nt\\currentversion")
    assert key is not None
    assert key.text("RegisteredOrganization") == "株式会社ソフト表示"
    assert software.find("HKLM\\SOFTWARE\\Microsoft\\None") is None
    assert software.find(CONTROL) is None
    assert not software.tells_of(CONTROL)


def test_a_hive_copied_while_written_to_proves_no_absence(tmp_path: Path) -> None:
    keys = of_a_hive()
    del keys["HKLM\\SYSTEM\\ControlSet002\\Services\\SMTPSVC"]
    path = make_hive(tmp_path / "SYSTEM", "SYSTEM", keys)
    assert take_evidence(Hive(path), "f").host["smtp"] == {"installed": False}
    octets = bytearray(path.read_bytes())
    octets[4] ^= 1
    path.write_bytes(octets)
    assert "smtp" not in take_evidence(Hive(path), "f").host


def test_a_hive_of_something_else_is_refused(tmp_path: Path) -> None:
    keys: dict[str, dict[str, Value]] = {"HKLM\\SAM\\SAM\\Domains": {"a": 1}}
    with pytest.raises(RegistryError, match="neither SOFTWARE, SYSTEM nor SECURITY"):
        Hive(make_hive(tmp_path / "SAM", "SAM", keys))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("hive")
    return make_hive(folder / "SYSTEM", "SYSTEM", of_a_hive()).read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=2000)
@given(data=st.data())
def test_no_damage_of_a_hive_leads_to_anything_but_a_sentence(
    whole: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    octets = bytearray(whole)
    size = len(octets.rstrip(b"\0"))
    for _ in range(data.draw(st.integers(0, 12))):
        at = data.draw(st.integers(0, size - 1))
        octets[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x20, 0x6E]))
    path = tmp_path / "damaged"
    path.write_bytes(octets[: data.draw(st.integers(0, len(octets)))])
    assert sentence(path) in {*SENTENCES, ""}
