"""Which of several servers is in force: the one that takes writes on the highest timeline.

A promotion begins a new timeline. A primary that was cut off and comes back goes on with the
old one and takes writes, as far as it can tell: to a node that reads from it the record would go
back in time. Only whoever promotes can fence it; what a node can do is not to ask it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bayanihan.ledger.engine import ConnectionLost

_TIMELINE = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int"

Connect = Callable[[str], Any]
# Host and port, as the address names them.
Place = tuple[str, str]


class Reached(NamedTuple):
    """A connection, and the timeline of the server that it leads to; 0 where nobody asked."""

    link: Any
    timeline: int


class Hosts:
    """Opens connections to the server in force. Safe to call from several threads.

    Args:
        connect: opens a connection by its description; raises where nobody answers.
        describe: makes a description of its parts.
        parts: of the address; `host` and `port` may be lists with commas.
    """

    def __init__(
        self, connect: Connect, describe: Callable[..., str], parts: Mapping[str, Any]
    ) -> None:
        self._connect = connect
        self._describe = describe
        self._parts = dict(parts)
        self._lock = threading.Lock()
        self._silent: frozenset[Place] = frozenset()
        self.timeline = 0
        hosts = str(parts.get("host", "")).split(",")
        ports = str(parts.get("port", "")).split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        # In the order in which they are asked.
        self.places = [] if "hostaddr" in parts else list(zip(hosts, ports, strict=False))

    def any(self) -> Any:
        """A connection to whichever answers first."""
        return self._connect(self._describe(**self._parts))

    def in_force(self) -> Reached:
        """A connection. The first one looks at all servers; the others where it led."""
        if len(self.places) < 2:
            return Reached(self.any(), 0)
        if self.timeline:
            link = self._connect(self._described())
            if timeline := self._take(link):
                return Reached(link, timeline)
            link.close()
        return self._newest()

    def keep_silent(self, places: frozenset[Place]) -> None:
        """Ask none of these until it is said anew: they let whoever asks them wait."""
        self._silent = places

    def look(self, place: Place) -> None:
        """Ask one server how far it is; the one in force is asked first from now on.

        Raises what `connect` raises where it does not answer, or takes no writes.
        """
        link = self._connect(self._describe(**self._parts_of(place)))
        try:
            if self._take(link):
                self._put_first(place)
        finally:
            link.close()

    def _parts_of(self, place: Place) -> dict[str, Any]:
        return {**self._parts, "host": place[0], "port": place[1]}

    def _described(self) -> str:
        some = [each for each in self.places if each not in self._silent] or self.places
        hosts, ports = (",".join(each) for each in zip(*some, strict=True))
        return self._describe(**{**self._parts, "host": hosts, "port": ports})

    def _take(self, link: Any) -> int:
        """The timeline of a server, 0 where it is behind what was seen; notes how far it is."""
        try:
            timeline = int(link.execute(_TIMELINE).fetchone()[0])
        except Exception:  # it went, or was demoted, since it was reached
            return 0
        with self._lock:
            self.timeline = max(self.timeline, timeline)
            return timeline if timeline == self.timeline else 0

    def _put_first(self, place: Place) -> None:
        with self._lock:
            self.places = [place, *(each for each in self.places if each != place)]

    def _newest(self) -> Reached:
        """Ask each; the one on the highest timeline is asked first from now on."""
        found: Reached | None = None
        error: Exception | None = None
        for place in list(self.places):
            try:
                link = self._connect(self._describe(**self._parts_of(place)))
            except Exception as failed:
                error = failed
                continue
            timeline = self._take(link)
            if not timeline:
                link.close()
                continue
            if found is not None:
                found.link.close()
            found = Reached(link, timeline)
            self._put_first(place)
        if found is None:
            raise error or ConnectionLost("Every server that answers is one that was left behind")
        return found
