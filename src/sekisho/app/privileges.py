"""Never root while serving: another user, or a root that may do nothing special.

Started as root the service binds its ports and then becomes the `user` of its
configuration, or the owner of ``data_dir``. Where that is root as well (a container, a
first try) it stays user id 0 but gives up every capability, for itself and all that it
will ever start: it can then read and write what belongs to root, and nothing more.
See ``docs/decisions/0009-never-root-while-serving.md``.
"""

import ctypes
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from sekisho.app.control import Refusal
from sekisho.config.schema import Config

_PR_SET_DUMPABLE = 4
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_MOST_CAPABILITIES = 64


@dataclass(frozen=True, slots=True)
class Owner:
    """Who the service is to be."""

    name: str
    uid: int
    gid: int


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def owner_of(config: Config) -> Owner | None:
    """Whom the service is to become; None where it stays who it is.

    Raises:
        Refusal: There is no such user, or nobody but root could become it.

    """
    if os.geteuid() != 0:
        return _as_it_is(config)
    if config.user is not None:
        found = user_named(config.user)
        return found if found.uid else None
    status = config.data_dir.stat() if config.data_dir.exists() else None
    if status is None or status.st_uid == 0:
        return None
    return Owner(_name(status.st_uid), status.st_uid, status.st_gid)


def user_named(name: str) -> Owner:
    """Look a user up.

    Raises:
        Refusal: There is none.

    """
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        hint = "make it, e.g. with: useradd --system"
        raise Refusal(f"user: there is no user {name!r} here", hint) from None
    return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid)


def prepare(data_dir: Path, owner: Owner | None) -> None:
    """Make the data folder, and make it the owner's, unless it is there."""
    if data_dir.exists():
        return
    data_dir.mkdir(mode=0o700, parents=True)
    if owner is not None:
        os.chown(data_dir, owner.uid, owner.gid)


def become(owner: Owner) -> None:
    """Become a user, for good.

    Raises:
        OSError: It is not allowed.

    """
    os.initgroups(owner.name, owner.gid) if _is_named(owner) else os.setgroups([])
    os.setgid(owner.gid)
    os.setuid(owner.uid)
    # Or else our own /proc/self, through which long socket names are reached, is
    # root's from now on.
    _prctl(_PR_SET_DUMPABLE, 1)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def give_up_capabilities() -> bool:
    """Give up whatever root can do more than others.

    Returns:
        Whether it is done: not on every platform.

    """
    try:
        for capability in range(_MOST_CAPABILITIES):
            if _prctl(_PR_CAPBSET_READ, capability) == 1:
                _prctl(_PR_CAPBSET_DROP, capability)
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
        # With this, no program that is started gets back what we gave up.
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        header = _Header(_CAPABILITY_VERSION_3, 0)
        nothing = (ctypes.c_uint32 * 6)()
        capset = ctypes.CDLL(None, use_errno=True).capset
        return capset(ctypes.byref(header), ctypes.byref(nothing)) == 0
    except (OSError, AttributeError):
        return False


def _as_it_is(config: Config) -> None:
    me = _name(os.geteuid())
    if config.user is not None and config.user != me:
        sentence = f"user is {config.user}, but the service was started as {me}"
        raise Refusal(sentence, "start it as root or as that user, or leave user out")


def _prctl(option: int, value: int) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    return int(library.prctl(option, ctypes.c_ulong(value), zero, zero, zero))


def _is_named(owner: Owner) -> bool:
    return not owner.name.isdecimal()


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
