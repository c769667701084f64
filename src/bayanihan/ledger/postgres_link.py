"""Connections to PostgreSQL: opened with limits, shared by threads, found again after a loss.

psycopg is imported on first use: whoever keeps the ledger in a file need not have it. Its
own pool is not used because it waits longer and longer between attempts to connect, and a
node must be back within a second of a promotion.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from bayanihan.errors import BayanihanError, Refused, Unavailable
from bayanihan.ledger.engine import ConnectionLost
from bayanihan.ledger.postgres_hosts import Hosts, Reached
from bayanihan.ledger.postgres_line import Line

SCHEMA = "bayanihan"
OLDEST_SERVER = 150_000
READ_WITHIN_S = 10.0
STARTED_WITHIN_S = 3.0
# On the event loop a wait stops everybody: there the answer is "away" at once.
READ_ON_LOOP_WITHIN_S = 0.5
RETRY_EVERY_S = 0.05
CONNECTIONS_LIMIT = 16
# How soon a peer that fell silent is given up where no other is known to be in force, see
# `postgres_watch`; libpq counts in seconds and milliseconds.
_LIMITS = {
    "connect_timeout": "2",
    "keepalives_idle": "3",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
    "application_name": "bayanihan",
}
# A node that hangs, or whose line is cut, between the lock and the commit holds up all others
# until the server ends its session. Nothing that a node does in between takes nearly as long.
HELD_UP_S = 10
_SESSION = """
SET search_path = {schema};
SET idle_in_transaction_session_timeout = '{held_up_s}s';
SET tcp_keepalives_idle = 3;
SET tcp_keepalives_interval = 1;
SET tcp_keepalives_count = 3;
SET tcp_user_timeout = 5000
"""
_DURABLE = """;
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')
"""

Answer = TypeVar("Answer")


def is_postgres(address: str) -> bool:
    """Whether an address names a PostgreSQL store."""
    return address.startswith(("postgresql://", "postgres://"))


def shown(address: str) -> str:
    """The address as it may be printed: without user, password and options."""
    if not is_postgres(address):
        return "the store"
    parts = urlsplit(address)
    return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"


def is_lost(error: Exception) -> bool:
    """Whether an error of psycopg means that the server is away or about to go."""
    code = getattr(error, "sqlstate", None) or ""
    if code:
        # 08 connection; 57P01-57P05 shut down, crashed, starting; 25006 a demoted primary;
        # 25P03 this node hung in the middle of a batch.
        return code.startswith(("08", "57P")) or code in ("25006", "25P03", "53300")
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return type(error).__module__.startswith("psycopg") and "OperationalError" in kinds


def explain_postgres(error: Exception, name: str) -> BayanihanError | None:
    """An error of psycopg as one of ours; None for one that is not of its making."""
    if isinstance(error, BayanihanError):
        return error
    if not type(error).__module__.startswith("psycopg"):
        return None
    code = getattr(error, "sqlstate", None) or ""
    if is_lost(error):
        return ConnectionLost(f"The database at {name} is away")
    if code.startswith("53"):
        return Unavailable("disk-full", "The database has no room", where=name, retry_after_s=60)
    if code in ("40001", "40P01", "55P03", "57014"):
        return Unavailable("overloaded", "The database is busy", where=name, retry_after_s=1)
    return None


class Links:
    """Opens connections, lends them to threads, and opens others when the server went.

    Args:
        address: the store's address; several hosts are tried in turn.
        read_only: also a standby will do.

    Raises:
        Refused: `bad-setting` where psycopg is missing, or the address or the server is not
            one that can be used.
    """

    def __init__(self, address: str, *, read_only: bool = False) -> None:
        try:
            import psycopg
            from psycopg.conninfo import conninfo_to_dict, make_conninfo
        except ImportError:
            raise Refused(
                "bad-setting",
                "PostgreSQL needs packages that are not installed",
                where="store",
                next_step="Run: pip install 'bayanihan[postgres]'",
            ) from None
        self.name = shown(address)
        try:
            given = conninfo_to_dict(address)
        except psycopg.ProgrammingError:
            message = "This is no address of a PostgreSQL database"
            raise Refused("bad-setting", message, where=self.name) from None
        attrs = "any" if read_only else "read-write"
        parts = {**_LIMITS, "target_session_attrs": attrs, **given}
        self.hosts = Hosts(partial(psycopg.connect, autocommit=True), make_conninfo, parts)
        self._read_only = read_only
        self._idle: list[Any] = []
        self._lines: weakref.WeakKeyDictionary[Any, Line] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(CONNECTIONS_LIMIT)
        self._closed = False

    def connect(self) -> Any:
        """A connection of the caller's own, each statement a transaction of its own."""
        found = Reached(self.hosts.any(), 0) if self._read_only else self.hosts.in_force()
        connection = found.link
        with self._lock:
            self._lines[connection] = Line(connection, found.timeline)
        session = _SESSION.format(schema=SCHEMA, held_up_s=HELD_UP_S)
        connection.execute(session if self._read_only else session + _DURABLE)
        return connection

    def leave_behind(self) -> None:
        """Break off what waits for a server that a promotion left behind."""
        with self._lock:
            lines = list(self._lines.items())
        for connection, line in lines:
            if line.timeline < self.hosts.timeline:
                line.cut(connection)

    def check_server(self) -> None:
        """Refuse a server that is too old, or a database whose text is not UTF-8."""
        version, encoding = self.ask(
            lambda link: link.execute(
                "SELECT current_setting('server_version_num')::int,"
                " current_setting('server_encoding')"
            ).fetchone(),
            STARTED_WITHIN_S,
        )
        if version < OLDEST_SERVER:
            message = f"PostgreSQL {version // 10_000} is too old: 15 or later will do"
            step = "Upgrade the server, or name another with --store."
            raise Refused("bad-setting", message, where=self.name, next_step=step)
        if encoding != "UTF8":
            message = f"The database's text is {encoding}, not UTF8"
            step = "Make another database: createdb --encoding UTF8 --template template0."
            raise Refused("bad-setting", message, where=self.name, next_step=step)

    def ask(self, question: Callable[[Any], Answer], within_s: float = READ_WITHIN_S) -> Answer:
        """Ask something that changes nothing; again, when the server went meanwhile.

        Raises:
            ConnectionLost: when no server answers in time.
            Unavailable: `overloaded` when no connection is free in time.
        """
        if asyncio._get_running_loop() is not None:
            within_s = min(within_s, READ_ON_LOOP_WITHIN_S)
        until_s = time.monotonic() + within_s
        while True:
            try:
                with self._lent(within_s) as connection:
                    return question(connection)
            except Exception as error:
                explained = explain_postgres(error, self.name)
                if not isinstance(explained, ConnectionLost):
                    raise explained or error from error
                if time.monotonic() > until_s or self._closed:
                    raise explained from error
            time.sleep(RETRY_EVERY_S)

    @contextlib.contextmanager
    def _lent(self, within_s: float) -> Iterator[Any]:
        if self._closed:
            raise Unavailable("stopping", "The hub is stopping", retry_after_s=5)
        if not self._room.acquire(timeout=within_s):
            raise Unavailable("overloaded", "Too many read at once", retry_after_s=1)
        connection = None
        try:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            connection = connection or self.connect()
            yield connection
        finally:
            if connection is not None:
                self._take_back(connection)
            self._room.release()

    def _take_back(self, connection: Any) -> None:
        with self._lock:
            if not (connection.closed or connection.broken or self._closed):
                self._idle.append(connection)
                return
            # The others that lie idle lead to the same server.
            stale, self._idle = [connection, *self._idle], []
        for each in stale:
            each.close()

    def close(self) -> None:
        """Close what lies idle; what is lent is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
