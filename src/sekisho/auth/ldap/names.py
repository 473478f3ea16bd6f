"""Names in filters and DNs: escaped on the way in, compared in one form on the way out.

Everything but ASCII letters and digits is escaped, octet by octet, which both RFC 4515
(filters) and RFC 4514 (DNs) allow for any octet: there is no list of dangerous
characters that could be incomplete. Where a name is no DN (a userPrincipalName), it is
not escaped, and its characters are held against a short list instead.
"""

import re
from collections.abc import Mapping

_PLAIN = re.compile(rb"[A-Za-z0-9]")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_LOGIN_NAME = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+")
_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2})|\\(.)", re.DOTALL)
_SPACES = re.compile(r"\s+")


def escaped(text: str) -> str:
    r"""Spell a text as a value in a filter or in a DN: ``a*`` is ``a\2a``."""
    return "".join(
        chr(octet) if _PLAIN.match(bytes((octet,))) else f"\\{octet:02x}"
        for octet in text.encode()
    )


def filled(template: str, values: Mapping[str, str]) -> str:
    """Put escaped values into a template; in one pass, so that no value is one."""
    return _PLACEHOLDER.sub(lambda found: escaped(values[found[1]]), template)


def is_dn(template: str) -> bool:
    """Whether a template for binding is a DN, and not a userPrincipalName."""
    return "=" in template


def login_of(template: str, account: str) -> str:
    """What an account binds as; empty where it cannot be one of this directory.

    Of ``{user}@example.com`` the account ``user@example.com`` is one as well.
    """
    if not template:
        return ""
    if is_dn(template):
        return filled(template, {"user": account})
    before, _, after = template.partition("{user}")
    if after and account.endswith(after.lower()):
        account = account[: -len(after)]
    if not _LOGIN_NAME.fullmatch(account):
        return ""
    return f"{before}{account}{after}"


def normal_dn(dn: str) -> str:
    """Bring a DN into a form in which equal ones are equal (RFC 4518, roughly).

    Where two spellings of one DN still differ, the answer is a refusal.
    """
    relative = (_parts(one, b"+") for one in _parts(dn.encode(), b","))
    return ",".join("+".join(sorted(map(_normal_part, one))) for one in relative)


def first_value(dn: str) -> str:
    """The value of a DN's first part: the group's name in ``CN=Staff,OU=…``."""
    for first in _parts(dn.encode(), b",")[:1]:
        for part in _parts(first, b"+")[:1]:
            return _text(part.partition(b"=")[2].strip())
    return ""


def _parts(raw: bytes, separator: bytes) -> list[bytes]:
    """Split where the separator is not escaped; empty parts are none."""
    return re.findall(rb"(?:[^\\" + separator + rb"]|\\.)+", raw, re.DOTALL)


def _normal_part(part: bytes) -> str:
    kind, _, value = part.partition(b"=")
    value_text = _SPACES.sub(" ", _text(value.strip()).casefold())
    return f"{kind.decode('utf-8', 'replace').strip().lower()}={escaped(value_text)}"


def _text(value: bytes) -> str:
    def plain(found: re.Match[bytes]) -> bytes:
        return bytes.fromhex(found[1].decode()) if found[1] else found[2]

    return _ESCAPED.sub(plain, value).decode("utf-8", "replace")
