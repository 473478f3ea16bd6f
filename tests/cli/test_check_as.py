"""``sekisho check --as USER`` tells beforehand what the service could not reach."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from auth.test_keytab import SMTP, entry, keytab
from peers.certificate import make_certificate
from peers.service import COMMAND

USER = "nobody"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A configuration that everybody can reach, unlike pytest's own folders."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    made = Path("/var/tmp") / f"sekisho-check-{os.getpid()}"
    made.mkdir()
    made.chmod(0o755)
    make_certificate(made, "relay.test")
    (made / "password").write_text("secret\n")
    (made / "smtp.keytab").write_bytes(keytab(entry(SMTP)))
    (made / "sekisho.toml").write_text(
        'hostname = "relay.test"\ndata_dir = "data"\n'
        '[[listener]]\nname = "mx"\nrole = "mx"\nbind = ["127.0.0.1:25"]\n'
        '[tls]\ncertificate = "cert.pem"\nkey = "key.pem"\n'
        '[smarthost.out]\nservers = ["smtp://smtp.example.net:587"]\nusername = "us"\n'
        'password = { file = "password" }\n'
        '[[authenticator]]\nkind = "kerberos"\nrealms = ["OWN.TEST"]\n'
        'keytab = "smtp.keytab"\naddresses = ["{user}@own.test"]\n'
    )
    for file in made.iterdir():
        file.chmod(0o644)
    try:
        yield made
    finally:
        subprocess.run(["rm", "-rf", made], check=True)


def told(folder: Path, *options: str) -> tuple[int, list[str], list[str]]:
    arguments = [COMMAND, "check", "-c", folder / "sekisho.toml", "--json", *options]
    finished = subprocess.run(arguments, stdout=subprocess.PIPE, check=False)
    answer = json.loads(finished.stdout)
    return finished.returncode, answer["lacks"], answer["look"]


def test_who_can_reach_all_lacks_nothing(folder: Path) -> None:
    code, lacks, look = told(folder, "--as", USER)
    assert (code, lacks) == (0, [])
    (port,) = look
    assert port.startswith("ports below 1024 (25):")


@pytest.mark.parametrize("file", ["key.pem", "cert.pem", "password", "smtp.keytab"])
def test_a_file_that_the_user_cannot_read_is_named(folder: Path, file: str) -> None:
    (folder / file).chmod(0o600)
    assert told(folder)[:2] == (0, [])  # Who asks, can.
    code, lacks, _ = told(folder, "--as", USER)
    assert code == 1
    assert any(file in one for one in lacks), lacks


def test_a_data_folder_of_somebody_else_is_named(folder: Path) -> None:
    data = folder / "data"
    (data / "queue").mkdir(parents=True)
    data.chmod(0o755)
    code, (sentence,), _ = told(folder, "--as", USER)
    assert code == 1
    assert sentence.startswith(f"{data} cannot be written")
    subprocess.run(["chown", USER, data], check=True)
    _, (sentence,), _ = told(folder, "--as", USER)
    assert sentence.startswith(f"{data / 'queue'} cannot be read and written")
    subprocess.run(["chown", "-R", USER, data], check=True)
    assert told(folder, "--as", USER)[:2] == (0, [])


def test_a_user_that_is_not_there_is_one_sentence(folder: Path) -> None:
    arguments = [COMMAND, "check", "-c", folder / "sekisho.toml", "--as", "nobody-here"]
    finished = subprocess.run(arguments, capture_output=True, check=False)
    assert finished.returncode == 1
    assert b"there is no user 'nobody-here'" in finished.stderr
