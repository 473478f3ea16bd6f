"""Debian's Chromium, headless, driven by playwright: pages as people see them."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

# Root may not have Chromium's sandbox; the rest keeps it from calling its maker.
_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Generator[Browser]:
    """Start the browser; skip the test where it is not there."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium: run .ci/peers")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_OPTIONS)
        try:
            yield browser
        finally:
            browser.close()
