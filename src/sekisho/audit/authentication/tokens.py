"""Tokens (RFC 7628, RFC 7519): signatures that are none, and another's name.

Left out of AUTH-041 is what needs the provider's public key, or a listener that waits
for the server to fetch a foreign key. Left out of AUTH-042 is what needs a provider
that makes tokens to order; where the account's password is a token, it is shown for
somebody else.
"""

import hmac
import json
from base64 import urlsafe_b64encode

from sekisho.audit.authentication.accounts import NO_ACCOUNT, hidden
from sekisho.audit.authentication.attempt import (
    Attempt,
    auth,
    b64,
    carry_out,
    tried,
)
from sekisho.audit.authentication.relaying import succeeded
from sekisho.audit.authentication.row import WITH_ACCOUNT, every, person, row
from sekisho.audit.probe import Probe
from sekisho.audit.verdicts import Judgement, Severity, not_applicable
from sekisho.audit.visit import Visit
from sekisho.model.text import Text

YEAR_2100 = 4102444800
MECHANISMS = ("OAUTHBEARER", "XOAUTH2")


def _segment(value: dict[str, str | int]) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def forged(user: str, domain: str) -> list[str]:
    """Make tokens that nobody has signed."""
    claims = _segment(
        {
            "iss": f"https://{domain}",
            "aud": domain,
            "sub": user,
            "preferred_username": user,
            "email": f"{user}@{domain}",
            "scope": "openid email mail",
            "exp": YEAR_2100,
        }
    )
    tokens = [
        f"{_segment({'alg': name, 'typ': 'JWT'})}.{claims}."
        for name in ("none", "None", "nOnE")
    ]
    tokens.append(f"{_segment({'alg': 'RS256', 'typ': 'JWT'})}.{claims}.")
    for kid in ("", "../../../../../../dev/null"):
        signed = f"{_segment({'alg': 'HS256', 'kid': kid})}.{claims}"
        mac = hmac.digest(b"", signed.encode(), "sha256")
        tokens.append(f"{signed}.{urlsafe_b64encode(mac).decode().rstrip('=')}")
    return tokens


def shown(mechanism: str, user: str, token: str) -> tuple[bytes, bytes]:
    """Spell a token: the initial response, and what is said to an error."""
    if mechanism == "XOAUTH2":
        return b64(f"user={user}\1auth=Bearer {token}\1\1"), b""
    return b64(f"n,a={user},\1auth=Bearer {token}\1\1"), b"AQ=="


def _forged(visit: Visit) -> list[Attempt]:
    user = person(visit)
    return [
        auth(mechanism, *shown(mechanism, user, token))
        for mechanism in MECHANISMS
        for token in forged(user, visit.names.domain)
    ]


async def for_another(visit: Visit) -> Judgement:
    """Show the account's own token as somebody else's."""
    account = visit.account
    if account is None:
        return NO_ACCOUNT
    visit.transcript.hide(account.password)
    async with visit.ready() as conversation:
        offered = [one for one in MECHANISMS if one in conversation.offers.mechanisms]
        if not offered:
            return not_applicable(
                "tokens are not taken here", "トークンによる認証は提供されていない"
            )
        first, rest = shown(offered[0], account.user, account.password)
        right = auth(offered[0], hidden(visit, first), rest)
        reply = await carry_out(visit, conversation, right)
    if not succeeded(reply):
        return not_applicable(
            "the account's password is no token that is taken here",
            "アカウントのパスワードは、ここで有効なトークンではない",
        )
    attempts: list[Attempt] = []
    for mechanism in offered:
        first, rest = shown(mechanism, visit.text("{V}"), account.password)
        attempts.append(auth(mechanism, hidden(visit, first), rest))
    return await tried(visit, attempts)


TOKENS: tuple[Probe, ...] = (
    row(
        id="AUTH-041",
        title=Text(
            "Tokens without a signature are taken", "署名のないトークンが受け入れられる"
        ),
        severity=Severity.CRITICAL,
        wire=(
            'AUTH OAUTHBEARER, token {"alg":"none"}, "None", "nOnE"',
            "a signature that is empty, or by an empty key",
        ),
        safe=Text(
            "An error by 334, then 535; or 504.",
            "334 でエラーを返した後に 535 を返す。または 504 を返す。",
        ),
        advice=Text(
            "Allow the signature algorithms of your provider by name, and no others.",
            "署名アルゴリズムは、プロバイダーが使用するものだけを許可してください。",
        ),
        references=("RFC 8725 §3.1", "RFC 7628", "CVE-2021-29157"),
        run=every(_forged),
    ),
    row(
        id="AUTH-042",
        title=Text(
            "A token opens another's account", "自分のトークンで他者として認証される"
        ),
        severity=Severity.CRITICAL,
        wire=("AUTH OAUTHBEARER base64(n,a={V},…), token of {U}",),
        safe=Text("535 5.7.8.", "535 5.7.8 を返す。"),
        advice=Text(
            "Take the name from the token, and refuse one that is claimed beside it.",
            "利用者名はトークンから取得し、異なる名前の主張は拒否してください。",
        ),
        references=("RFC 7628 §3.1", "RFC 8725", "RFC 9068"),
        run=for_another,
        needs=WITH_ACCOUNT,
    ),
)
