"""Whether the plug-in does what every authenticator must."""

import asyncio
from hashlib import sha256
from pathlib import Path

from sekisho_example import ExampleAuthenticator, build

from sekisho.auth.conformance import PasswordCase, check_failing, check_passwords
from sekisho.auth.plugin import PluginTools

CASE = PasswordCase("alice@own.test", "a fine secret", "another", "nobody")


def make(users: Path) -> ExampleAuthenticator:
    """Build one."""
    tools = PluginTools("example", lambda: 1_800_000_000.0, users.parent)
    return build({"users": str(users)}, tools)


def test_it_conforms(tmp_path: Path) -> None:
    """Right and wrong, unknown and strange."""
    users = tmp_path / "users"
    users.write_text(f"{CASE.account}:{sha256(CASE.password.encode()).hexdigest()}\n")
    assert asyncio.run(check_passwords(lambda: make(users), CASE)) == []


def test_a_backend_that_fails_is_unavailable(tmp_path: Path) -> None:
    """Its file is gone."""
    assert asyncio.run(check_failing(lambda: make(tmp_path / "gone"), CASE)) == []
