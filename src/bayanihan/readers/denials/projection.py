"""The denials that stand, folded from the record. The whole document is read from the record."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from bayanihan.core.denial import Denial, opened
from bayanihan.errors import Refused
from bayanihan.ledger import Entry, Projection

PREFIX = "denial--"
_TAKE_OUT = (
    "UPDATE denials SET out = 1 WHERE id = ? AND origin = ? AND audience = ? AND exercise = ?"
)
_DROP = "DELETE FROM denials WHERE id = ? AND origin = ? AND audience = ? AND exercise = ?"


class Standing(msgspec.Struct, frozen=True):
    """A denial that stands, as it was entered: its key, its entry's time, how far it may go."""

    position: int
    denial: Denial
    public: bytes
    stamp_us: int
    audience: int
    origin: str
    exercise: bool


class Denials(Projection):
    """Denials by their entries."""

    name = "denials"
    version = 1
    kinds = ("attestation", "withdrawn", "erased")
    schema = """
        CREATE TABLE denials (
            position INTEGER PRIMARY KEY, id TEXT NOT NULL, origin TEXT NOT NULL,
            audience INTEGER NOT NULL, exercise INTEGER NOT NULL, stamp_us INTEGER NOT NULL,
            document BLOB NOT NULL, out INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX denials_by_id ON denials (id)
    """

    def fold(self, entry: Entry, body: bytes | None) -> None:
        """Take a denial in, or one out."""
        if not entry.object_id.startswith(PREFIX):
            return
        header = entry.header
        same = (entry.object_id, entry.origin, header.audience, int(header.exercise))
        if header.kind == "withdrawn":
            self.db.execute(_TAKE_OUT, same)
        elif header.kind == "erased":
            self.db.execute(_DROP, same)
        elif body is not None:
            row = (header.position, *same, header.stamp_us, body)
            self.db.execute("INSERT INTO denials VALUES (?, ?, ?, ?, ?, ?, ?, 0)", row)

    def known(self, denial_id: str) -> bool:
        """Whether a denial with that id was ever entered, withdrawn or not."""
        row = self.reading.execute("SELECT 1 FROM denials WHERE id = ? LIMIT 1", (denial_id,))
        return row.fetchone() is not None

    def standing(self, audiences: Sequence[int], *, exercise: bool, limit: int) -> list[Standing]:
        """The newest denials that stand and that these audiences were told, newest first.

        Each signature is verified anew as it is read.
        """
        rows = self.reading.execute(
            "SELECT position, document, stamp_us, audience, origin, exercise FROM denials"
            " WHERE out = 0 AND exercise = ? AND audience IN (SELECT value FROM json_each(?))"
            " ORDER BY position DESC LIMIT ?",
            (int(exercise), json.dumps(sorted(audiences)), limit),
        )
        return [found for row in rows if (found := _standing(*row)) is not None]


def _standing(
    position: int, document: bytes, stamp_us: int, audience: int, origin: str, exercise: int
) -> Standing | None:
    try:
        denial, public = opened(msgspec.json.decode(document))
    except (Refused, msgspec.DecodeError):
        return None  # a changed document is no denial; `verify` says that the record was changed
    return Standing(position, denial, public, stamp_us, audience, origin, bool(exercise))
