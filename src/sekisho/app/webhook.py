"""Alarms told outside of mail: one POST of JSON each, to the operator's URL.

A thread of its own sends them, so that nobody waits for it. What it cannot deliver in a
few tries is dropped and counted in the next alarm about itself; the log has it anyway.
"""

import queue
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from sekisho.config.schema import Config
from sekisho.observe.events import Alarm

MATTER = "webhook"
"""What its own alarms are about; they are not sent by it."""

WEBHOOK_HINT = "look at [observe] webhook; the log has every alarm"
MAX_WAITING = 100
SEND_SECONDS = 10.0
TRIES = 3
PAUSE_SECONDS = 5.0
AGAIN_SECONDS = 60.0
"""The same matter is told no more often."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Whoever redirects an alarm would have it; the operator named one URL."""

    def redirect_request(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - the library's
        """Follow nowhere."""
        return


class Webhook:
    """Sends alarms to a URL.

    Args:
        url: ``https://…``, or ``http://`` of this machine.
        hostname: Ours.
        failed: Is told, in a thread, that alarms could not be sent.
        pause: Waits between two tries, in seconds.

    """

    def __init__(
        self,
        url: str,
        hostname: str,
        failed: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url
        self._hostname = hostname
        self._failed = failed
        self._pause = pause
        self._waiting: queue.Queue[dict[str, str] | None] = queue.Queue(MAX_WAITING)
        self._told: dict[str, float] = {}
        # Without proxies of the environment: they would read along.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context()),
            _NoRedirects(),
        )
        self._thread = threading.Thread(
            target=self._send_all, name="webhook", daemon=True
        )
        self._thread.start()

    def tell(self, alarm: Alarm, now: float) -> None:
        """Have an alarm sent; never waits.

        Args:
            alarm: What to tell.
            now: Unix seconds.

        """
        if alarm.about == MATTER:
            return
        if 0 <= now - self._told.get(alarm.about, float("-inf")) < AGAIN_SECONDS:
            return
        self._told[alarm.about] = now
        if len(self._told) > MAX_WAITING:
            del self._told[next(iter(self._told))]
        body = {
            "event": "alarm",
            "host": self._hostname,
            "about": alarm.about,
            "detail": alarm.detail,
            "hint": alarm.hint,
        }
        with suppress(queue.Full):
            self._waiting.put_nowait(body)

    def close(self) -> None:
        """Send what waits, within one sending's bound."""
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(SEND_SECONDS)

    def _send_all(self) -> None:
        while (body := self._waiting.get()) is not None:
            why = self._send(body)
            for _ in range(TRIES - 1):
                if why is None:
                    break
                self._pause(PAUSE_SECONDS)
                why = self._send(body)
            if why is not None:
                self._failed(f"an alarm about {body['about']} was not taken: {why}")

    def _send(self, body: dict[str, str]) -> str | None:
        """Send one. Returns why it was not taken."""
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self._url,
            msgspec.json.encode(body),
            {"Content-Type": "application/json", "User-Agent": "sekisho"},
        )
        try:
            with self._opener.open(request, timeout=SEND_SECONDS):
                return None
        except (OSError, ValueError) as error:
            # Not its text: the URL may hold a secret.
            code = getattr(error, "code", "")
            return f"{type(error).__name__} {code}".strip()


def webhook_of(config: Config, failed: Callable[[str], None]) -> Webhook | None:
    """The configuration's webhook, if it has one."""
    url = config.observe.webhook
    if url is None:
        return None
    return Webhook(url.reveal(), config.hostname, failed)
