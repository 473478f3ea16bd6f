"""One spelling for each operating system, however an inventory names it.

Whoever writes "Win2K" must not be told that only Windows 2000 is affected: a name that
is nearly one that we know, and not clearly it, counts as not known.
"""

import re
from unicodedata import normalize

_WINDOWS_2000 = re.compile(
    r"(?:(?:win(?:dows)? ?|w)?(?:2000|2k)|(?:windows )?nt ?5\.0)\b.*"
)
_WINDOWS_NT = re.compile(
    r"(?:win(?:dows)? ?)?nt(?:\b\D*| ?)(?P<version>\d(?:\.\d+)?)?\b.*"
)
_NEARLY = re.compile(r"\b(?:2000|2k|nt)\b")
_NOISE = re.compile(r"\b(microsoft|\(r\)|\(tm\))|[®™]", re.IGNORECASE)
_TOO_VAGUE = frozenset(
    {"", "?", "unknown", "other", "windows", "windows nt", "windows server"}
)


def product_named(text: str) -> str | None:
    """Give the one spelling of an operating system; None where it says too little."""
    name = " ".join(_NOISE.sub(" ", normalize("NFKC", text)).split())
    low = name.lower()
    if low in _TOO_VAGUE:
        return None
    if _WINDOWS_2000.fullmatch(low):
        return "Windows 2000"
    if found := _WINDOWS_NT.fullmatch(low):
        return _windows_nt(found["version"])
    return None if _NEARLY.search(low) else name


def _windows_nt(version: str | None) -> str | None:
    if version is None:
        return None
    return f"Windows NT {version if '.' in version else version + '.0'}"
