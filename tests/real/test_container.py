"""The image's pieces, without a container: what it installs, and how it is started.

The installed program lies where the image has it, is run by the image's own entry
point as a user without privileges, with a root file system that can only be read, and
is set up by the variables of ``compose.yaml`` alone.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from peers import confined
from peers.certificate import make_certificate
from peers.confined import PROGRAM, Place, as_nobody, beside
from peers.process import Process, run, wait_for
from real.messages import token
from sekisho.app.supervisor import STOP_SECONDS
from sekisho.config.load import load_config
from sekisho.config.schema import Config
from sekisho.config.values import rules
from sekisho.policy.decide import compile_rules
from sekisho.policy.proof import prove

ROOT = Path(__file__).parents[2]
CONTAINERFILE = (ROOT / "Containerfile").read_text()
COMPOSE = (ROOT / "compose.yaml").read_text()
DEFAULTS = ROOT / "packaging" / "container" / "sekisho.toml"
IN_THE_IMAGE = "/etc/sekisho/sekisho.toml"
SECRETS = "/run/secrets"
UV = Path(sys.executable).with_name("uv")
USER, PASSWORD = "app@relay.example.com", "a password for an application"


def instruction(name: str) -> list[str]:
    """The last one of this name, as words: of the stage that is run."""
    value = re.findall(rf"^{name} (.*)$", CONTAINERFILE, re.MULTILINE)[-1]
    if value.startswith("--interval"):
        value = value[value.index("CMD ") + 4 :]
    return json.loads(value) if value.startswith("[") else value.split()


def variables(secrets: Path) -> dict[str, str]:
    """What compose.yaml sets, with the secrets in another folder."""
    found = re.findall(r"^ +(SEKISHO_\w+): '(.*)'$", COMPOSE, re.MULTILINE)
    assert len(found) == COMPOSE.count("SEKISHO_") >= 5
    return {name: value.replace(SECRETS, str(secrets)) for name, value in found}


def write_secrets(folder: Path) -> None:
    """Write the files that compose.yaml hands in."""
    folder.mkdir(mode=0o755)
    pair = make_certificate(folder, "relay.example.com", "127.0.0.1")
    pair.certificate.rename(folder / "certificate.pem")
    pair.key.rename(folder / "key.pem")
    (folder / "provider").write_text("what the provider gave\n")
    named = re.findall(
        r"^ +([\w.]+): \{ file: \./secrets/([\w.]+) \}", COMPOSE, re.MULTILINE
    )
    assert {to for _, to in named} == {"certificate.pem", "key.pem", "provider"}
    for file in folder.iterdir():
        os.chown(file, confined.NOBODY, -1)
        file.chmod(0o400)


def closed(config: Config) -> bool:
    return prove(compile_rules(rules(config)), now=1_790_000_000.0).findings == ()


def test_one_variable_is_enough_and_gives_a_closed_relay() -> None:
    config = load_config(DEFAULTS, {"SEKISHO_HOSTNAME": "relay.example.com"})
    assert [one.name for one in config.listeners] == ["mx"]
    assert closed(config)


def test_the_variables_of_the_compose_file_give_a_closed_relay(tmp_path: Path) -> None:
    write_secrets(tmp_path / "secrets")
    config = load_config(DEFAULTS, variables(tmp_path / "secrets"))
    assert [one.name for one in config.listeners] == ["mx", "submission"]
    assert closed(config)


def test_the_variables_of_the_how_to_are_taken(tmp_path: Path) -> None:
    write_secrets(tmp_path / "secrets")
    page = (ROOT / "docs" / "howto" / "containers.md").read_text()
    found = re.findall(r"^ {4}(SEKISHO_\w+)='(.*)'$", page, re.MULTILINE)
    assert len(found) == 3
    own = {key: text.replace(SECRETS, str(tmp_path / "secrets")) for key, text in found}
    config = load_config(DEFAULTS, {"SEKISHO_HOSTNAME": "relay.example.com", **own})
    assert closed(config)


def test_ports_are_those_that_are_published_and_need_no_privilege(
    tmp_path: Path,
) -> None:
    write_secrets(tmp_path / "secrets")
    config = load_config(DEFAULTS, variables(tmp_path / "secrets"))
    bound = {address.port for one in config.listeners for address in one.bind}
    (ports,) = re.findall(r"^ +ports: (\[.*\])$", COMPOSE, re.MULTILINE)
    published = {int(pair.partition(":")[2]) for pair in json.loads(ports)}
    assert bound == published == {int(port) for port in instruction("EXPOSE")}
    assert min(bound) >= 1024


def test_the_image_is_run_without_privileges_and_ended_in_time() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instruction("USER")[0])
    assert instruction("STOPSIGNAL") == ["SIGTERM"]
    for line in ("read_only: true", "cap_drop: [ALL]", "no-new-privileges:true"):
        assert line in COMPOSE
    assert "cap_add" not in COMPOSE
    (grace,) = re.findall(r"stop_grace_period: (\d+)s", COMPOSE)
    assert int(grace) > STOP_SECONDS
    for name in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):  # None wants a shell.
        assert IN_THE_IMAGE in instruction(name) or name == "ENTRYPOINT"


def test_all_that_is_copied_into_the_image_is_there() -> None:
    sources = [
        source
        for line in re.findall(
            r"^COPY (?!--from)(.*) \S+$", CONTAINERFILE, re.MULTILINE
        )
        for source in line.split()
    ]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source.split('/')[0]}" in ignored, source


# -- installed and run ----------------------------------------------------------------


@cache
def names_in(pins: str) -> dict[str, str]:
    # With or without extras: both name one package of one version.
    pinned = re.compile(r"^([\w.-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)
    return dict(pinned.findall((ROOT / pins).read_text()))


def test_the_image_gets_the_versions_that_are_tested() -> None:
    tested = names_in("requirements.txt")
    for pins in ("packaging/run.txt", "packaging/build.txt"):
        assert names_in(pins).items() <= tested.items()
    assert not {"pytest", "ruff", "pyright"} & set(names_in("packaging/run.txt"))


@pytest.fixture
def place() -> Iterator[Place]:
    with confined.place() as made:
        yield made


def install(place: Place) -> Path:
    """Install a wheel and what it needs as the image does; where it lies meanwhile."""
    program = place.folder / "program"
    program.mkdir(mode=0o755)
    cache = {**os.environ, "UV_CACHE_DIR": str(ROOT / ".cache" / "uv")}
    wheels = place.folder / "dist"
    built = ["build", "--wheel", "--no-build-isolation", "--python", sys.executable]
    run([UV, *built, "-o", wheels, ROOT], environment=cache, seconds=60).well()
    # In a namespace, so that scripts name the interpreter by its path in the image.
    script = (
        "set -e; mount -t tmpfs tmpfs /opt; mkdir /opt/sekisho; "
        'mount --bind "$1" /opt/sekisho; uv=$2; '
        '"$uv" venv -q --clear -p "$3" /opt/sekisho; '
        'install="$uv pip install -q -p /opt/sekisho --link-mode copy"; '
        '$install --require-hashes -r "$4"; $install --no-deps --offline "$5"/*.whl'
    )
    pins = ROOT / "packaging" / "run.txt"
    words = [program, UV, sys.base_prefix + "/bin/python3", pins, wheels]
    within = ["unshare", "-m", "sh", "-c", script, "sh", *words]
    run(within, environment=cache, seconds=120).well()
    return program


class Container:
    """The image's entry point, under the image's bounds."""

    def __init__(self, place: Place, environment: dict[str, str]) -> None:
        self.place = place
        self.log = place.folder / "log.jsonl"
        self.started = [*place.entering(install(place)), *as_nobody()]
        self.process = self._process("serve", environment)

    def _process(self, command: str, environment: dict[str, str]) -> Process:
        words = instruction("ENTRYPOINT") + instruction("CMD")
        assert command in words
        return Process(
            [*self.started, *self.own(words)],
            log=self.place.folder / "stderr.txt",
            separate_output=self.log,
            environment=environment,
            folder=self.place.state,
        )

    @staticmethod
    def own(words: list[str]) -> list[str]:
        """The image's file stands elsewhere on a machine that is no container."""
        return [str(DEFAULTS) if word == IN_THE_IMAGE else word for word in words]

    def run(self, *words: str) -> str:
        """`docker exec`: in there, as the image's user."""
        return beside(self.process, *self.own(list(words))).well().output

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            self.process.assert_alive()
            return self.log.exists() and "service.ready" in self.log.read_text()

        wait_for("service.ready", ready, 20)


@pytest.mark.timeout(180)
def test_a_user_without_privileges_relays_by_variables_alone(place: Place) -> None:
    secrets = place.folder / "secrets"
    write_secrets(secrets)
    drop = place.state / "drop"
    environment = {
        "PATH": "/usr/bin:/bin",
        **variables(secrets),
        "SEKISHO_DATA_DIR": str(place.state / "data"),
        "SEKISHO_ROUTE": f'[{{ to = "*", via = "drop:{drop}" }}]',
    }
    container = Container(place, environment)
    sekisho, where = str(PROGRAM / "bin" / "sekisho"), ["-c", IN_THE_IMAGE]
    password = place.state / "password"
    password.write_text(PASSWORD)
    os.chown(password, confined.NOBODY, -1)
    with container.process as process:
        container.wait_until_ready()
        health = container.run(*instruction("HEALTHCHECK"))
        assert health == "well: relay.example.com, 0 in the queue\n"
        for folder in ("/", "/etc", str(PROGRAM)):
            assert beside(process, "test", "-w", folder, root=True).status == 1
        user = ["user", "add", USER, *where, "--password-file", str(password)]
        container.run(sekisho, *user)
        mark = token()
        server = ["--server", "127.0.0.1:2587", "--insecure", "--quiet"]
        signed = ["--user", USER, "--password-file", str(password)]
        mail = ["--from", USER, "--to", "a@world.test", "--subject", mark]
        container.run(sekisho, "send", *server, *signed, *mail)
        wait_for(
            "the message",
            lambda: [one for one in drop.glob("*.eml") if mark in one.read_text()],
        )
        assert process.stop(30) == 0
    assert "Traceback" not in process.output()
    written = subprocess.run(
        ["find", place.folder / "program", "-newer", container.log, "-type", "f"],
        capture_output=True,
        check=True,
    )
    assert written.stdout == b""
