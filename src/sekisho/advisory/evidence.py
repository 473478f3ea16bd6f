r"""What a registry proves of a host, in the shape in which an inventory describes one.

Only what the registry shows is taken; everything else stays not known. Some facts make
an answer safer (a service that is not there, a domain that the host is member of, a
service pack), so these are held to more:

- that a service is absent counts only where the list of services is written down and
  holds those that every Windows has;
- membership is read from the security authority's own record of its domain, never
  from names that stay behind when a host leaves one;
- a service pack is taken from its exact name (a beta is none), and not at all where
  the two places that tell it differ;
- Exchange's version is taken where its set-up and its running service both show.

Whether a service runs is never in a registry, nor what a firewall does. The Filelist
tells which files the update brought, not which are on the disk: it is shown, and
`patch.filelist` stays not known.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sekisho.advisory.facts import MAX_TEXT
from sekisho.advisory.registry import SEPARATOR, Key, Registry
from sekisho.model.text import Text

_SOFTWARE = r"HKLM\SOFTWARE\Microsoft"
_WINDOWS = _SOFTWARE + r"\Windows NT\CurrentVersion"
_UPDATES = _SOFTWARE + r"\Updates"
_UNINSTALL = _SOFTWARE + r"\Windows\CurrentVersion\Uninstall"
_EXCHANGE = _SOFTWARE + r"\Exchange\Setup"
_IDENTIFIER = r"HKLM\HARDWARE\DESCRIPTION\System"
_DOMAIN_SID = r"HKLM\SECURITY\Policy\PolPrDmS"
_SYSTEM = r"HKLM\SYSTEM"
_LARGEST_WORD = 0xFFFF

_PRODUCTS = {"5.0": "Windows 2000", "4.0": "Windows NT 4.0"}
_NT3 = re.compile(r"3\.[15]\d?\Z")
_SERVICE_PACK = re.compile(r"Service Pack (\d{1,2})\Z")
_UPDATE_NAME = re.compile(r"(?:Q|KB)?\d{5,7}\Z", re.IGNORECASE)
_SUITES = (
    ("datacenter", "Datacenter Server"),
    ("enterprise", "Advanced Server"),
)
_LANGUAGES = {
    "0411": "ja",
    "0409": "en",
    "0809": "en",
    "0407": "de",
    "040c": "fr",
    "040a": "es",
    "0c0a": "es",
    "0410": "it",
    "0412": "ko",
    "0404": "zh",
    "0804": "zh",
    "0416": "pt",
    "0419": "ru",
}
_HARDWARE = (("NEC PC-98", "pc98"), ("AT/AT COMPATIBLE", "pcat"))
_START_TYPES = {2: "auto", 3: "manual", 4: "disabled"}
_EVERYWHERE = {"tcpip", "eventlog"}
_EXCHANGE_BUILDS = ((1457, 1460, "5.0"), (1960, 2659, "5.5"), (4417, 6620, "2000"))
_SID_REVISION, _DOMAIN_SID_PARTS, _SID_OCTETS = 1, 4, 24
MAX_UPDATES = 1000
MAX_FILES_SHOWN = 50


@dataclass(slots=True)
class Evidence:
    """What was taken from a registry.

    Attributes:
        host: The facts, as a host stands in an inventory.
        notes: What was seen beside, and what could not be taken for a fact.

    """

    host: dict[str, Any] = field(default_factory=dict[str, Any])
    notes: list[Text] = field(default_factory=list[Text])

    def put(self, path: str, value: object) -> None:
        """Set one fact, named as in the inventory (`os.service_pack`)."""
        within = self.host
        *above, name = path.split(".")
        for one in above:
            within = within.setdefault(one, {})
        within[name] = value

    def note(self, en: str, ja: str) -> None:
        """Say something beside the facts."""
        self.notes.append(Text(en, ja))


def take_evidence(registry: Registry, name: str) -> Evidence:
    """Take from a registry what it shows of its host.

    Args:
        registry: One file, or several of the same host.
        name: What the host is called where the registry does not tell.

    """
    taken = Evidence()
    controls = _control_set(registry)
    taken.put("id", computer_name(registry) or name)
    _take_product(registry, taken)
    _take_edition(registry, controls, taken)
    _take_service_pack(registry, controls, taken)
    _take_language(registry, controls, taken)
    _take_hardware(registry, taken)
    _take_services(registry, controls, taken)
    _take_domain_role(registry, controls, taken)
    _take_updates(registry, taken)
    _take_restart(registry, controls, taken)
    return taken


def computer_name(registry: Registry) -> str | None:
    """What the host calls itself."""
    path = _control_set(registry) + r"\Control\ComputerName\ComputerName"
    key = registry.find(path)
    name = key.text("ComputerName") if key is not None else None
    return name.strip() or None if name is not None else None


def _control_set(registry: Registry) -> str:
    """The control set that the host ran with; a hive has no link to it."""
    current = _SYSTEM + r"\CurrentControlSet"
    if registry.find(current):
        return current
    select = registry.find(_SYSTEM + r"\Select")
    number = select.number("Current") if select is not None else None
    return f"{_SYSTEM}\\ControlSet{number:03d}" if number else current


def _take_product(registry: Registry, taken: Evidence) -> None:
    key = registry.find(_WINDOWS)
    version = key.text("CurrentVersion") if key is not None else None
    if key is None or version is None:
        return
    named = (key.text("ProductName") or "").removeprefix("Microsoft ").strip()
    product = _PRODUCTS.get(version)
    if product is None and _NT3.match(version):
        product = f"Windows NT {version}"
    if product is None:
        product = named
    if version == "5.0" and named and not named.startswith("Windows 2000"):
        taken.note(
            f"CurrentVersion is 5.0, but ProductName is {named}: the product is not "
            "taken",
            f"CurrentVersion は 5.0 ですが ProductName は {named} です。製品は不明の"
            "ままとします",
        )
        return
    if product:
        taken.put("os.product", product)


def _take_edition(registry: Registry, controls: str, taken: Evidence) -> None:
    key = registry.find(controls + r"\Control\ProductOptions")
    if key is None:
        return
    kind = (key.text("ProductType") or "").casefold()
    suites = [one.casefold() for one in key.texts("ProductSuite") or ()]
    product = taken.host.get("os", {}).get("product")
    is_2000 = product == "Windows 2000"
    if kind == "winnt" and is_2000:
        taken.put("os.edition", "Professional")
    if kind in {"servernt", "lanmannt"} and product is not None:
        found = (one for suite, one in _SUITES if is_2000 and suite in suites)
        taken.put("os.edition", next(found, "Server"))


def _take_service_pack(registry: Registry, controls: str, taken: Evidence) -> None:
    told = {
        one
        for one in (
            _named_pack(registry, taken),
            _numbered_pack(registry, controls),
        )
        if one is not None
    }
    if len(told) > 1:
        taken.note(
            "two places tell different service packs: neither is taken",
            "サービスパックについて二つの記録が食い違うため、どちらも採りません",
        )
    elif told:
        taken.put("os.service_pack", told.pop())


def _named_pack(registry: Registry, taken: Evidence) -> int | None:
    key = registry.find(_WINDOWS)
    if key is None or key.text("CurrentVersion") is None:
        return None
    named = key.text("CSDVersion")
    if named is None:
        has_all = registry.tells_of(_WINDOWS) and "csdversion" not in key.values
        return 0 if has_all else None
    exact = _SERVICE_PACK.match(named.strip())
    if exact is None:
        taken.note(
            f"CSDVersion is {named!r}, which is no released service pack",
            f"CSDVersion は {named!r} で、公開されたサービスパックではありません",
        )
        return None
    return int(exact.group(1))


def _numbered_pack(registry: Registry, controls: str) -> int | None:
    key = registry.find(controls + r"\Control\Windows")
    number = key.number("CSDVersion") if key is not None else None
    return number >> 8 if number is not None and number <= _LARGEST_WORD else None


def _take_language(registry: Registry, controls: str, taken: Evidence) -> None:
    key = registry.find(controls + r"\Control\Nls\Language")
    code = key.text("InstallLanguage") if key is not None else None
    language = _LANGUAGES.get(code.strip().casefold()) if code else None
    if language:
        taken.put("os.language", language)


def _take_hardware(registry: Registry, taken: Evidence) -> None:
    key = registry.find(_IDENTIFIER)
    identifier = (key.text("Identifier") or "" if key else "").upper()
    for begins, hardware in _HARDWARE:
        if identifier.startswith(begins):
            taken.put("os.hardware", hardware)


def _take_services(registry: Registry, controls: str, taken: Evidence) -> None:
    services = controls + r"\Services"
    smtp = registry.find(services + r"\SMTPSVC")
    names = _all_services(registry, services)
    if smtp is not None:
        taken.put("smtp.installed", value=True)
        start = _START_TYPES.get(smtp.number("Start") or 0)
        if start:
            taken.put("smtp.start_type", start)
    elif names is not None:
        taken.put("smtp.installed", value=False)
    _take_exchange(registry, services, names, taken)
    _take_internet_mail(registry, services, names, taken)


def _all_services(registry: Registry, services: str) -> set[str] | None:
    """The names of all services, or nothing where the list is not whole."""
    key = registry.find(services)
    if key is None or not registry.tells_of(services + r"\SMTPSVC"):
        return None
    names = {one.casefold() for one in key.subkeys}
    return names if names >= _EVERYWHERE else None


def _take_exchange(
    registry: Registry, services: str, names: set[str] | None, taken: Evidence
) -> None:
    setup = registry.find(_EXCHANGE)
    store = registry.find(services + r"\MSExchangeIS")
    version = _exchange_version(setup)
    if setup is None and store is None:
        is_absent = names is not None and not any(
            one.startswith("msexchange") for one in names
        )
        if is_absent and registry.tells_of(_EXCHANGE):
            taken.put("exchange", "none")
    elif store is not None and version is not None:
        taken.put("exchange", version)
    else:
        taken.note(
            "Exchange has left keys, but which version is installed does not show",
            "Exchange のキーはありますが、どの版が入っているかは分かりません",
        )


def _take_internet_mail(
    registry: Registry, services: str, names: set[str] | None, taken: Evidence
) -> None:
    if registry.find(services + r"\MSExchangeIMC") is not None:
        taken.put("exchange_mail_service", "present")
    elif names is not None:
        taken.put("exchange_mail_service", "absent")


def _exchange_version(setup: Key | None) -> str | None:
    build = setup.number("NewestBuild") if setup is not None else None
    if build is None:
        return None
    return next(
        (name for low, high, name in _EXCHANGE_BUILDS if low <= build <= high), None
    )


def _take_domain_role(registry: Registry, controls: str, taken: Evidence) -> None:
    options = registry.find(controls + r"\Control\ProductOptions")
    if options and (options.text("ProductType") or "").casefold() == "lanmannt":
        taken.put("domain_role", "domain-controller")
        return
    record = registry.find(_DOMAIN_SID)
    sid = record.values.get("") if record is not None else None
    if (
        isinstance(sid, bytes)
        and len(sid) >= _SID_OCTETS
        and (sid[0], sid[1]) == (_SID_REVISION, _DOMAIN_SID_PARTS)
    ):
        taken.put("domain_role", "member")


def _take_updates(registry: Registry, taken: Evidence) -> None:
    keys = list(_update_keys(registry))
    is_whole = all(map(registry.tells_of, (_UPDATES, _UNINSTALL)))
    if not keys and not is_whole:
        return
    if not is_whole:
        taken.note(
            "the export holds a part of the updates only; other keys may be there",
            "エクスポートには更新プログラムの一部しかなく、ほかのキーがある可能性が"
            "あります",
        )
    taken.put("patch.registry_keys", [key.path for key in keys])
    for key in keys:
        if key.path.startswith(_UPDATES):
            _note_files(registry, key, taken)


def _update_keys(registry: Registry) -> Iterator[Key]:
    r"""Each update: `Updates\PRODUCT\SPn\UPDATE`, and on NT `Uninstall\NUMBER`."""
    paths = [_UPDATES]
    for _ in range(3):
        paths = [one for path in paths for one in _below(registry, path)][:MAX_UPDATES]
    paths += [
        one
        for one in _below(registry, _UNINSTALL)
        if _UPDATE_NAME.match(one.rpartition(SEPARATOR)[2])
    ][:MAX_UPDATES]
    for path in paths:
        key = registry.find(path) if len(path) <= MAX_TEXT else None
        if key is not None:
            yield Key(path, key.values, key.subkeys)


def _below(registry: Registry, path: str) -> list[str]:
    key = registry.find(path)
    return [f"{path}{SEPARATOR}{name}" for name in key.subkeys] if key else []


def _note_files(registry: Registry, key: Key, taken: Evidence) -> None:
    path = f"{key.path}{SEPARATOR}Filelist"
    files = registry.find(path)
    name = key.path.rpartition(SEPARATOR)[2]
    if files is None:
        if registry.tells_of(path):
            taken.note(f"{name} has no Filelist", f"{name} には Filelist がありません")
        return
    for entry in list(files.subkeys)[:MAX_FILES_SHOWN]:
        one = registry.find(f"{path}{SEPARATOR}{entry}")
        if one is None:
            continue
        place = one.text("Location") or ""
        file = SEPARATOR.join(filter(None, (place, one.text("FileName"))))
        version, date = one.text("Version") or "-", one.text("BuildDate") or "-"
        taken.note(
            f"{name} brought {file}, version {version}, date {date}: compare it with "
            "the file on the host",
            f"{name} で導入された {file} (バージョン {version}、日付 {date})。"
            "実際のファイルと比べてください",
        )


def _take_restart(registry: Registry, controls: str, taken: Evidence) -> None:
    key = registry.find(controls + r"\Control\Session Manager")
    if key is None:
        return
    if key.texts("PendingFileRenameOperations"):
        taken.put("patch.reboot_pending", value=True)
    elif "bootexecute" in key.values and registry.tells_of(key.path):
        taken.put("patch.reboot_pending", value=False)
