"""Which server is in force, looked at while the one that is asked lets everybody wait.

A server that hangs, or whose line is cut, tells nobody: whoever waits for it waits until TCP
gives it up, and where the machine still answers that is never. To give up a server because it
is slow would be wrong as often as right. So a node gives it up for one reason alone: another
server is in force, on a higher timeline, which only a promotion begins. As long as the row
that proves this node comes in time nobody looks; when it is late, all servers are asked,
each by itself, until it comes or one of them was promoted.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bayanihan.ledger.postgres_hosts import Hosts, Place

LOOK_EVERY_S = 0.25
# A server that needs longer for a new connection is not asked for one by whoever is in a hurry.
SILENT_AFTER_S = 0.5


@dataclass
class _Look:
    """One question to one server; `silent` once it is clear that no answer comes soon."""

    began_s: float = field(default_factory=time.monotonic)
    ended_s: float = 0.0
    silent: bool = False

    @property
    def due(self) -> bool:
        return bool(self.ended_s) and time.monotonic() - self.began_s > LOOK_EVERY_S

    def see(self) -> None:
        waited_s = (self.ended_s or time.monotonic()) - self.began_s
        self.silent = self.silent or waited_s > SILENT_AFTER_S


class Watch:
    """A thread that looks at all servers while the one in force is late.

    Args:
        hosts: the servers.
        late: whether what the server in force owes is late.
        leave: breaks off what waits for a server that was left behind.
    """

    def __init__(self, hosts: Hosts, late: Callable[[], bool], leave: Callable[[], None]) -> None:
        self._hosts = hosts
        self._late = late
        self._leave = leave
        self._looks: dict[Place, _Look] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin, where there is more than one server to look at."""
        if len(self._hosts.places) > 1:
            self._thread.start()

    def stop(self) -> None:
        """End the thread; a look that is under way ends by itself."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S / 2):
            if self._late():
                self._look_around()
            elif self._looks:
                self._looks = {}
                self._hosts.keep_silent(frozenset())

    def _look_around(self) -> None:
        for place in self._hosts.places:
            before = self._looks.get(place)
            if before is None or before.due:
                look = self._looks[place] = _Look(silent=bool(before and before.silent))
                threading.Thread(target=self._look, args=(place, look), daemon=True).start()
        for look in self._looks.values():
            look.see()
        silent = [place for place, look in self._looks.items() if look.silent]
        self._hosts.keep_silent(frozenset(silent))
        self._leave()

    def _look(self, place: Place, look: _Look) -> None:
        with contextlib.suppress(Exception):  # nobody answers, or a standby does
            self._hosts.look(place)
        look.ended_s = time.monotonic()
        look.silent = look.ended_s - look.began_s > SILENT_AFTER_S
