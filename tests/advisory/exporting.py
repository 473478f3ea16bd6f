"""Writes registry exports as regedit does, and new hives by hivex's own tool.

The rules of an export, taken from the files that regedit writes: a heading, an empty
line before each key, `@` for the default value, backslash and quote escaped; dword in
eight digits; everything else as hexadecimal octets in lower case, wrapped before a
line would have more than 80 columns, with a backslash at the end and two spaces before
the next; CRLF everywhere, an empty line at the end; UTF-16LE with a byte order mark, or
REGEDIT4 in the machine's code page, whose strings inside hexadecimal data are ANSI.
"""

import re
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

Value = str | int | bytes | list[str] | tuple[str, str]
"""REG_SZ, REG_DWORD, REG_BINARY, REG_MULTI_SZ, and ("expand", …) for REG_EXPAND_SZ."""
Keys = Mapping[str, Mapping[str, Value]]
ROOT = "HKEY_LOCAL_MACHINE"
_COLUMNS = 80


def branch(keys: Keys) -> dict[str, Mapping[str, Value]]:
    """With every key between these and HKLM, as an export of all of it has them."""
    whole: dict[str, Mapping[str, Value]] = {}
    for path, values in sorted(keys.items()):
        parts = path.split("\\")
        for depth in range(2, len(parts)):
            whole.setdefault("\\".join(parts[:depth]), {})
        whole[path] = values
    return whole


def export(keys: Keys, code_page: str | None = None) -> bytes:
    """All keys as one export; with a code page as REGEDIT4."""
    strings = code_page or "utf-16-le"
    heading = "REGEDIT4" if code_page else "Windows Registry Editor Version 5.00"
    lines = [heading, ""]
    for path, values in keys.items():
        lines.append(f"[{path.replace('HKLM', ROOT, 1)}]")
        lines += [_line(name, value, strings) for name, value in values.items()]
        lines.append("")
    text = "\r\n".join([*lines, ""])
    if code_page:
        return text.encode(code_page)
    return b"\xff\xfe" + text.encode("utf-16-le")


def _line(name: str, value: Value, strings: str) -> str:
    head = f'"{_escaped(name)}"=' if name else "@="
    match value:
        case str():
            return f'{head}"{_escaped(value)}"'
        case int():
            return f"{head}dword:{value:08x}"
        case bytes():
            return _hexadecimal(f"{head}hex:", value)
        case ("expand", text):
            return _hexadecimal(f"{head}hex(2):", f"{text}\0".encode(strings))
        case _:
            octets = "".join(f"{one}\0" for one in [*value, ""]).encode(strings)
            return _hexadecimal(f"{head}hex(7):", octets)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _hexadecimal(head: str, octets: bytes) -> str:
    lines = [head]
    for number, one in enumerate(octets):
        piece = f"{one:02x}" + ("," if number < len(octets) - 1 else "")
        if len(lines[-1]) + len(piece) + 1 > _COLUMNS:
            lines[-1] += "\\"
            lines.append("  ")
        lines[-1] += piece
    return "\r\n".join(lines)


HIVE_TOOL = "hivexregedit"
needs_hivex = pytest.mark.skipif(
    shutil.which(HIVE_TOOL) is None, reason="no hivexregedit: bash .ci/peers"
)


def make_hive(path: Path, mounted: str, keys: Keys) -> Path:
    """A new hive, filled by hivexregedit from the same keys."""
    path.write_bytes(_empty_hive())
    script = path.with_suffix(".reg")
    below = f"HKLM\\{mounted}\\"
    script.write_bytes(
        _for_hivex(
            {path: one for path, one in branch(keys).items() if path.startswith(below)}
        )
    )
    subprocess.run(
        [HIVE_TOOL, "--merge", f"--prefix={ROOT}\\{mounted}", str(path), str(script)],
        check=True,
        capture_output=True,
    )
    return path


def _for_hivex(keys: Keys) -> bytes:
    """Its own tool takes lines of any length, and other than ASCII only as octets."""
    text = export(keys).decode("utf-16")
    text = text.replace("\\\r\n  ", "").replace("\r\n", "\n")
    foreign = re.compile(r'="([^"\n]*[^\x00-\x7f][^"\n]*)"$', re.MULTILINE)
    return foreign.sub(_as_octets, text).encode()


def _as_octets(found: re.Match[str]) -> str:
    return "=hex(1):" + f"{found[1]}\0".encode("utf-16-le").hex(",")


def _empty_hive() -> bytes:
    """A hive with nothing but its root: what an installation begins with."""
    nothing = 0xFFFFFFFF
    root_size, sk_size = 88, 48
    sk_at = 32 + root_size
    nk = struct.pack("<i2sHQIIIIIIIIII", -root_size, b"nk", 0x2C, 0, 0, nothing,
                     0, 0, nothing, nothing, 0, nothing, sk_at, nothing)  # fmt: skip
    nk += struct.pack("<IIIIIHH", 0, 0, 0, 0, 0, 4, 0) + b"root"
    descriptor = struct.pack("<BBHIIII", 1, 0, 0x8000, 0, 0, 0, 0)
    sk = struct.pack("<i2sHIIII", -sk_size, b"sk", 0, sk_at, sk_at, 1, len(descriptor))
    cells = nk.ljust(root_size, b"\0") + (sk + descriptor).ljust(sk_size, b"\0")
    free = 4096 - 32 - len(cells)
    page = struct.pack("<4sIIIIQI", b"hbin", 0, 4096, 0, 0, 0, 0) + cells
    page += struct.pack("<i", free).ljust(free, b"\0")
    head = struct.pack("<4sIIQIIIIIII", b"regf", 1, 1, 0, 1, 3, 0, 1, 32, 4096, 1)
    head = head.ljust(508, b"\0")
    checksum = 0
    for (one,) in struct.iter_unpack("<I", head):
        checksum ^= one
    return (head + struct.pack("<I", checksum)).ljust(4096, b"\0") + page


SOFTWARE = "HKLM\\SOFTWARE\\Microsoft"
CONTROL = "HKLM\\SYSTEM\\CurrentControlSet"
UPDATE = SOFTWARE + "\\Updates\\Windows 2000\\SP3\\Q302755"


def windows_2000() -> dict[str, dict[str, Value]]:
    """A Japanese Windows 2000 Server with SP2 and the update, as its registry is."""
    services = CONTROL + "\\Services"
    return {
        SOFTWARE + "\\Windows NT\\CurrentVersion": {
            "ProductName": "Microsoft Windows 2000",
            "CurrentVersion": "5.0",
            "CurrentBuildNumber": "2195",
            "CSDVersion": "Service Pack 2",
            "RegisteredOrganization": "株式会社ソフト表示",
        },
        UPDATE: {
            "Description": "Windows 2000 Hotfix (SP3) Q302755",
            "InstalledDate": "2001/07/13",
        },
        UPDATE + "\\Filelist\\0": {
            "BuildDate": "Wed Jun 20 12:00:00 2001",
            "FileName": "smtpsvc.dll",
            "Location": "C:\\WINNT\\system32\\inetsrv",
            "Version": "5.0.2195.3779",
        },
        CONTROL + "\\Control\\ComputerName\\ComputerName": {"ComputerName": "WEB-01"},
        CONTROL + "\\Control\\Nls\\Language": {"InstallLanguage": "0411"},
        CONTROL + "\\Control\\ProductOptions": {
            "ProductType": "ServerNT",
            "ProductSuite": ["Enterprise", "Terminal Server"],
        },
        CONTROL + "\\Control\\Session Manager": {
            "BootExecute": ["autocheck autochk *"]
        },
        CONTROL + "\\Control\\Windows": {"CSDVersion": 0x200},
        services + "\\Eventlog": {"Start": 2},
        services + "\\Tcpip": {"Start": 1},
        services + "\\SMTPSVC": {
            "DisplayName": "簡易メール転送プロトコル (SMTP)",
            "ImagePath": ("expand", "%SystemRoot%\\System32\\inetsrv\\inetinfo.exe"),
            "Start": 2,
            "Type": 32,
        },
        "HKLM\\HARDWARE\\DESCRIPTION\\System": {"Identifier": "NEC PC-98"},
    }
