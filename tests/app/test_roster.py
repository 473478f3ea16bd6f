"""Authenticators whose tables did not change stay, whatever else changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from sekisho.app import roster as rosters
from sekisho.app.control import Refusal
from sekisho.app.roster import Roster
from sekisho.app.storage import open_accounts
from sekisho.auth.hashing import HashingPool
from sekisho.config.load import load_config
from sekisho.config.schema import Config

LDAP = {
    "kind": '"ldap"',
    "servers": '["ldaps://127.0.0.1:9"]',
    "profile": '"openldap"',
    "base": '"dc=own,dc=test"',
    "bind_dn": '"cn=sekisho,dc=own,dc=test"',
    "bind_password": '"secret"',
}
OIDC = {
    "kind": '"oidc"',
    "issuer": '"https://id.test"',
    "jwks": '"https://id.test/keys"',
    "audience": '["mail"]',
    "account": '"sub"',
}
WINBIND = {"kind": '"winbind"', "domains": '["OWN"]', "directory": '"ldap"'}
LOCAL = {"kind": '"local"'}


def config_of(folder: Path, *tables: dict[str, str]) -> Config:
    lines = ['hostname = "relay.test"', f'data_dir = "{folder}/data"']
    for table in tables:
        lines += ["[[authenticator]]", *(f"{key} = {table[key]}" for key in table)]
    path = folder / "sekisho.toml"
    path.write_text("\n".join(lines))
    return load_config(path, {})


@pytest_asyncio.fixture
async def roster(tmp_path: Path) -> AsyncIterator[Roster]:
    with ExitStack() as closing:
        accounts = open_accounts(config_of(tmp_path), lambda: 0.0, closing)
        pool = HashingPool()
        closing.callback(pool.close)
        made = Roster(accounts, pool, lambda: 0.0)
        yield made
        await made.close()


@pytest.mark.asyncio
async def test_what_did_not_change_stays_the_same_object(
    roster: Roster, tmp_path: Path
) -> None:
    assert await roster.take(config_of(tmp_path, LDAP, OIDC, WINBIND, LOCAL))
    before = roster.authenticators
    assert [one.name for one in before] == ["ldap", "oidc", "winbind", "local"]
    assert not await roster.take(config_of(tmp_path, LDAP, OIDC, WINBIND, LOCAL))
    assert roster.authenticators == before
    # Another order is another chain of the same.
    assert await roster.take(config_of(tmp_path, LOCAL, WINBIND, OIDC, LDAP))
    assert roster.authenticators == before[::-1]
    changed = {**OIDC, "audience": '["other"]'}
    assert await roster.take(config_of(tmp_path, LDAP, changed, WINBIND, LOCAL))
    same = [one is was for one, was in zip(roster.authenticators, before, strict=True)]
    assert same == [True, False, True, True]


@pytest.mark.asyncio
async def test_what_rests_on_a_changed_directory_is_built_anew(
    roster: Roster, tmp_path: Path
) -> None:
    await roster.take(config_of(tmp_path, WINBIND, LDAP, LOCAL))
    before = roster.authenticators
    await roster.take(config_of(tmp_path, WINBIND, {**LDAP, "connections": "3"}, LOCAL))
    same = [one is was for one, was in zip(roster.authenticators, before, strict=True)]
    assert same == [False, False, True]


@pytest.mark.asyncio
async def test_where_one_cannot_be_built_nothing_has_changed(
    roster: Roster, tmp_path: Path
) -> None:
    await roster.take(config_of(tmp_path, LDAP, LOCAL))
    before = roster.authenticators
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    unusable = {**LDAP, "name": '"other"', "ca": f'"{broken}"'}
    with pytest.raises(Refusal, match=r"broken\.pem"):
        await roster.take(config_of(tmp_path, {**LDAP, "connections": "3"}, unusable))
    assert roster.authenticators == before
    assert not await roster.take(config_of(tmp_path, LDAP, LOCAL))


@pytest.mark.asyncio
async def test_what_went_is_closed_after_its_exchanges_had_time_to_end(
    roster: Roster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rosters, "LINGER_SECONDS", 0.05)
    closed: list[str] = []

    def watched(name: str, entry: object) -> None:
        assert isinstance(entry, rosters._Entry)
        entry.closing.callback(closed.append, name)

    await roster.take(config_of(tmp_path, LDAP, OIDC, LOCAL))
    for name, entry in roster._entries.items():
        watched(name, entry)
    await roster.take(config_of(tmp_path, LOCAL, {**OIDC, "audience": '["other"]'}))
    await asyncio.sleep(0)
    assert closed == []
    await asyncio.sleep(0.2)
    assert sorted(closed) == ["ldap", "oidc"]
    assert not roster._leaving
    await roster.close()
    assert sorted(closed) == ["ldap", "local", "oidc"]


@pytest.mark.asyncio
async def test_what_is_still_leaving_is_closed_with_all(
    roster: Roster, tmp_path: Path
) -> None:
    closed: list[str] = []
    await roster.take(config_of(tmp_path, LDAP, LOCAL))
    roster._entries["ldap"].closing.callback(closed.append, "ldap")
    await roster.take(config_of(tmp_path, LOCAL))
    await roster.close()
    assert closed == ["ldap"]
