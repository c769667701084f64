"""The agent as its users run it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"
WAIT_S = 60
_MAIN = "from bayanihan.cli import main; main()"
_SMALL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)); "


class AgentProcess:
    """Starts agents on one file at one hub.

    Args:
        folder: holds the file, the state folder and the home.
        address: of the hub.
    """

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.out = folder / "rpz.zone"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("BAYANIHAN", "XDG"))}
        self.environment = kept | {
            "PYTHONPATH": str(SOURCE),
            "BAYANIHAN_HUB": address,
            "BAYANIHAN_KEY": "byn_a_b",
            "HOME": str(folder / "home"),
        }

    def start(
        self, *options: str, feed: str = "rpz.zone", small_disk: bool = False
    ) -> subprocess.Popen[str]:
        """An agent that runs."""
        return subprocess.Popen(
            [
                sys.executable,
                "-c",
                (_SMALL_DISK if small_disk else "") + _MAIN,
                *("agent", "--feed", feed, "--out", str(self.out)),
                *options,
            ],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def once(
        self, *options: str, feed: str = "rpz.zone", small_disk: bool = False
    ) -> tuple[int, str, str]:
        """An agent that looks once: its exit code, its output and its errors."""
        process = self.start("--once", *options, feed=feed, small_disk=small_disk)
        output, errors = process.communicate(timeout=WAIT_S)
        return process.returncode, output, errors
