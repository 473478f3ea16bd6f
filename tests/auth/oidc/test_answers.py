"""An answer of a provider is a yes only where it clearly is one."""

from collections.abc import Mapping

import pytest

from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.oidc.claims import ClaimsError
from sekisho.auth.oidc.document import DocumentError, Object, read_object
from sekisho.auth.oidc.introspection import Introspection
from sekisho.auth.oidc.provider import Login, Provider

ISSUER = "https://idp.test"
LOGIN = Login("relay", "secret")


class Answering(Provider):
    """A provider whose answer is known; what it is asked stands in `asked`."""

    def __init__(self, answer: Object) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Mapping[str, str], Login]] = []

    async def post(self, url: str, form: Mapping[str, str], login: Login) -> Object:
        self.asked.append((url, form, login))
        return self.answer


def asking(answer: Object) -> Introspection:
    return Introspection(Answering(answer), "https://idp.test/ask", LOGIN, ISSUER)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"iss": ISSUER},
        {"token_type": "Bearer"},
        {"token_type": "bearer"},
        {"token_type": "access_token"},
        {"token_type": "ACCESS_TOKEN"},
    ],
    ids=repr,
)
async def test_a_token_that_the_provider_vouches_for_is_read(more: Object) -> None:
    answer = {"active": True, "sub": "u", **more}
    assert await asking(answer).read("t") == answer
    passed = [one async for one in asking(answer).walk("t")]
    assert [one.claims for one in passed] == [answer]
    assert len(passed) == len(Introspection.stages)


@pytest.mark.asyncio
async def test_it_is_shown_the_token_and_our_login() -> None:
    provider = Answering({"active": True})
    await Introspection(provider, "https://idp.test/ask", LOGIN, ISSUER).read("t")
    async for _ in Introspection(provider, "https://idp.test/ask", LOGIN, ISSUER).walk(
        "t"
    ):
        pass
    form = {"token": "t", "token_type_hint": "access_token"}
    assert provider.asked == [("https://idp.test/ask", form, LOGIN)] * 2


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "more",
    [
        {"active": False},
        {"iss": "https://evil.test"},
        {"iss": None},
        {"iss": ""},
        {"iss": [ISSUER]},
        {"iss": f"{ISSUER}/"},
        {"token_type": "refresh_token"},
        {"token_type": "id_token"},
        {"token_type": "N_A"},
        {"token_type": "DPoP"},
        {"token_type": ""},
        {"token_type": None},
        {"token_type": ["bearer"]},
    ],
    ids=repr,
)
async def test_a_token_that_it_does_not_vouch_for_is_refused(more: Object) -> None:
    with pytest.raises(ClaimsError):
        await asking({"active": True, "sub": "u", **more}).read("t")
    with pytest.raises(ClaimsError):
        async for _ in asking({"active": True, **more}).walk("t"):
            pass


@pytest.mark.asyncio
@pytest.mark.parametrize("word", [..., None, 0, 1, 1.0, "true", "false", [], [True]])
async def test_an_answer_that_says_neither_is_none(word: object) -> None:
    answer: Object = {"sub": "u"} if word is ... else {"active": word}
    with pytest.raises(AuthUnavailableError, match="neither"):
        await asking(answer).read("t")


def test_an_object_is_read() -> None:
    read = read_object('{"a": 1, "b": [true, null, "ö"], "c": {"a": 2.5}}'.encode())
    assert read == {"a": 1, "b": [True, None, "ö"], "c": {"a": 2.5}}
    assert read_object(b" {} ") == {}


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"[]",
        b"1",
        b"null",
        b'"a"',
        b'{"a"}',
        b"{'a': 1}",
        b'{"a": 1}{',
        b'{"a": 1, "a": 1}',
        b'{"b": {"a": 1, "a": 2}}',
        b'{"b": [{"a": 1, "\\u0061": 2}]}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": "\xff"}',
        b"\xff\xfe{\x00}\x00",
        '{"a": 1}'.encode("utf-16"),
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a":' * 50_000,
    ],
    ids=lambda octets: repr(octets)[:30],
)
def test_what_others_could_read_otherwise_is_none(octets: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        read_object(octets)
    assert "xff" not in str(caught.value)
