"""Machines on one switch: a network namespace each, and a line that can be cut. Needs root."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

NEEDED = ("ip", "setpriv")


def missing() -> str:
    """Why there can be no such network here; "" where there can."""
    if os.getuid() != 0:
        return "network namespaces need root"
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    if lacking:
        return f"needs {', '.join(lacking)}"
    try:
        with contextlib.closing(Network()):
            return ""
    except OSError as error:
        return f"this kernel has no namespaces and bridges for us: {error}"


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, timeout=20, check=False)
    if done.returncode:
        raise OSError(done.stderr.decode().strip())


@dataclass(frozen=True)
class Machine:
    """One machine: the name of its namespace, its address, and its line at the switch."""

    namespace: str
    address: str
    line: str

    @property
    def inside(self) -> list[str]:
        """The words before a command that runs on it."""
        return ["ip", "netns", "exec", self.namespace]

    def cut(self) -> None:
        """Nothing passes any more, and nobody is told."""
        _ip("link", "set", self.line, "nomaster")

    def mend(self) -> None:
        """All passes again."""
        _ip("link", "set", self.line, "master", self.line.rpartition("-")[0])


class Network:
    """A switch that this process is on too; close it at the end."""

    def __init__(self) -> None:
        # The kernel allows 15 characters for a line's name.
        self._name = f"byn{secrets.token_hex(3)}"
        self._subnet = f"10.213.{secrets.randbelow(250) + 1}"
        self.machines: list[Machine] = []
        try:
            _ip("link", "add", self._name, "type", "bridge")
            _ip("address", "add", f"{self._subnet}.1/24", "dev", self._name)
            _ip("link", "set", self._name, "up")
        except OSError:
            self.close()
            raise

    def machine(self) -> Machine:
        """A new machine."""
        number = len(self.machines) + 2
        name, line = f"{self._name}-{number}", f"{self._name}-{number}"
        made = Machine(name, f"{self._subnet}.{number}", line)
        _ip("netns", "add", name)
        self.machines.append(made)
        _ip("link", "add", line, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", line, "master", self._name, "up")
        for words in (
            ("address", "add", f"{made.address}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", name, *words)
        return made

    def close(self) -> None:
        """Take it down; what still runs on a machine keeps nothing of it."""
        for each in self.machines:
            with contextlib.suppress(OSError):
                _ip("link", "del", each.line)
            with contextlib.suppress(OSError):
                _ip("netns", "del", each.namespace)
        with contextlib.suppress(OSError):
            _ip("link", "del", self._name)


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """A network for one test."""
    made = Network()
    try:
        yield made
    finally:
        made.close()
