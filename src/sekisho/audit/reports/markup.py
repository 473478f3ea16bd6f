"""HTML by construction: a `str` is always text, and is escaped where it is placed.

Only `tag` makes markup, so that no page can be built by which text from outside
becomes an element or an attribute.
"""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from html import escape

_VOID = frozenset({"meta", "br", "hr"})


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that is done."""

    source: str


def tag(name: str, /, *children: str | Html, **attributes: str) -> Html:
    """Make an element; ``class_`` is ``class``, ``http_equiv`` is ``http-equiv``."""
    spelled = "".join(
        f' {key.strip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Html(f"<{name}{spelled}>")
    return Html(f"<{name}{spelled}>{joined(children).source}</{name}>")


def joined(children: Iterable[str | Html]) -> Html:
    """Put one behind the other."""
    return Html(
        "".join(
            one.source if isinstance(one, Html) else escape(one) for one in children
        )
    )


def page(language: str, title: str, css: str, body: Iterable[Html]) -> str:
    """Make a whole page that loads nothing, runs nothing and sends nothing.

    The policy allows this one style sheet by its hash, and else nothing at all.
    """
    allowed = b64encode(sha256(css.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{allowed}'; "
        "base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        Html(f"<style>{css}</style>"),
    )
    whole = tag("html", head, tag("body", *body), lang=language)
    return f"<!DOCTYPE html>\n{whole.source}\n"
