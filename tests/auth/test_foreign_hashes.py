"""Hashes of other programs: taken over, checked, and replaced at the first login."""

import importlib
from typing import Any

import pytest

from auth.support import CONTEXT, NAME, Clock, plain
from sekisho.auth.account import AccountError
from sekisho.auth.accounts import AccountStore, NewAccount
from sekisho.auth.foreign_hashes import check_foreign, foreign_hash
from sekisho.auth.gatekeeper import Gatekeeper
from sekisho.auth.hashing import PasswordCheck, is_hash
from sekisho.model.identity import Rejected, Verified

PASSWORD = "correct horse battery"
_SCHEMES: Any = importlib.import_module("passlib.hash")


def _hashed(scheme: str, rounds: int) -> str:
    chosen: Any = getattr(_SCHEMES, scheme)
    return str((chosen.using(rounds=rounds) if rounds else chosen).hash(PASSWORD))


KINDS = {
    "bcrypt": _hashed("bcrypt", 4),
    "sha256_crypt": _hashed("sha256_crypt", 1000),
    "sha512_crypt": _hashed("sha512_crypt", 1000),
    "pbkdf2": _hashed("pbkdf2_sha256", 1000),
    "ssha512": _hashed("ldap_salted_sha512", 0),
    "dovecot": "{SHA256-CRYPT}" + _hashed("sha256_crypt", 1000),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_read_and_compared(kind: str) -> None:
    kept = foreign_hash(KINDS[kind])
    assert check_foreign(kept, PASSWORD) is PasswordCheck.RIGHT
    assert check_foreign(kept, PASSWORD + "x") is PasswordCheck.WRONG


def test_bcrypt_is_not_cut_at_72_octets() -> None:
    """AUTH-018: what begins alike is another password, and no fault either."""
    begins = "ä" * 36
    kept: str = _SCHEMES.bcrypt.using(rounds=4).hash(begins)
    assert check_foreign(kept, begins) is PasswordCheck.RIGHT
    for longer in (begins + "x", begins * 2):
        assert check_foreign(kept, longer) is PasswordCheck.WRONG


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "{PLAIN}secret",
        "$1$abcdefgh$0000000000000000000000",
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "$6$rounds=999999999$abc$" + "x" * 86,
        "$2b$19$" + "a" * 53,
        "$6$broken",
        "$2b$04$" + "a" * 600,
        "!",
        "*",
    ],
)
def test_what_protects_nothing_or_costs_too_much_is_not_taken(text: str) -> None:
    with pytest.raises(AccountError) as caught:
        foreign_hash(text)
    assert not text or text not in str(caught.value)


@pytest.mark.asyncio
async def test_the_first_login_replaces_it(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    store.add(NewAccount("carol@example.com", hashed=KINDS["sha512_crypt"]))
    assert "SCRAM-SHA-256" not in keeper.mechanisms()
    wrong = plain("carol@example.com", "wrong")
    assert isinstance(await keeper.begin("PLAIN", CONTEXT).step(wrong), Rejected)
    right = plain("carol@example.com", PASSWORD)
    found = await keeper.begin("PLAIN", CONTEXT).step(right)
    assert isinstance(found, Verified)
    assert keeper.is_current(found.identity)
    carol = store.get("carol@example.com")
    assert is_hash(carol.password_hash)
    assert carol.scram is not None
    assert store.a_foreign_hash == ""
    assert isinstance(await keeper.begin("PLAIN", CONTEXT).step(right), Verified)
    assert isinstance(await keeper.begin("PLAIN", CONTEXT).step(wrong), Rejected)


@pytest.mark.asyncio
async def test_a_wrong_password_costs_the_same_whoever_it_is_of(
    keeper: Gatekeeper,
    store: AccountStore,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sekisho.auth import local  # noqa: PLC0415

    store.add(NewAccount("carol@example.com", hashed=KINDS["sha512_crypt"]))
    checked: list[str] = []

    def counted(kept: str, password: str) -> PasswordCheck:
        checked.append(kept)
        return check_foreign(kept, password)

    monkeypatch.setattr(local, "check_foreign", counted)
    for name in ("alice@example.com", "carol@example.com", "nobody@example.com"):
        clock.move(3600)
        checked.clear()
        found = await keeper.begin("PLAIN", CONTEXT).step(plain(name, "wrong"))
        assert isinstance(found, Rejected)
        assert len(checked) == 1, name


@pytest.mark.asyncio
async def test_the_password_of_an_imported_account_opens_no_other(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    """Its hash is the decoy that others are checked against, to take as long."""
    store.add(NewAccount("carol@example.com", hashed=KINDS["sha512_crypt"]))
    for name in (NAME, "nobody@example.com"):
        found = await keeper.begin("PLAIN", CONTEXT).step(plain(name, PASSWORD))
        assert isinstance(found, Rejected)
    own = await keeper.begin("PLAIN", CONTEXT).step(plain())
    assert isinstance(own, Verified)
    assert own.identity.account == NAME


@pytest.mark.parametrize("scheme", ["sha256_crypt", "sha512_crypt", "pbkdf2_sha256"])
def test_other_kinds_read_long_passwords_whole(scheme: str) -> None:
    begins = "x" * 100
    kept: str = getattr(_SCHEMES, scheme).using(rounds=1000).hash(begins + "y")
    assert check_foreign(kept, begins + "y") is PasswordCheck.RIGHT
    for other in (begins, begins + "z", begins + "yy"):
        assert check_foreign(kept, other) is PasswordCheck.WRONG
