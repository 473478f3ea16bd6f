"""Servers whose mechanisms of challenge, certificate or token miss a check."""

import hmac
import json
import re
import secrets
from base64 import urlsafe_b64decode
from dataclasses import dataclass, replace

from sekisho.audit.authentication import srp
from sekisho.audit.authentication.certificates import authority
from sekisho.audit.authentication.challenges import digest_response
from sekisho.audit.authentication.otp import one_time_password
from sekisho.audit.lab import sound
from sekisho.audit.lab.exchange_flaws import offering, proves_nothing
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.manners import Mechanism
from sekisho.audit.lab.scram_server import Scram
from sekisho.audit.lab.session import LabSession
from sekisho.audit.visit import Account
from sekisho.model.text import Text

# --- EXTERNAL


async def _vouches_for_himself(session: LabSession, initial: bytes | None) -> bytes:
    claimed = await session.response(initial)
    return session.signed_in(claimed or sound.USER)


async def _by_certificate(session: LabSession, initial: bytes | None) -> bytes:
    """Take who shows a certificate for a user, whoever has issued it."""
    claimed = await session.response(initial)
    if not session.shows_certificate:
        return sound.BAD_CREDENTIALS
    return session.signed_in(claimed or sound.USER)


# --- CRAM-MD5 and DIGEST-MD5


def _cram(*, fresh: bool, digest_needed: bool = True) -> Mechanism:
    async def mechanism(session: LabSession, initial: bytes | None) -> bytes:
        if initial is not None:
            return sound.MALFORMED_CREDENTIALS
        told = secrets.token_hex(8) if fresh else "4711"
        challenge = f"<{told}@lab.test>".encode()
        user, _, digest = (await session.challenge(challenge)).rpartition(b" ")
        if not digest_needed and digest == sound.USER:
            return session.signed_in(sound.USER)
        right = hmac.new(sound.PASSWORD, challenge, "md5").hexdigest().encode()
        if user == sound.USER and hmac.compare_digest(digest, right):
            return session.signed_in(user)
        return sound.BAD_CREDENTIALS

    return mechanism


_NONCE = re.compile(rb'[ ,]nonce="([^"]*)"')
_RESPONSE = re.compile(rb"response=([0-9a-f]{32})")
_URI = re.compile(rb'digest-uri="smtp/([^"]*)"')
ACCOUNT = Account(sound.USER.decode(), sound.PASSWORD.decode())


def _digest(*, own_nonce: bool) -> Mechanism:
    async def mechanism(session: LabSession, initial: bytes | None) -> bytes:
        if initial is not None:
            return sound.MALFORMED_CREDENTIALS
        nonce = secrets.token_hex(8)
        answer = await session.challenge(_digest_challenge(nonce))
        said = [pattern.search(answer) for pattern in (_NONCE, _RESPONSE, _URI)]
        if None in said:
            return sound.MALFORMED_CREDENTIALS
        given, response, host = (found[1].decode() for found in said if found)
        used = nonce if own_nonce else given
        right = digest_response(ACCOUNT, _digest_challenge(used).decode(), host)
        if given == used and f"response={response}" in right:
            return session.signed_in(sound.USER)
        return sound.BAD_CREDENTIALS

    return mechanism


def _digest_challenge(nonce: str) -> bytes:
    return f'realm="lab.test",nonce="{nonce}",qop="auth",algorithm=md5-sess'.encode()


# --- OTP and SRP


@dataclass
class _OneTime:
    """OTP (RFC 2444); `again` is the flaw."""

    again: bool
    sequence: int = 400

    async def __call__(self, session: LabSession, initial: bytes | None) -> bytes:
        user = (await session.response(initial)).rpartition(b"\0")[2]
        challenge = f"otp-md5 {self.sequence} tegata1 ext"
        answer = await session.challenge(challenge.encode())
        right = one_time_password(sound.PASSWORD.decode(), challenge) or ""
        if user != sound.USER or not hmac.compare_digest(answer, right.encode()):
            return sound.BAD_CREDENTIALS
        if not self.again:
            self.sequence = self.sequence - 1 or 400
        return session.signed_in(user)


_PRIME = (1 << 521) - 1
_GENERATOR = 3
_NUMBERS = tuple(
    number.to_bytes((number.bit_length() + 7) // 8, "big")
    for number in (_PRIME, _GENERATOR, pow(_GENERATOR, 4711, _PRIME))
)


def _srp(*, zero_allowed: bool) -> Mechanism:
    async def mechanism(session: LabSession, initial: bytes | None) -> bytes:
        await session.response(initial)
        modulus, generator, public = _NUMBERS
        salt = b"tegata"
        content = b"\0"
        for octets, width in ((modulus, 2), (generator, 2), (salt, 1), (public, 2)):
            content += len(octets).to_bytes(width, "big") + octets
        content += b"\0\0"
        answer = await session.challenge(len(content).to_bytes(4, "big") + content)
        size = int.from_bytes(answer[4:6], "big")
        ours, proof = answer[6 : 6 + size], answer[7 + size : 27 + size]
        if int.from_bytes(ours, "big") % _PRIME or not zero_allowed:
            return sound.BAD_CREDENTIALS
        # The secret is 0 to whatever power, so anybody knows the key.
        user = sound.USER
        right = srp.evidence(modulus, generator, user, salt, ours, public, b"")
        if hmac.compare_digest(proof, right):
            return session.signed_in(user)
        return sound.BAD_CREDENTIALS

    return mechanism


# --- tokens

_TOKEN = re.compile(rb"auth=Bearer ([^\x01]*)\x01")
_CLAIMED = re.compile(rb"(?:user=|n,a=)([^\x01,]*)")


async def _refused_token(session: LabSession) -> bytes:
    await session.raw_challenge(b"eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=")
    return sound.BAD_CREDENTIALS


def _token(*, unsigned_allowed: bool = False, names_anybody: bool = False) -> Mechanism:
    async def mechanism(session: LabSession, initial: bytes | None) -> bytes:
        said = await session.response(initial)
        token, claimed = _TOKEN.search(said), _CLAIMED.search(said)
        if token is None or claimed is None:
            return sound.MALFORMED_CREDENTIALS
        if unsigned_allowed and _is_unsigned(token[1]):
            return session.signed_in(claimed[1])
        if token[1] == sound.PASSWORD and (names_anybody or claimed[1] == sound.USER):
            return session.signed_in(claimed[1])
        return await _refused_token(session)

    return mechanism


def _is_unsigned(token: bytes) -> bool:
    head = token.partition(b".")[0]
    try:
        header = json.loads(urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
    except ValueError:
        return False
    return str(header.get("alg", "")).lower() == "none"


def _tokens(mechanism: Mechanism) -> dict[str, Mechanism]:
    return {"OAUTHBEARER": mechanism, "XOAUTH2": mechanism}


def _scram(mechanism: Scram) -> dict[str, Mechanism]:
    return {"SCRAM-SHA-256": mechanism}


SCRAM_OFFERED = offering(_scram(Scram()))
CERTIFICATES_TAKEN = replace(offering({"EXTERNAL": _by_certificate}), trusts=authority)

MECHANISM_FLAWS: tuple[Flaw, ...] = (
    Flaw(
        name="external-without-certificate",
        title=Text(
            "EXTERNAL believes who shows no certificate",
            "EXTERNAL が証明書のない利用者を信用する",
        ),
        probes=("AUTH-031",),
        manners=offering({"EXTERNAL": _vouches_for_himself}),
        twin=offering({"EXTERNAL": proves_nothing}),
    ),
    Flaw(
        name="external-any-certificate",
        title=Text(
            "EXTERNAL believes an authority that anybody can be",
            "EXTERNAL が誰でも使える認証局の証明書を信用する",
        ),
        probes=("AUTH-032",),
        manners=CERTIFICATES_TAKEN,
        twin=replace(CERTIFICATES_TAKEN, mechanisms={"EXTERNAL": proves_nothing}),
    ),
    Flaw(
        name="cram-md5-no-digest",
        title=Text(
            "CRAM-MD5 believes a name without a digest",
            "CRAM-MD5 がダイジェストのない名前を信用する",
        ),
        probes=("AUTH-033",),
        manners=offering({"CRAM-MD5": _cram(fresh=True, digest_needed=False)}),
        twin=offering({"CRAM-MD5": _cram(fresh=True)}),
    ),
    Flaw(
        name="cram-md5-one-challenge",
        title=Text("CRAM-MD5 always asks the same", "CRAM-MD5 のチャレンジが毎回同じ"),
        probes=("AUTH-033",),
        manners=offering({"CRAM-MD5": _cram(fresh=False)}),
        twin=offering({"CRAM-MD5": _cram(fresh=True)}),
    ),
    Flaw(
        name="digest-md5-replay",
        title=Text(
            "DIGEST-MD5 counts with the nonce that the client brings",
            "DIGEST-MD5 がクライアントの示す nonce で検証する",
        ),
        probes=("AUTH-034",),
        manners=offering({"DIGEST-MD5": _digest(own_nonce=False)}),
        twin=offering({"DIGEST-MD5": _digest(own_nonce=True)}),
    ),
    Flaw(
        name="scram-nonce",
        title=Text("SCRAM does not compare the nonce", "SCRAM が nonce を比較しない"),
        probes=("AUTH-035",),
        manners=offering(_scram(Scram(whole_nonce=False))),
        twin=SCRAM_OFFERED,
    ),
    Flaw(
        name="scram-proof",
        title=Text(
            "SCRAM compares as much of the proof as there is",
            "SCRAM が届いた長さだけ proof を比較する",
        ),
        probes=("AUTH-036",),
        manners=offering(_scram(Scram(whole_proof=False))),
        twin=SCRAM_OFFERED,
    ),
    Flaw(
        name="scram-binding",
        title=Text(
            "SCRAM does not look at what it is bound to",
            "SCRAM がチャネルバインディングを検証しない",
        ),
        probes=("AUTH-037",),
        manners=offering(_scram(Scram(binding=False))),
        twin=SCRAM_OFFERED,
    ),
    Flaw(
        name="scram-random-salt",
        title=Text(
            "SCRAM makes up a new salt for who does not exist",
            "SCRAM が未知の利用者に毎回異なるソルトを返す",
        ),
        probes=("AUTH-038",),
        manners=offering(_scram(Scram(stable_salt=False))),
        twin=SCRAM_OFFERED,
    ),
    Flaw(
        name="srp-zero",
        title=Text("SRP takes a key that is zero", "SRP が A mod N = 0 を受け入れる"),
        probes=("AUTH-039",),
        manners=offering({"SRP": _srp(zero_allowed=True)}),
        twin=offering({"SRP": _srp(zero_allowed=False)}),
    ),
    Flaw(
        name="otp-twice",
        title=Text(
            "A one-time password is good again",
            "ワンタイムパスワードを再利用できる",
        ),
        probes=("AUTH-040",),
        manners=offering({"OTP": _OneTime(again=True)}),
        twin=offering({"OTP": _OneTime(again=False)}),
    ),
    Flaw(
        name="jwt-alg-none",
        title=Text(
            "Tokens without a signature are believed", "署名のないトークンを信用する"
        ),
        probes=("AUTH-041",),
        manners=offering(_tokens(_token(unsigned_allowed=True))),
        twin=offering(_tokens(_token())),
    ),
    Flaw(
        name="token-for-another",
        title=Text(
            "The name beside the token is believed",
            "トークンとともに申告された名前を信用する",
        ),
        probes=("AUTH-042",),
        manners=offering(_tokens(_token(names_anybody=True))),
        twin=offering(_tokens(_token())),
    ),
)
