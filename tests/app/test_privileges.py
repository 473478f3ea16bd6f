"""What root gives up is gone for good, for itself and all that it starts.

What cannot be taken back is done in a process of its own, never in that of the tests.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sekisho.app import privileges
from sekisho.app.control import Refusal
from sekisho.app.privileges import Owner, owner_of, prepare, user_named
from sekisho.config.load import load_config
from sekisho.config.schema import Config

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give it up")

_NOBODY = user_named("nobody")

_LOOK = """
import json, os, subprocess, sys
from pathlib import Path
from sekisho.app.privileges import Owner, become, give_up_capabilities

def state(text):
    lines = (line.partition(":") for line in text.splitlines())
    return {name: value.split() for name, _, value in lines}

def told(**more):
    child = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True)
    print(json.dumps({
        "self": state(Path("/proc/self/status").read_text()),
        "child": state(child.stdout), **more,
    }))

def can(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        return False
    return True
"""
_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
_NONE = ["0" * 16]


def told_by(lines: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-c", _LOOK + lines, *arguments]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@needs_root
def test_a_root_without_capabilities_has_none_and_starts_none(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("another user's")
    os.chown(secret, _NOBODY.uid, _NOBODY.gid)
    secret.chmod(0o600)
    tmp_path.chmod(0o755)
    seen = told_by(
        """
before = can(Path(sys.argv[1]).read_text)
done = give_up_capabilities()
told(before=before, done=done, reads=can(Path(sys.argv[1]).read_text),
     becomes=can(os.setuid, 65534), uid=os.geteuid())
""",
        str(secret),
    )
    assert seen["done"] is True
    assert seen["before"] is True
    assert (seen["reads"], seen["becomes"], seen["uid"]) == (False, False, 0)
    for who in ("self", "child"):
        assert {name: seen[who][name] for name in _SETS} == dict.fromkeys(_SETS, _NONE)
        assert seen[who]["NoNewPrivs"] == ["1"]


@needs_root
@pytest.mark.parametrize("name", [_NOBODY.name, str(_NOBODY.uid)])
def test_who_becomes_another_user_cannot_come_back(name: str) -> None:
    seen = told_by(
        """
become(Owner(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
told(back=can(os.setuid, 0), own=os.stat("/proc/self").st_uid)
""",
        name,
        str(_NOBODY.uid),
        str(_NOBODY.gid),
    )
    assert seen["back"] is False
    assert seen["own"] == _NOBODY.uid
    for who in ("self", "child"):
        assert set(seen[who]["Uid"]) == {str(_NOBODY.uid)}
        assert set(seen[who]["Gid"]) == {str(_NOBODY.gid)}
        assert set(seen[who]["Groups"]) <= {str(_NOBODY.gid)}
        assert seen[who]["CapEff"] == _NONE
        assert seen[who]["NoNewPrivs"] == ["1"]


def config_of(folder: Path, *lines: str) -> Config:
    path = folder / "sekisho.toml"
    data = f'data_dir = "{folder}/data"'
    path.write_text("\n".join(['hostname = "relay.test"', data, *lines]))
    return load_config(path, {})


@needs_root
def test_root_becomes_the_user_that_is_named_or_whose_the_data_are(
    tmp_path: Path,
) -> None:
    assert owner_of(config_of(tmp_path)) is None
    config = config_of(tmp_path)
    prepare(config.data_dir, None)
    assert owner_of(config) is None
    assert owner_of(config_of(tmp_path, 'user = "nobody"')) == _NOBODY
    os.chown(config.data_dir, _NOBODY.uid, _NOBODY.gid)
    assert owner_of(config) == _NOBODY
    assert owner_of(config_of(tmp_path, 'user = "root"')) is None
    os.chown(config.data_dir, 64321, 64322)
    assert owner_of(config) == Owner("64321", 64321, 64322)


def test_a_user_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no user 'no-such-user'") as refused:
        user_named("no-such-user")
    assert "useradd" in refused.value.hint
    if os.geteuid() == 0:
        with pytest.raises(Refusal, match="no user"):
            owner_of(config_of(tmp_path, 'user = "no-such-user"'))


def test_who_is_not_root_can_be_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privileges.os, "geteuid", lambda: _NOBODY.uid)
    assert owner_of(config_of(tmp_path)) is None
    assert owner_of(config_of(tmp_path, 'user = "nobody"')) is None
    with pytest.raises(Refusal, match="started as nobody") as refused:
        owner_of(config_of(tmp_path, 'user = "root"'))
    assert "start it as root" in refused.value.hint


def test_a_new_data_folder_is_its_owners_alone_and_an_old_one_is_left_as_it_is(
    tmp_path: Path,
) -> None:
    owner = _NOBODY if os.geteuid() == 0 else None
    new = tmp_path / "far" / "data"
    prepare(new, owner)
    assert new.stat().st_mode & 0o777 == 0o700
    assert new.stat().st_uid == (owner.uid if owner else os.geteuid())
    old = tmp_path / "old"
    old.mkdir()
    old.chmod(0o750)
    prepare(old, owner)
    assert old.stat().st_mode & 0o777 == 0o750
    assert old.stat().st_uid == os.geteuid()
