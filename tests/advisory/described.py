"""The host that the tests describe, and others that differ from it in a few facts."""

import copy
import json
from functools import cache
from typing import Any

from sekisho.advisory.inventory import Host, read_inventory
from sekisho.advisory.judge import Judge
from sekisho.advisory.shelf import find
from sekisho.advisory.verdicts import Answer

KEY = r"HKLM\SOFTWARE\Microsoft\Updates\Windows 2000\SP3\Q302755"
LATER_KEY = r"HKLM\SOFTWARE\Microsoft\Updates\Windows 2000\SP3\Q313450"
NT4_KEY = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\310669"
EXCHANGE_KEY = r"HKLM\SOFTWARE\Microsoft\Updates\Exchange 5.5\SP5\Q289258"
WITHHELD: Any = object()
WEB_01: dict[str, Any] = {
    "id": "web-01",
    "os": {
        "product": "Windows 2000",
        "edition": "Server",
        "service_pack": 2,
        "language": "ja",
        "hardware": "pcat",
    },
    "smtp": {
        "installed": True,
        "state": "running",
        "start_type": "auto",
        "ports": [25],
    },
    "domain_role": "standalone",
    "exchange": "none",
    "firewall_internet_25": "open",
    "needs_smtp": True,
    "patch": {"registry_keys": [], "filelist": "match", "reboot_pending": False},
}


def changed(**facts: Any) -> dict[str, Any]:
    """Describe web-01 with some facts changed or withheld; `os__edition` is nested."""
    host = copy.deepcopy(WEB_01)
    for path, value in facts.items():
        *group, name = path.split("__")
        table = host[group[0]] if group else host
        if value is WITHHELD:
            del table[name]
        else:
            table[name] = value
    return host


def only(**facts: Any) -> dict[str, Any]:
    """Describe a host of which nothing else is known."""
    host: dict[str, Any] = {"id": "web-01"}
    for path, value in facts.items():
        *group, name = path.split("__")
        table = host.setdefault(group[0], {}) if group else host
        table[name] = value
    return host


def hosts_of(described: Any) -> list[Host]:
    """Read an inventory as the command does."""
    return read_inventory(json.dumps(described).encode()).hosts


def answer_for(described: dict[str, Any], advisory: str = "MS01-037") -> Answer:
    """Judge one host."""
    return judge_of(advisory).judge(hosts_of(described)[0])


@cache
def judge_of(advisory: str) -> Judge:
    """Make ready one advisory."""
    bulletin = find(advisory)
    assert bulletin is not None
    return Judge(bulletin)
