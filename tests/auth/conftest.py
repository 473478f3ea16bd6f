"""Fixtures: a file of accounts with one account, and its gatekeeper."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from auth.keepers import local_gatekeeper
from auth.support import Clock, add_alice, open_store
from sekisho.auth.accounts import AccountStore
from sekisho.auth.gatekeeper import Gatekeeper
from sekisho.auth.hashing import HashingPool


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts.db"


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[AccountStore]:
    store = open_store(path, clock)
    add_alice(store)
    yield store
    store.close()


@pytest.fixture
def pool() -> Iterator[HashingPool]:
    pool = HashingPool(threads=1, gives_way=False)
    yield pool
    pool.close()


@pytest.fixture
def keeper(store: AccountStore, pool: HashingPool, clock: Clock) -> Gatekeeper:
    return local_gatekeeper(store, pool, clock=clock)
