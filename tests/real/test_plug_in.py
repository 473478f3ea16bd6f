"""A plug-in of another package verifies users, and its faults verify nobody."""

import sys
from hashlib import sha256
from pathlib import Path

import pytest

from peers.process import run
from peers.service import COMMAND, OWN, Service, Settings, plain_settings
from peers.sink import RecordingSink
from real.test_durability import taking

TEMPLATE = Path(__file__).parents[2] / "docs" / "plugin-template"
USER, PASSWORD = f"alice@{OWN}", "a fine secret"


def install(folder: Path, code: str = "") -> Path:
    """Lay the template where Python finds it, as an installer would."""
    info = folder / "sekisho_example-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: sekisho-example\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        "[sekisho.authenticators]\nexample = sekisho_example:build\n"
    )
    source = (TEMPLATE / "sekisho_example.py").read_text()
    (folder / "sekisho_example.py").write_text(source + code)
    return folder


def settings_for(sink: RecordingSink, users: Path) -> Settings:
    sink.answer = taking
    settings = plain_settings(sink.url)
    settings["authenticator"] = [
        {"kind": "example", "name": "example", "options": {"users": str(users)}}
    ]
    return settings


@pytest.fixture
def users(tmp_path: Path) -> Path:
    file = tmp_path / "users"
    file.write_text(f"{USER}:{sha256(PASSWORD.encode()).hexdigest()}\n")
    return file


def test_it_verifies_and_a_changed_file_counts_at_once(
    tmp_path: Path, users: Path, sink: RecordingSink
) -> None:
    path = install(tmp_path / "site")
    variables = {"PYTHONPATH": str(path)}
    with Service(
        tmp_path / "service", settings_for(sink, users), variables=variables
    ) as service:
        with service.dial("submission") as client:
            client.starttls()
            assert client.login(USER, "wrong").code == 535
        with service.dial("submission") as client:
            client.starttls()
            assert client.login(USER, PASSWORD).code == 235
            assert client.say(f"MAIL FROM:<{USER}>").code == 250
            assert client.say("RSET").code == 250
            users.write_text("")
            assert client.say(f"MAIL FROM:<{USER}>").code == 421
        users.unlink()
        with service.dial("submission") as client:
            client.starttls()
            assert client.login(USER, PASSWORD).code == 454


def test_a_plug_in_that_answers_nonsense_is_454(
    tmp_path: Path, users: Path, sink: RecordingSink
) -> None:
    code = """

async def _nonsense(self, account, password):
    return True


ExampleAuthenticator.verify_password = _nonsense
"""
    path = install(tmp_path / "site", code)
    with (
        Service(
            tmp_path / "service",
            settings_for(sink, users),
            variables={"PYTHONPATH": str(path)},
        ) as service,
        service.dial("submission") as client,
    ):
        client.starttls()
        assert client.login(USER, PASSWORD).code == 454
        assert client.say(f"MAIL FROM:<{USER}>").code == 530


def test_a_plug_in_that_cannot_be_built_is_a_sentence(
    tmp_path: Path, users: Path, sink: RecordingSink
) -> None:
    path = install(tmp_path / "site", "\n\nraise RuntimeError('a secret')\n")
    service = Service(
        tmp_path / "service",
        settings_for(sink, users),
        variables={"PYTHONPATH": str(path)},
    )
    ended = run(
        [COMMAND, "serve", "-c", service.configuration],
        environment=service.environment,
        folder=service.folder,
    )
    assert ended.status in {1, 2}, ended
    assert "plug-in 'example' cannot be built" in ended.errors
    assert "a secret" not in ended.errors
    assert "Traceback" not in ended.errors


def test_a_plug_in_that_is_not_installed_is_not_known(
    tmp_path: Path, users: Path, sink: RecordingSink
) -> None:
    service = Service(tmp_path / "service", settings_for(sink, users))
    told = service.run("check")
    assert told.status == 2
    assert "'example' is not known" in told.errors


def test_the_template_conforms(tmp_path: Path) -> None:
    path = install(tmp_path / "site")
    tests = TEMPLATE / "tests"
    run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests],
        environment={"PYTHONPATH": str(path), "PATH": "/usr/bin:/bin"},
        folder=tmp_path,
    ).well()
