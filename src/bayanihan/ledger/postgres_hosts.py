"""Which of several servers is in force: the one that takes writes on the highest timeline.

A promotion begins a new timeline. A primary that was cut off and comes back goes on with the
old one and takes writes, as far as it can tell: to a node that reads from it the record would go
back in time. Only whoever promotes can fence it; what a node can do is not to ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bayanihan.ledger.engine import ConnectionLost

_TIMELINE = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int"

Connect = Callable[[str], Any]


class Hosts:
    """Opens connections to the server in force.

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
        self._timeline = 0
        hosts = str(parts.get("host", "")).split(",")
        ports = str(parts.get("port", "")).split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        self._places = [] if "hostaddr" in parts else list(zip(hosts, ports, strict=False))

    def any(self) -> Any:
        """A connection to whichever answers first."""
        return self._connect(self._describe(**self._parts))

    def in_force(self) -> Any:
        """A connection. The first one looks at all servers; the others where it led."""
        if len(self._places) < 2:
            return self.any()
        if self._timeline:
            link = self._connect(self._described())
            if self._take(link):
                return link
            link.close()
        return self._newest()

    def _described(self) -> str:
        hosts, ports = (",".join(each) for each in zip(*self._places, strict=True))
        return self._describe(**{**self._parts, "host": hosts, "port": ports})

    def _take(self, link: Any) -> bool:
        """Whether a server is not behind what was seen; notes how far it is."""
        try:
            timeline = link.execute(_TIMELINE).fetchone()[0]
        except Exception:  # it went, or was demoted, since it was reached
            return False
        self._timeline = max(self._timeline, timeline)
        return bool(timeline == self._timeline)

    def _newest(self) -> Any:
        """Ask each; the one on the highest timeline is asked first from now on."""
        found: Any = None
        error: Exception | None = None
        for place in list(self._places):
            parts = {**self._parts, "host": place[0], "port": place[1]}
            try:
                link = self._connect(self._describe(**parts))
            except Exception as failed:
                error = failed
                continue
            if not self._take(link):
                link.close()
                continue
            if found is not None:
                found.close()
            found = link
            self._places = [place, *(each for each in self._places if each != place)]
        if found is None:
            raise error or ConnectionLost("Every server that answers is one that was left behind")
        return found
