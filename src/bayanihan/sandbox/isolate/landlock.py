"""L1: Landlock, the stricter call filter and limits; for machines without bubblewrap.

Landlock takes files and, where the kernel knows how, TCP, abstract sockets and signals away.
There is no namespace: the tool can see that other processes exist, and the harness has to look
how much it writes. Calls into the kernel go through ctypes, since no library of ours wraps them.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
from pathlib import Path

from bayanihan.errors import Refused
from bayanihan.sandbox.isolate.limits import Limits
from bayanihan.sandbox.isolate.process import Process, spawn
from bayanihan.sandbox.isolate.seccomp import ARCHITECTURES, program
from bayanihan.sandbox.isolate.staging import Stage

# <linux/landlock.h>; the call numbers are the same on every architecture.
_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_VERSION_QUERY = 1
_BENEATH = 1
_EXECUTE, _WRITE, _READ_FILE, _READ_FOLDER = 1, 2, 4, 8
_TRUNCATE, _DEVICE_CONTROL = 1 << 14, 1 << 15
# Rights over files that each version of the interface knows: all bits below.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_ALL_RIGHTS = (1 << 16) - 1
_TCP = 3
_SCOPES = 3  # abstract sockets, signals
_SET_FILTER, _FILTER_MODE = 22, 2

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def landlock_version() -> int:
    """The version of the kernel's interface; 0 where there is none."""
    return max(0, int(_libc.syscall(_CREATE, None, 0, _VERSION_QUERY)))


class Landlock:
    """Files by Landlock, calls by seccomp, the rest by limits."""

    level = "L1"
    name = "landlock"
    bounds_scratch = False

    def __init__(self) -> None:
        self._version = landlock_version()

    def missing(self) -> str:
        """Why Landlock cannot be used here."""
        if platform.machine() not in ARCHITECTURES:
            return f"no call filter is known for {platform.machine()}"
        return "" if self._version else "this kernel has no Landlock"

    def start(self, stage: Stage, limits: Limits) -> Process:
        """Start the staged tool with rights to its own files only."""
        ruleset = self._ruleset(stage)
        steps = program(platform.machine(), unshared=True)
        held = _Program(len(steps) // 8, steps)

        def last() -> None:
            if _libc.syscall(_RESTRICT, ruleset, 0):
                raise OSError(ctypes.get_errno(), "landlock_restrict_self")
            os.close(ruleset)
            if _libc.prctl(_SET_FILTER, _FILTER_MODE, ctypes.byref(held), 0, 0):
                raise OSError(ctypes.get_errno(), "seccomp")

        try:
            return spawn(
                stage.command(stage.outside),
                stage.environment(stage.outside),
                limits,
                folder=stage.outside.tool,
                last=last,
            )
        finally:
            os.close(ruleset)

    def _ruleset(self, stage: Stage) -> int:
        rights = _FILE_RIGHTS.get(self._version, _ALL_RIGHTS)
        asked = _Ruleset(
            rights, _TCP if self._version >= 4 else 0, _SCOPES if self._version >= 6 else 0
        )
        size = 24 if self._version >= 6 else 16 if self._version >= 4 else 8
        ruleset = _libc.syscall(_CREATE, ctypes.byref(asked), size, 0)
        if ruleset < 0:
            raise Refused("bad-setting", f"Landlock refuses: {os.strerror(ctypes.get_errno())}")
        read = _EXECUTE | _READ_FILE | _READ_FOLDER
        seen = stage.outside
        for path in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache",
                     "/etc/alternatives", "/dev/urandom", "/dev/zero", seen.tool, seen.python,
                     seen.packages, seen.training, *stage.manifest.settings):  # fmt: skip
            self._allow(ruleset, path, read & rights)
        self._allow(ruleset, "/dev/null", (_READ_FILE | _WRITE) & rights)
        self._allow(ruleset, seen.scratch, rights & ~(_EXECUTE | _DEVICE_CONTROL))
        return int(ruleset)

    def _allow(self, ruleset: int, path: str, rights: int) -> None:
        if not Path(path).exists():
            return
        if not Path(path).is_dir():
            rights &= _EXECUTE | _WRITE | _READ_FILE | _TRUNCATE | _DEVICE_CONTROL
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = _PathBeneath(rights, opened)
            if _libc.syscall(_ADD_RULE, ruleset, _BENEATH, ctypes.byref(rule), 0):
                raise Refused(
                    "bad-setting",
                    f"Landlock refuses: {os.strerror(ctypes.get_errno())}",
                    where=path,
                )
        finally:
            os.close(opened)

    def described(self) -> dict[str, object]:
        """Landlock's version and the filter's digest."""
        steps = program(platform.machine(), unshared=True)
        return {
            "level": self.level,
            "isolator": f"landlock {self._version}",
            "seccomp": f"sha256:{hashlib.sha256(steps).hexdigest()}",
        }
