"""L2: bubblewrap, with its own namespaces of everything, under the call filter and limits."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from bayanihan.sandbox.isolate.limits import Limits
from bayanihan.sandbox.isolate.process import Process, spawn, unprivileged_uid
from bayanihan.sandbox.isolate.seccomp import ARCHITECTURES, program
from bayanihan.sandbox.isolate.staging import INSIDE, Stage

# The base that a tool sees, read-only: programs and libraries, no accounts, no configuration.
_BASE = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache",
         "/etc/alternatives")  # fmt: skip
_NAMESPACES = ("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent",
               "--new-session", "--clearenv", "--cap-drop", "ALL")  # fmt: skip


def _base() -> list[str]:
    words = []
    for name in _BASE:
        path = Path(name)
        if path.is_symlink() and len(path.parts) == 2:
            words += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            words += ["--ro-bind", name, name]
    return words


class Bubblewrap:
    """Namespaces by bubblewrap; no network, no other process, nothing to write but scratch."""

    level = "L2"
    name = "bubblewrap"
    bounds_scratch = True

    def __init__(self) -> None:
        self._program = shutil.which("bwrap")
        self._filter = b""
        self._missing: str | None = None

    def missing(self) -> str:
        """Why bubblewrap cannot be used here; tried once, under the uid that tools get."""
        if self._missing is None:
            self._missing = self._tried()
        return self._missing

    def _tried(self) -> str:
        if platform.machine() not in ARCHITECTURES:
            return f"no call filter is known for {platform.machine()}"
        if not self._program:
            return "the program bwrap is not installed"
        uid = unprivileged_uid()
        try:
            done = subprocess.run(
                [self._program, *_NAMESPACES, *_base(), "--proc", "/proc", "--", "/usr/bin/true"],
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
                user=uid,
                group=uid,
                extra_groups=None if uid is None else [],
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"bwrap does not start: {error}"
        if done.returncode:
            return f"bwrap does not work here: {done.stderr.strip().splitlines()[-1:] or ''}"
        self._filter = program(platform.machine(), unshared=False)
        return ""

    def start(self, stage: Stage, limits: Limits, line: int | None = None) -> Process:
        """Start the staged tool in namespaces of its own.

        Args:
            stage: the tool, laid out.
            limits: what it may use.
            line: a descriptor of ours that it keeps, and nothing else.
        """
        assert self._program, "who picks this asks `missing` first"
        assert self._filter, "who picks this asks `missing` first"
        with tempfile.TemporaryFile() as held:
            held.write(self._filter)
            held.seek(0)
            return spawn(
                [self._program, *self._words(stage, limits, held.fileno(), line)],
                {},
                limits,
                folder="/",
                pass_fds=[held.fileno(), *([] if line is None else [line])],
            )

    def _words(self, stage: Stage, limits: Limits, filter_fd: int, line: int | None) -> list[str]:
        seen, from_ = INSIDE, stage.outside
        size = ["--size", str(limits.scratch_bytes)]
        words = [*_NAMESPACES, "--uid", "65534", "--gid", "65534", "--hostname", "sandbox"]
        words += [*_base(), "--proc", "/proc", "--dev", "/dev"]
        words += [*size, "--tmpfs", "/dev/shm", *size, "--tmpfs", seen.scratch]  # noqa: S108 (its own)
        words += ["--symlink", seen.scratch, "/tmp"]  # noqa: S108 (a name inside, bounded)
        for source, place in (
            (from_.tool, seen.tool),
            (from_.python, seen.python),
            (from_.packages, seen.packages),
            (from_.training, seen.training),
        ):
            words += ["--ro-bind", source, place]
        for setting in stage.manifest.settings:
            words += ["--ro-bind-try", setting, setting]
        environment = stage.environment(seen)
        if line is not None:
            environment["BAYANIHAN_LINE"] = str(line)
        for name, value in environment.items():
            words += ["--setenv", name, value]
        words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", seen.tool]
        return [*words, "--seccomp", str(filter_fd), "--", *stage.command(seen)]

    def described(self) -> dict[str, object]:
        """The version of bubblewrap and the filter's digest."""
        told = subprocess.run(
            [self._program or "bwrap", "--version"], capture_output=True, text=True, check=False
        )
        return {
            "level": self.level,
            "isolator": told.stdout.strip() or self.name,
            "seccomp": f"sha256:{hashlib.sha256(self._filter).hexdigest()}",
        }
