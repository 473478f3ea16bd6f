"""The identity provider, asked by HTTP.

Every way in which it can fail is `AuthUnavailableError`: no connection, a certificate
that does not fit, a time-out (of the whole answer: one that drips is one as well), a
redirect, another status, another type of content, a body that is too long, compressed
or no JSON object. Its name comes from the configuration alone; no proxy, cookie or
login of the environment is used.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_plus

import httpx2

from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.oidc.document import DocumentError, Object, read_object
from sekisho.net.tls import verifying_context

MAX_BODY_OCTETS = 256 * 1024
ASK_SECONDS = 5.0
MAX_ASKING = 16
"""Questions at once; more wait, within their `ASK_SECONDS`."""

_OK = 200
_REFUSED = (401, 403)
_HEADERS = {"accept": "application/json", "accept-encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Login:
    """Our login at the provider."""

    client_id: str
    secret: str = field(repr=False)


class Provider:
    """One provider.

    Args:
        ca: PEM file of the authorities that its certificate is verified by; the
            system's if None.
        seconds: How long an answer may take.

    Raises:
        TlsFilesError: The file cannot be used.

    """

    def __init__(self, ca: Path | None, *, seconds: float = ASK_SECONDS) -> None:
        self._seconds = seconds
        self._asking = asyncio.Semaphore(MAX_ASKING)
        self._client = httpx2.AsyncClient(
            verify=verifying_context(ca),
            trust_env=False,
            follow_redirects=False,
            timeout=seconds,
            headers=_HEADERS,
        )

    async def get(self, url: str) -> Object:
        """Ask for a JSON object.

        Raises:
            AuthUnavailableError: There is none to be had.

        """
        return await self._ask(self._client.build_request("GET", url))

    async def post(self, url: str, form: Mapping[str, str], login: Login) -> Object:
        """Send a form with our login, and take a JSON object (RFC 6749 §2.3.1).

        Raises:
            AuthUnavailableError: There is none to be had.

        """
        request = self._client.build_request("POST", url, data=dict(form))
        auth = httpx2.BasicAuth(quote_plus(login.client_id), quote_plus(login.secret))
        return await self._ask(next(auth.auth_flow(request)))

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def _ask(self, request: httpx2.Request) -> Object:
        try:
            async with asyncio.timeout(self._seconds), self._asking:
                response = await self._client.send(request, stream=True)
                try:
                    return read_object(await _body(response))
                finally:
                    await response.aclose()
        except (TimeoutError, httpx2.TimeoutException):
            raise AuthUnavailableError("the provider takes too long") from None
        except DocumentError as error:
            raise AuthUnavailableError(f"the provider's answer: {error}") from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            # Its kind alone: a text might hold what was sent.
            raise AuthUnavailableError(
                f"the provider cannot be asked: {type(error).__name__}"
            ) from None


async def _body(response: httpx2.Response) -> bytes:
    if response.status_code in _REFUSED:
        raise AuthUnavailableError("the provider refuses our login")
    if response.status_code != _OK:
        raise AuthUnavailableError(
            f"the provider answers with status {response.status_code}"
        )
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise AuthUnavailableError("the provider's answer is not of type JSON")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise AuthUnavailableError("the provider's answer is compressed")
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > MAX_BODY_OCTETS:
            raise AuthUnavailableError(
                f"the provider's answer has more than {MAX_BODY_OCTETS} octets"
            )
    return bytes(body)
