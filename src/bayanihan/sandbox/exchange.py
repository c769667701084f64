"""The trials that a hub offers to laboratories: a folder for each, and one thread that keeps them.

A trial stays with the hub that it was offered to until its leader takes it back, or until
nobody has touched it for `KEPT_DAYS`. It is no part of the record: what comes of it, an
attestation, may be.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from bayanihan.core.marking import Viewer
from bayanihan.errors import Refused, Unavailable
from bayanihan.sandbox.answer import Question
from bayanihan.sandbox.book import Book
from bayanihan.sandbox.journal import is_full
from bayanihan.sandbox.offer import Batch, Found, Lease, Offer, Standing, Wish

KEPT_DAYS = 30
MOST_TRIALS, MOST_OF_ONE = 64, 8
FILES = ("tool", "training")
_OFFER_FILE, _BOOK_FILE = "offer.json", "book.db"

_Told = TypeVar("_Told")


class _Kept(msgspec.Struct, frozen=True):
    """What stands in `offer.json`: who offered, and what."""

    leader: str
    offer: Offer


class _Open:
    """A trial whose book is open."""

    def __init__(self, folder: Path, kept: _Kept, now: Callable[[], float]) -> None:
        self.folder = folder
        self.kept = kept
        self.book = Book(folder / _BOOK_FILE, kept.offer.lease_s, now)

    def size_of(self, name: str) -> int:
        """How many bytes of a file have come in."""
        return (self.folder / name).stat().st_size


class Exchange:
    """All trials that this hub offers.

    Args:
        folder: where they are kept; made with the first.
        now: the time, in seconds.
        entropy: so many secret random bytes.
    """

    def __init__(
        self, folder: Path, now: Callable[[], float], entropy: Callable[[int], bytes]
    ) -> None:
        self._folder = folder
        self._now = now
        self._entropy = entropy
        self._trials: dict[str, _Open] | None = None
        # Books are files that one thread writes to, away from the loop that serves.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="exchange")

    async def soon(self, work: Callable[[], _Told]) -> _Told:
        """Have the exchange's own thread do something.

        Raises:
            Unavailable: `disk-full`.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (OSError, sqlite3.OperationalError) as error:
            if is_full(error):
                message = "The hub's disk is full"
                raise Unavailable("disk-full", message, retry_after_s=30) from error
            raise

    def close(self) -> None:
        """Close every book. What was begun is finished first."""
        self._thread.submit(self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        for trial in (self._trials or {}).values():
            trial.book.close()
        self._trials = None

    def _all(self) -> dict[str, _Open]:
        if self._trials is None:
            self._trials = {}
            for path in sorted(self._folder.glob(f"*/{_OFFER_FILE}")):
                kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
                self._trials[path.parent.name] = _Open(path.parent, kept, self._now)
        return self._trials

    def _seen(self, viewer: Viewer, name: str) -> _Open:
        """A trial that a viewer may take part in; what is hidden looks like what is not there."""
        trial = self._all().get(name)
        if trial is None or not _may_take_part(viewer, trial.kept):
            raise Refused("not-found", "There is no such trial", where="trial_id")
        return trial

    def _own(self, viewer: Viewer, name: str) -> _Open:
        trial = self._seen(viewer, name)
        if viewer.origin != trial.kept.leader:
            raise Refused("not-permitted", "Only who offered this trial may do that")
        return trial

    # what its leader does

    def offer(self, viewer: Viewer, offer: Offer) -> str:
        """Keep an offer; the trial's id.

        Raises:
            Refused: `in-use`, so many trials are offered already.
        """
        self._forget_old()
        leaders = [trial.kept.leader for trial in self._all().values()]
        if len(leaders) >= MOST_TRIALS or leaders.count(viewer.origin) >= MOST_OF_ONE:
            raise Refused(
                "in-use",
                "So many trials are offered here already",
                next_step="Take one back with `bayanihan trial serve ... --withdraw`.",
            )
        name = self._entropy(16).hex()
        folder = self._folder / name
        folder.mkdir(parents=True, mode=0o700)
        for file in FILES:
            (folder / file).touch()
        kept = _Kept(viewer.origin, offer)
        trial = _Open(folder, kept, self._now)
        # Last: a folder without it is none of ours, and is not opened after a crash.
        (folder / _OFFER_FILE).write_bytes(msgspec.json.encode(kept))
        self._all()[name] = trial
        return name

    def _forget_old(self) -> None:
        for name, trial in list(self._all().items()):
            touched = max(path.stat().st_mtime for path in trial.folder.iterdir())
            if touched < self._now() - KEPT_DAYS * 86_400:
                self._remove(name)

    def put(self, viewer: Viewer, name: str, file: str, at: int, data: bytes) -> None:
        """Add a piece to a file that goes with a trial; a piece that is there already is let be.

        Raises:
            Refused: `conflict` for a gap or an open trial, `too-large` beyond what was announced.
        """
        trial = self._arriving(viewer, name)
        offer = trial.kept.offer
        limit = {"tool": offer.tool_bytes, "training": offer.training_bytes}[file]
        held = trial.size_of(file)
        if at + len(data) > limit:
            raise Refused("too-large", f"The file was announced with {limit} bytes", where=file)
        if at > held:
            raise Refused("conflict", f"{held} bytes are here; go on there", where=file)
        with (trial.folder / file).open("ab") as out:
            out.write(data[held - at :])

    def ask(self, viewer: Viewer, name: str, first: int, questions: Sequence[Question]) -> None:
        """Keep questions from this place on."""
        trial = self._arriving(viewer, name)
        if first + len(questions) > trial.kept.offer.items:
            raise Refused("too-large", f"{trial.kept.offer.items} questions were announced")
        trial.book.ask(first, questions)

    def _arriving(self, viewer: Viewer, name: str) -> _Open:
        trial = self._own(viewer, name)
        if trial.book.plan() is not None:
            raise Refused("conflict", "This trial is open already: nothing of it changes any more")
        return trial

    def open(self, viewer: Viewer, name: str) -> Standing:
        """Let laboratories in; a trial that is open already stays so.

        Raises:
            Refused: `conflict` when something is still missing.
        """
        trial = self._own(viewer, name)
        offer = trial.kept.offer
        missing = [
            what
            for what, there, wanted in (
                ("questions", trial.book.questions(), offer.items),
                ("tool", trial.size_of("tool"), offer.tool_bytes),
                ("training", trial.size_of("training"), offer.training_bytes),
            )
            if there != wanted
        ]
        if missing:
            raise Refused("conflict", f"Not all of it has come in: {', '.join(missing)}")
        if trial.book.plan() is None:
            plan = msgspec.to_builtins(offer)
            trial.book.begin(plan, len(offer.tools), offer.items)
        return self._standing(name, trial)

    def found(self, viewer: Viewer, name: str, contestant: int) -> Found:
        """All answers of one contestant, for the leader."""
        trial = self._own(viewer, name)
        if not 0 <= contestant < len(trial.kept.offer.tools):
            raise Refused("not-found", "There is no such contestant", where="contestant")
        return trial.book.found(contestant)

    def withdraw(self, viewer: Viewer, name: str) -> None:
        """Take a trial back, with all that was answered."""
        self._own(viewer, name)
        self._remove(name)

    def _remove(self, name: str) -> None:
        trial = self._all().pop(name)
        trial.book.close()
        # First what makes it a trial: a crash in between leaves a folder that is never opened.
        (trial.folder / _OFFER_FILE).unlink(missing_ok=True)
        shutil.rmtree(trial.folder, ignore_errors=True)

    # what a laboratory does

    def standings(self, viewer: Viewer) -> list[Standing]:
        """The trials that a viewer leads or may take part in."""
        return [
            self._standing(name, trial)
            for name, trial in self._all().items()
            if _may_take_part(viewer, trial.kept)
        ]

    def standing(self, viewer: Viewer, name: str) -> Standing:
        """How one trial stands."""
        return self._standing(name, self._seen(viewer, name))

    def _standing(self, name: str, trial: _Open) -> Standing:
        book, offer = trial.book, trial.kept.offer
        state: Literal["arriving", "open", "answered"] = "arriving"
        if book.plan() is not None:
            state = "open" if book.left() else "answered"
        return Standing(
            name,
            trial.kept.leader,
            offer,
            state,
            book.done(),
            offer.items * len(offer.tools),
            book.shares(),
            book.troubles(),
        )

    def lease(self, viewer: Viewer, name: str, wish: Wish) -> Lease | None:
        """Lease a shard; None where every one is held or answered.

        Raises:
            Refused: `no-isolation` below the level that is asked for.
        """
        trial = self._seen(viewer, name)
        if wish.laboratory.level < trial.kept.offer.least:
            raise Refused(
                "no-isolation",
                f"This trial asks for {trial.kept.offer.least} at least",
                where="laboratory.level",
            )
        drawn = self._entropy(16).hex()
        return trial.book.lease(drawn, viewer.key, viewer.origin, wish.laboratory, wish.contestant)

    def hand_in(self, viewer: Viewer, name: str, lease: str, batch: Batch) -> None:
        """Keep a laboratory's answers. See `Book.hand_in`."""
        self._seen(viewer, name).book.hand_in(lease, viewer.key, batch)

    def file(self, viewer: Viewer, name: str, lease: str, file: str) -> Path:
        """Where a file lies that goes with a trial, for who holds a lease of it."""
        trial = self._seen(viewer, name)
        trial.book.held(lease, viewer.key)
        return trial.folder / file


def _may_take_part(viewer: Viewer, kept: _Kept) -> bool:
    return bool(viewer.key) and (
        viewer.origin == kept.leader or viewer.member in kept.offer.laboratories
    )
