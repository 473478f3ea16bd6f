"""SCRAM is exact (RFC 5802, RFC 7677; AUTH-035 to AUTH-038)."""

from binascii import a2b_base64
from collections.abc import Callable
from typing import Any, cast

import pytest
import scramp

from auth.support import (
    BINDING,
    CONTEXT,
    NAME,
    PASSWORD,
    b64,
    login,
    say,
    scram,
    scram_client,
)
from replacing import replace
from sekisho.auth.accounts import AccountStore, NewAccount
from sekisho.auth.gatekeeper import Gatekeeper
from sekisho.auth.sasl import Challenge, Failed, KeysNeeded, Proven, ScramKeys, Step
from sekisho.auth.scram import Scram, _client_final, derive_keys
from sekisho.model.identity import Rejected, Verified

SALT = b"0123456789abcdef"
KEYS = derive_keys("pencil", SALT, 4096)
UNBOUND = replace(CONTEXT, channel_binding=b"")


def dialogue(*, plus: bool = False, binding: bytes = b"") -> Scram:
    return Scram(
        requires_binding=plus,
        channel_binding=binding,
        randomness=lambda octets: b"n" * octets,
    )


def first(message: str, *, plus: bool = False, binding: bytes = b"") -> Step:
    return dialogue(plus=plus, binding=binding).step(message.encode())


def test_rfc_7677_vector() -> None:
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    salt = "W22ZaJ0SNY7soEsUEjb6gQ=="
    keys = derive_keys("pencil", a2b_base64(salt), 4096)
    assert b64(keys.salt) == salt
    step = _client_final(
        f"c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "user",
        (nonce, "biws"),
        keys,
        f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s={salt},i=4096",
    )
    verifier = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert step == Proven("user", verifier)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("mechanism", "binding"),
    [("SCRAM-SHA-256", b""), ("SCRAM-SHA-256-PLUS", BINDING)],
)
async def test_another_client_logs_in_and_verifies_the_server(
    keeper: Gatekeeper, mechanism: str, binding: bytes
) -> None:
    client = scram_client(mechanism, binding=binding)
    answer = await scram(keeper.begin(mechanism, CONTEXT), client)
    assert isinstance(answer, Verified)
    assert answer.identity.account == NAME
    assert answer.identity.mechanism == mechanism


@pytest.mark.asyncio
async def test_another_client_with_odd_name_and_password(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    store.add(NewAccount("a=b,c", "påss=w,ord \u2460 ﬁne"))
    client = scram_client("SCRAM-SHA-256", "A=b,c", "påss=w,ord \u2460 ﬁne")
    answer = await scram(keeper.begin("SCRAM-SHA-256", CONTEXT), client)
    assert isinstance(answer, Verified)
    assert isinstance(await login(keeper, "a=b,c", "påss=w,ord \u2460 ﬁne"), Verified)
    # NFKC is for SCRAM alone: as a password another spelling is another password.
    wrong = await login(keeper, "a=b,c", "påss=w,ord 1 fine")
    assert isinstance(wrong, Rejected)


@pytest.mark.asyncio
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
async def test_wrong_password_unknown_disabled_and_foreign_binding_are_one(
    keeper: Gatekeeper, store: AccountStore, mechanism: str
) -> None:
    binding = BINDING if mechanism.endswith("PLUS") else b""
    store.add(NewAccount("off", PASSWORD))
    store.disable("off")
    for name, password in ((NAME, "wrong"), ("nobody", PASSWORD), ("off", PASSWORD)):
        client = scram_client(mechanism, name, password, binding)
        answer = await scram(keeper.begin(mechanism, CONTEXT), client)
        assert isinstance(answer, Rejected)
        assert answer.account == name
    client = scram_client("SCRAM-SHA-256-PLUS", binding=b"\x08" * 32)
    answer = await scram(keeper.begin("SCRAM-SHA-256-PLUS", CONTEXT), client)
    assert answer == Rejected("the channel bindings do not match", NAME)


@pytest.mark.asyncio
async def test_an_unknown_account_has_a_stable_salt_and_the_usual_count(
    keeper: Gatekeeper,
) -> None:
    seen: dict[str, set[str]] = {"nobody": set(), "somebody": set(), NAME: set()}
    for name, salts in seen.items():
        for _ in range(3):
            hello = f"n,,n={name},r=abc".encode()
            challenge = await say(keeper, "SCRAM-SHA-256", [hello])
            assert isinstance(challenge, Challenge)
            nonce, salt, count = challenge.data.decode().split(",")
            assert nonce.startswith("r=abc")
            assert count == "i=50000"
            assert len(salt) == len("s=") + 24
            salts.add(salt)
    assert [len(salts) for salts in seen.values()] == [1, 1, 1]
    assert len({salt for salts in seen.values() for salt in salts}) == 3


@pytest.mark.asyncio
async def test_accounts_without_keys_look_like_unknown_ones(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    exchange = keeper.begin("SCRAM-SHA-256", CONTEXT)
    store.drop_scram(NAME)
    answer = await scram(exchange, scram_client("SCRAM-SHA-256"))
    assert isinstance(answer, Rejected)
    assert "can verify it so" in answer.reason


@pytest.mark.parametrize(
    "message",
    [
        "",
        ".",
        "n",
        "n,,",
        "n,,n=,r=abc",
        "n,,n=user,r=",  # CVE-2022-48195
        "n,,n=user",
        "n,,r=abc,n=user",
        "n,,n=user,r=abc,r=abc",
        "n,,n=user,n=user,r=abc",
        "n,,n=user,r=a c",
        "n,,n=user,r=abc,",
        "n,,n=user,r=abc,x",
        "n,,n=user,r=abc\n",
        "n,,m=ext,n=user,r=abc",  # AUTH-038
        "n,,n=user,r=abc,m=ext",
        "n,a=,n=user,r=abc",
        "n,a=admin,n=user,r=abc",
        "n,a=us=er,n=user,r=abc",
        "n,x=user,n=user,r=abc",
        "n,,n=us=er,r=abc",
        "n,,n=us=2cer,r=abc",
        "n,,n=us\0er,r=abc",
        "n,,n=us er,r=abc",
        "n,,n=\u212aevin,r=abc",
        "N,,n=user,r=abc",
        "p=tls-unique,,n=user,r=abc",
        "p=tls-server-end-point,,n=user,r=abc",
        "p=,,n=user,r=abc",
        "yn,,n=user,r=abc",
        "n,,n=user,r=" + "a" * 2048,
    ],
)
def test_a_first_message_that_breaks_a_rule_fails(message: str) -> None:
    assert isinstance(first(message), Failed)


@pytest.mark.parametrize(
    "message",
    [
        "n,,n=user,r=abc",
        "y,,n=user,r=abc",
        "n,a=user,n=user,r=abc",
        "n,a=USER,n=User,r=abc",
        "n,,n=user,r=abc,x=unknown",
    ],
)
def test_a_first_message_in_order_asks_for_keys(message: str) -> None:
    step = first(message)
    assert isinstance(step, KeysNeeded)
    assert step.account == "user"


def test_octets_that_are_no_text_fail() -> None:
    assert isinstance(dialogue().step(b"n,,n=\xff,r=abc"), Failed)


@pytest.mark.parametrize(
    ("flag", "plus", "binding", "fails"),
    [
        ("y", False, BINDING, True),  # a downgrade: -PLUS was taken from our list
        ("y", False, b"", False),
        ("n", False, BINDING, False),
        ("p=tls-server-end-point", False, BINDING, True),
        ("p=tls-server-end-point", True, BINDING, False),
        ("p=tls-server-end-point", True, b"", True),
        ("p=tls-unique", True, BINDING, True),
        ("p=tls-exporter", True, BINDING, True),
        ("p=unknown", True, BINDING, True),
        ("n", True, BINDING, True),
        ("y", True, BINDING, True),
    ],
)
def test_gs2_flags(flag: str, plus: bool, binding: bytes, fails: bool) -> None:
    step = first(f"{flag},,n=user,r=abc", plus=plus, binding=binding)
    assert isinstance(step, Failed if fails else KeysNeeded)


def proof_for(final_without_proof: str, server_first: str, algorithm: str) -> bytes:
    """Compute a proof as RFC 5802 §3 says, by another library's functions."""
    core = cast("Any", scramp).core
    mechanism = core.MECHS[algorithm]
    salted = core.hi(mechanism.hf, b"pencil", SALT, 4096)
    key, stored, _ = core._c_key_stored_key_s_key(mechanism.hf, salted)
    spoken = f"n=user,r=abc,{server_first},{final_without_proof}"
    proof: bytes = core.xor(key, core.hmac(mechanism.hf, stored, spoken.encode()))
    return proof


Tamper = Callable[[str, str, str], str]


def finish(tamper: Tamper) -> Step:
    """Carry an exchange on to client-final, as `tamper` makes it.

    It is given what stands before the proof, the proof, and server-first.
    """
    exchange = dialogue()
    step = exchange.step(b"n,,n=user,r=abc")
    assert isinstance(step, KeysNeeded)
    challenge = step.then(KEYS)
    assert isinstance(challenge, Challenge)
    server_first = challenge.data.decode()
    bare = f"c=biws,{server_first.split(',')[0]}"
    proof = b64(proof_for(bare, server_first, "SCRAM-SHA-256"))
    final = tamper(bare, proof, server_first).encode()
    last = exchange.step(final)
    assert exchange.step(final) == Failed("the exchange is over")
    return last


def test_the_right_proof_is_proven() -> None:
    assert isinstance(finish(lambda bare, proof, _: f"{bare},p={proof}"), Proven)


def with_extension(bare: str, _proof: str, server_first: str) -> str:
    bare = f"{bare},x=more"
    return f"{bare},p={b64(proof_for(bare, server_first, 'SCRAM-SHA-256'))}"


def test_an_unknown_extension_is_under_the_proof() -> None:
    assert isinstance(finish(with_extension), Proven)
    last = finish(lambda bare, proof, _: f"{bare},x=more,p={proof}")
    assert last == Failed("the proof is wrong", "user")


def sha1_proof(bare: str, _proof: str, server_first: str) -> str:
    return f"{bare},p={b64(proof_for(bare, server_first, 'SCRAM-SHA-1'))}"


def resigned(change: Callable[[str], str]) -> Tamper:
    """Change what stands before the proof, and prove that."""

    def tamper(bare: str, _proof: str, server_first: str) -> str:
        changed = change(bare)
        proof = proof_for(changed, server_first, "SCRAM-SHA-256")
        return f"{changed},p={b64(proof)}"

    return tamper


def _other_trailing_bits(proof: str) -> str:
    """The same octets in base64 that RFC 4648 §3.5 has decoders refuse."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    place = alphabet.index(proof[-2])
    return proof[:-2] + alphabet[place | 1 if place % 2 == 0 else place - 1] + "="


TAMPERINGS: list[Tamper] = [
    lambda bare, proof, _: bare,
    lambda bare, proof, _: f"{bare},p=",
    lambda bare, proof, _: f"{bare},p={b64(bytes(32))}",
    lambda bare, proof, _: f"{bare},p={b64(bytes(1))}",
    lambda bare, proof, _: f"{bare},p={proof},p={proof}",
    lambda bare, proof, _: f"{bare},p={proof},x=more",
    lambda bare, proof, _: f"{bare},p={proof}\0",
    lambda bare, proof, _: f"{bare},p={proof[:-1]}",
    lambda bare, proof, _: f"{bare},p={proof}=",
    lambda bare, proof, _: f"{bare},p={proof[:4]} {proof[4:]}",
    lambda bare, proof, _: f"{bare},p={_other_trailing_bits(proof)}",
    lambda bare, proof, _: f"p={proof},{bare}",
    lambda bare, proof, _: f"{bare},m=ext,p={proof}",
    lambda bare, proof, server_first: f"{server_first},p={proof}",
    lambda bare, proof, _: "",
    lambda bare, proof, _: "*",
    sha1_proof,
    resigned(lambda bare: bare.replace("biws", "eSws")),  # c= says y,, now
    resigned(lambda bare: bare.replace("biws", "biwsAA==")),
    resigned(lambda bare: bare.replace("biws", "bixhPXgs")),
    resigned(lambda bare: bare.replace("r=abc", "r=xbc")),
    resigned(lambda bare: bare[: bare.index("r=abc") + len("r=abc")]),
    resigned(lambda bare: bare[:-1]),
    resigned(lambda bare: bare + "x"),
]


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_a_final_message_that_is_not_exact_proves_nothing(tamper: Tamper) -> None:
    assert isinstance(finish(tamper), Failed)


@pytest.mark.asyncio
async def test_a_recorded_exchange_proves_nothing_later(keeper: Gatekeeper) -> None:
    client = scram_client("SCRAM-SHA-256")
    hello = client.get_client_first().encode()
    exchange = keeper.begin("SCRAM-SHA-256", CONTEXT)
    challenge = await exchange.step(hello)
    assert isinstance(challenge, Challenge)
    client.set_server_first(challenge.data.decode())
    final = client.get_client_final().encode()
    replayed = await say(keeper, "SCRAM-SHA-256", [hello, final, b""])
    assert replayed == Rejected("the nonce is not ours", NAME)
    assert isinstance(await exchange.step(final), Challenge)
    assert isinstance(await exchange.step(b""), Verified)


@pytest.mark.asyncio
async def test_verified_only_after_server_final_was_answered_with_nothing(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    for response, disabled in ((b"x", False), (b"", True)):
        client = scram_client("SCRAM-SHA-256")
        exchange = keeper.begin("SCRAM-SHA-256", CONTEXT)
        challenge = await exchange.step(client.get_client_first().encode())
        assert isinstance(challenge, Challenge)
        client.set_server_first(challenge.data.decode())
        final = await exchange.step(client.get_client_final().encode())
        assert isinstance(final, Challenge)
        if disabled:
            store.disable(NAME)
        assert isinstance(await exchange.step(response), Rejected)
        assert isinstance(await exchange.step(b""), Rejected)


@pytest.mark.asyncio
async def test_a_disabled_account_never_gets_the_servers_signature(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    store.disable(NAME)
    client = scram_client("SCRAM-SHA-256")
    exchange = keeper.begin("SCRAM-SHA-256", CONTEXT)
    challenge = await exchange.step(client.get_client_first().encode())
    assert isinstance(challenge, Challenge)
    client.set_server_first(challenge.data.decode())
    answer = await exchange.step(client.get_client_final().encode())
    assert answer == Rejected("the account is disabled", NAME)


@pytest.mark.asyncio
async def test_without_a_binding_plus_is_neither_offered_nor_taken(
    keeper: Gatekeeper,
) -> None:
    assert keeper.mechanisms() == (
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-256",
        "PLAIN",
        "LOGIN",
    )
    assert "SCRAM-SHA-256-PLUS" not in keeper.mechanisms(channel_binding=False)
    client = scram_client("SCRAM-SHA-256-PLUS", binding=BINDING)
    answer = await scram(keeper.begin("SCRAM-SHA-256-PLUS", UNBOUND), client)
    assert answer == Rejected("the mechanism is not offered")


def test_keys_are_in_no_repr() -> None:
    assert "key" not in repr(ScramKeys(SALT, 4096, b"stored", b"server"))
