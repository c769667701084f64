"""The steps that can go wrong, each as: do it, see whether it is done, do it again.

A step runs in a process of its own (see `table.py`), on a ledger whose store goes wrong at
one moment. Nothing here knows which moment that was.
"""

from __future__ import annotations

import contextlib
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path

from bayanihan.core.checkpoint import opened
from bayanihan.core.marking import Audience, Viewer
from bayanihan.core.signing import SigningKey
from bayanihan.errors import BayanihanError, Refused
from bayanihan.ledger import (
    Change,
    Draft,
    Entry,
    Ledger,
    Projection,
    back_up,
    restore,
)
from bayanihan.readers.heads import HEADS, Heads

SG = Viewer(key="k", person="ana", member="SG", scopes=frozenset({"read"}))
GREEN = Audience("green")
SECRET = b"Maria Clara of Binondo, account 4711"
KEY = SigningKey(b"k" * 32)


def drafts(*numbers: int) -> list[Draft]:
    """Notes of SG's, each with a body that can be told apart."""
    return [
        Draft("object", GREEN, "ana", "SG", f"note--{n}", SECRET + b" %d" % n, 1) for n in numbers
    ]


class Step(ABC):
    """One thing that a hub does.

    Args:
        folder: the data directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self, ledger: Ledger) -> None:
        """What was there before, all of it acknowledged."""
        ledger.append(drafts(1, 2, 3))

    @abstractmethod
    def act(self, ledger: Ledger) -> str:
        """Do it; what is answered. Raises one of our errors when it is refused."""

    @abstractmethod
    def is_done(self, ledger: Ledger) -> bool:
        """Whether it happened, as a user would see."""

    def holds(self, ledger: Ledger) -> bool:
        """What must hold after it was done again: nothing twice, nothing half."""
        found = [item.entry.object_id for item in ledger.read(SG, 0, 100).items]
        return len(found) == len(set(found))


class Append(Step):
    """Append two notes."""

    def act(self, ledger: Ledger) -> str:
        return ", ".join(sorted({one.outcome for one in ledger.append(drafts(4, 5))}))

    def is_done(self, ledger: Ledger) -> bool:
        found = {item.entry.object_id for item in ledger.read(SG, 0, 100).items}
        there = {"note--4", "note--5"} & found
        assert len(there) in (0, 2), "half of it is there"
        return bool(there)


class Erase(Step):
    """Erase a note: from the record, its log and the indexes."""

    def act(self, ledger: Ledger) -> str:
        try:
            return f"{len(ledger.erase(SG, 'note--2', 'names a victim'))} erased"
        except Refused as refusal:
            return refusal.code

    def is_done(self, ledger: Ledger) -> bool:
        found = {item.entry.object_id for item in ledger.read(SG, 0, 100).items}
        return "note--2" not in found

    def holds(self, ledger: Ledger) -> bool:
        content = SECRET + b" 2"
        if any(body == content for _, body in ledger.scan(0, 100)):
            return False
        ledger.close()
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return not any(content in path.read_bytes() for path in files)


class Receipt(Step):
    """Keep a document of state, as a receipt is kept, if nobody else has."""

    def act(self, ledger: Ledger) -> str:
        kept = ledger.state.put([Change("receipt", "SG", b"7", expected=0)])
        return "kept" if kept else "there already"

    def is_done(self, ledger: Ledger) -> bool:
        return ledger.state.get("receipt", "SG") is not None

    def holds(self, ledger: Ledger) -> bool:
        found = ledger.state.list("receipt")
        return [(one.version, one.value) for one in found] == [(1, b"7")]


class Checkpoint(Step):
    """Sign the head and keep it."""

    def act(self, ledger: Ledger) -> str:
        kept = ledger.state.put(Heads(ledger, "hub.example", KEY).sign())
        return "kept" if kept else "not kept"

    def is_done(self, ledger: Ledger) -> bool:
        return ledger.state.get(HEADS, "latest") is not None

    def holds(self, ledger: Ledger) -> bool:
        heads = Heads(ledger, "hub.example", KEY)
        heads.sign()
        seen = opened(heads.latest, "hub.example", KEY.public)
        return (seen.size, seen.root) == (ledger.head().size, ledger.head().root)


class Sizes(Projection):
    """A small projection: how large each object is."""

    name = "sizes"
    schema = "CREATE TABLE sizes (id TEXT PRIMARY KEY, size INTEGER)"

    def fold(self, entry: Entry, body: bytes | None) -> None:
        self.db.execute(
            "INSERT INTO sizes VALUES (?, ?)", (entry.object_id, len(body) if body else 0)
        )


class Fold(Step):
    """Fold entries into a projection; a row that were folded twice would be refused."""

    kind: type[Projection] = Sizes

    def _open(self, ledger: Ledger, kind: type[Projection]) -> Projection:
        return kind(self.folder / "projections", ledger.epoch, ledger.length)

    def act(self, ledger: Ledger) -> str:
        with contextlib.closing(self._open(ledger, self.kind)) as projection:
            behind = projection.catch_up(ledger.scan, ledger.length, 100)
        return "more to fold" if behind else "folded"

    def is_done(self, ledger: Ledger) -> bool:
        with contextlib.closing(self._open(ledger, Sizes)) as projection:
            return projection.position == 3

    def holds(self, ledger: Ledger) -> bool:
        again = Sizes(None, ledger.epoch)
        again.catch_up(ledger.scan, ledger.length, 100)
        with contextlib.closing(self._open(ledger, Sizes)) as projection:
            return projection.digest() == again.digest()


class Backup(Step):
    """Write a backup over last night's."""

    @property
    def out(self) -> Path:
        return self.folder.parent / "backup.tar"

    def prepare(self, ledger: Ledger) -> None:
        super().prepare(ledger)
        self.act(ledger)
        ledger.append(drafts(4))

    def act(self, ledger: Ledger) -> str:
        return f"{back_up(self.folder, self.out, software='1', made_at='now').size} entries"

    def is_done(self, ledger: Ledger) -> bool:
        return self._restored() == 4

    def holds(self, ledger: Ledger) -> bool:
        litter = [path.name for path in self.out.parent.iterdir() if "backup" in path.name]
        return self._restored() == 4 and litter == ["backup.tar"]

    def _restored(self) -> int:
        """How many entries the file holds; it must be good, whichever night's it is."""
        with tempfile.TemporaryDirectory() as folder:
            return restore(self.out, Path(folder), [])[0].size


STEPS: dict[str, type[Step]] = {
    "append": Append,
    "checkpoint": Checkpoint,
    "projection": Fold,
    "erase": Erase,
    "backup": Backup,
    "receipt": Receipt,
}


def tried(step: Step, ledger: Ledger) -> str:
    """What the caller of a step is told."""
    try:
        return step.act(ledger)
    except BayanihanError as error:
        return f"{error.family}: {error.code}"
