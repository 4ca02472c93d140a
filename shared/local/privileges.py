"""What a child becomes between fork and exec: not root where its program refuses root, and mortal with its parent.

Standard library only, because the launcher that uses it runs before any package is importable. The numbers are
Linux's (linux/sched.h, linux/prctl.h, linux/capability.h); other systems have none of these calls, so there
`KEEP` is the only choice and `die_with_parent` does nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import sys
from enum import StrEnum

LINUX = sys.platform.startswith("linux")

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_CHILD_SUBREAPER = 36
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1


class Privileges(StrEnum):
    """Who a program runs as.

    `KEEP` is the caller. `NAMESPACE` is the caller, seen by the program itself as "nobody": files stay the
    caller's. `NOBODY` is the real user nobody, with leave to pass closed directories; it needs root.
    """

    KEEP = "keep"
    NAMESPACE = "namespace"
    NOBODY = "nobody"


def nobody() -> tuple[int, int]:
    """The user and group id of "nobody". Raises KeyError where the system has no such user."""
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def become(privileges: Privileges) -> None:
    """Change this (forked, single-threaded) process. Raises OSError or KeyError where the system does not allow it."""
    if privileges is Privileges.NAMESPACE:
        _enter_user_namespace()
    elif privileges is Privileges.NOBODY:
        _become_nobody()


def die_with_parent(signal_number: int, parent: int) -> None:
    """Have the kernel send `signal_number` to this process when `parent` ends, or at once if it has ended.

    Call it after `become`: a change of identity clears the setting (prctl(2), PR_SET_PDEATHSIG).
    """
    if not LINUX:
        return
    _prctl(_PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal_number)


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends (PR_SET_CHILD_SUBREAPER)."""
    if LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _enter_user_namespace() -> None:
    """Map nobody, inside, to the caller, outside; user_namespaces(7) wants setgroups denied before gid_map."""
    uid, gid = os.geteuid(), os.getegid()
    inner_uid, inner_gid = nobody()
    _call("unshare", ctypes.c_int(_CLONE_NEWUSER))
    maps = {"setgroups": "deny", "gid_map": f"{inner_gid} {gid} 1", "uid_map": f"{inner_uid} {uid} 1"}
    for name, text in maps.items():
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _become_nobody() -> None:
    """Become nobody, keeping only CAP_DAC_OVERRIDE, so that a program below /root can be reached and run.

    Where that one capability is withheld too, go on without it: the program then needs readable paths.
    """
    uid, gid = nobody()
    os.setgroups([])
    if LINUX:
        _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgid(gid)
    os.setuid(uid)
    if LINUX:
        with contextlib.suppress(PermissionError):
            _keep_passage()


def _keep_passage() -> None:
    mask = 1 << _CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable; low word, high word
    _call("capset", header, data)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE)


def _prctl(option: int, first: int = 0, second: int = 0) -> None:
    _call("prctl", ctypes.c_int(option), *(ctypes.c_ulong(value) for value in (first, second, 0, 0)))


def _call(name: str, *arguments: object) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
