"""What a hub does by the hour: the digest of state into the record, and retention.

Retention erases bodies that are older than the operator's policy allows for their level.
It says so in the record, like every erasure, and it goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import msgspec

from bayanihan.errors import Refused
from bayanihan.ledger.door import Ledger
from bayanihan.ledger.engine import Store
from bayanihan.ledger.entry import Entry
from bayanihan.ledger.state import Change

logger = logging.getLogger(__name__)

RETENTION = "retention"
UPKEEP = "upkeep"
EVERY_S = 3_600.0
# A hub that is started often must not put off what is due, nor do it while it starts.
FIRST_S = 300.0
_DAY_US = 24 * 3_600 * 1_000_000
_AT_ONCE = 500


def state_digest(store: Store) -> str:
    """SHA-256 over every document of state, in order of room and key."""
    state = hashlib.sha256()
    for each in store.documents.all():
        state.update(msgspec.json.encode((each.room, each.key, each.version, each.value)))
    return state.hexdigest()


def retain(
    ledger: Ledger, days_of: Mapping[str, int], erased: Callable[[Sequence[int]], None]
) -> int:
    """Erase the objects that are older than their level's days; how many entries.

    Args:
        ledger: the record.
        days_of: TLP level -> days; a level that is absent is kept.
        erased: told the positions erased, for the erasure list.
    """
    count = 0
    for number, audience in enumerate(ledger.store.audiences(), 1):
        days = days_of.get(audience.level)
        if days is None:
            continue
        until = ledger.store.position_at(ledger.now_us() - days * _DAY_US)
        done = ledger.state.get(RETENTION, str(number))
        after = int(done.value) if done else 0
        while entries := _aged(ledger.store, number, after, until):
            for _, same in groupby(entries, key=lambda entry: (entry.origin, entry.object_id)):
                reason = f"kept {days} days, as the policy for TLP:{audience.level.upper()} says"
                positions = ledger.erase_entries(list(same), person="retention", reason=reason)
                erased(positions)
                count += len(positions)
            after = max(entry.position for entry in entries)
            ledger.state.put([Change(RETENTION, str(number), b"%d" % after)])
    return count


def _aged(store: Store, audience: int, after: int, until: int) -> list[Entry]:
    positions = store.aged(audience, after, until, _AT_ONCE)
    found = [store.entry(position) for position in positions]
    aged = [entry for entry in found if entry is not None and not entry.erased]
    return sorted(aged, key=lambda entry: (entry.origin, entry.object_id))


def take_turn(ledger: Ledger) -> bool:
    """Whether the hourly work is this node's to do now; another's once it began."""
    now_us, found = ledger.now_us(), ledger.state.get(UPKEEP, "turn")
    if found and now_us - int(found.value) < EVERY_S * 1_000_000 * 3 // 4:
        return False
    version = found.version if found else 0
    return ledger.state.put([Change(UPKEEP, "turn", b"%d" % now_us, expected=version)])


def check_signer(ledger: Ledger, public: bytes, path: Path) -> None:
    """Hold all nodes of a ledger to one signing key.

    Raises:
        Refused: `bad-setting` where another key has signed for this ledger.
    """
    if ledger.store.confirmed_s is None or ledger.store.claim_meta("signer", public) == public:
        return
    raise Refused(
        "bad-setting",
        "The other nodes of this ledger sign with another key",
        where=str(path),
        next_step="Copy signing.key from a node that serves this ledger.",
    )


class Upkeep:
    """Runs regular work on a thread of its own, a first time shortly after the start.

    Args:
        work: done every period; what it raises is logged and it is tried again.
        every_s: the period.
        first_s: how long after the start it is done first.
    """

    def __init__(
        self, work: Callable[[], None], every_s: float = EVERY_S, first_s: float = FIRST_S
    ) -> None:
        self._work = work
        self._every_s, self._first_s = every_s, min(first_s, every_s)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the work in hand."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        wait_s = self._first_s
        while not self._stopping.wait(wait_s):
            wait_s = self._every_s
            try:
                self._work()
            except Exception:
                logger.exception("this work failed; it is tried again in %.0f s", self._every_s)
