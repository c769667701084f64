"""A control group for one worker: memory and processes bounded together, where we may.

Version 2 is tried first, then version 1. A machine that allows neither is normal for an
ordinary user; then only the limits of single processes hold, and the result says so.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from bayanihan.sandbox.isolate.limits import Limits

ROOT = Path("/sys/fs/cgroup")


class Group:
    """A control group of one worker. `held` names what it bounds; empty when there is none.

    Args:
        name: a name of its own among all workers of this machine.
        limits: what is bounded.
        root: where the hierarchies are mounted.
    """

    def __init__(self, name: str, limits: Limits, root: Path = ROOT) -> None:
        self._folders: list[Path] = []
        self._peak: Path | None = None
        self.held: tuple[str, ...] = ()
        try:
            if (root / "cgroup.controllers").exists():
                self._second_version(root, name, limits)
            else:
                self._first_version(root, name, limits)
        except OSError:
            self.close()

    def _second_version(self, root: Path, name: str, limits: Limits) -> None:
        offered = (root / "cgroup.controllers").read_text().split()
        if not {"memory", "pids"} <= set(offered):
            return
        (root / "cgroup.subtree_control").write_text("+memory +pids")
        folder = self._make(root / name)
        (folder / "memory.max").write_text(str(limits.memory_bytes))
        (folder / "pids.max").write_text(str(limits.processes))
        with contextlib.suppress(OSError):
            (folder / "memory.swap.max").write_text("0")
        self._peak = folder / "memory.peak"
        self.held = ("memory", "processes")

    def _first_version(self, root: Path, name: str, limits: Limits) -> None:
        memory = self._make(root / "memory" / name)
        (memory / "memory.limit_in_bytes").write_text(str(limits.memory_bytes))
        pids = self._make(root / "pids" / name)
        (pids / "pids.max").write_text(str(limits.processes))
        self._peak = memory / "memory.max_usage_in_bytes"
        self.held = ("memory", "processes")

    def _make(self, folder: Path) -> Path:
        if not folder.parent.is_dir():
            raise FileNotFoundError(folder.parent)
        folder.mkdir()
        self._folders.append(folder)
        return folder

    @property
    def doors(self) -> list[str]:
        """The files that a process writes its number to when it enters."""
        return [str(folder / "cgroup.procs") for folder in self._folders]

    def enter(self) -> None:
        """Put the calling process into the group; its children follow."""
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def peak_bytes(self) -> int:
        """The most memory that was in use at once, 0 where nobody counted."""
        try:
            return int(self._peak.read_text()) if self._peak else 0
        except (OSError, ValueError):
            return 0

    def close(self) -> None:
        """Take the group away; its processes have ended, or end within a moment."""
        for folder in self._folders:
            for _ in range(100):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)
        self._folders = []
        self.held = ()
