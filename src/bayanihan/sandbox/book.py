"""The journal of a trial that laboratories work on, as a hub keeps it.

Beside what every journal holds: the questions, who holds which shard, and whose each answer is.
Here a lease is strict: what comes after it ran out is refused, and nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bayanihan.errors import Refused
from bayanihan.sandbox.answer import Question
from bayanihan.sandbox.journal import Journal
from bayanihan.sandbox.offer import Answered, Batch, Cost, Found, Lease, Said, Share

_TABLES = """
CREATE TABLE IF NOT EXISTS questions (place INTEGER PRIMARY KEY, line BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS laboratories (
    number INTEGER PRIMARY KEY, origin TEXT NOT NULL, said TEXT NOT NULL, UNIQUE (origin, said));
CREATE TABLE IF NOT EXISTS leases (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, laboratory INTEGER NOT NULL,
    contestant INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sources (
    contestant INTEGER, place INTEGER, laboratory INTEGER NOT NULL,
    PRIMARY KEY (contestant, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS troubles (sentence TEXT NOT NULL);
"""
_TROUBLES = 20


class Book(Journal):
    """An open book.

    Args:
        path: the file; made when absent.
        lease_s: how long a shard is held after each sign of life, in seconds.
        now: the time, in seconds.
    """

    def __init__(self, path: Path, lease_s: float, now: Callable[[], float]) -> None:
        super().__init__(path, lease_s=lease_s, now=now)
        self._connection.executescript(_TABLES)

    def ask(self, first: int, questions: Sequence[Question]) -> None:
        """Keep questions from this place on; what is there already stays."""
        with self._together():
            self._connection.executemany(
                "INSERT OR IGNORE INTO questions VALUES (?, ?)",
                ((first + at, msgspec.json.encode(each)) for at, each in enumerate(questions)),
            )

    def questions(self) -> int:
        """How many questions there are."""
        return int(self._connection.execute("SELECT count(*) FROM questions").fetchone()[0])

    def lease(self, name: str, key: str, origin: str, said: Said, contestant: int) -> Lease | None:
        """Lease a shard of a contestant that nobody holds; None when there is none.

        Args:
            name: of the lease, drawn by lot.
            key: the id of the API key that asks.
            origin: whose key it is.
            said: what the laboratory says of itself.
            contestant: which tool it has at hand.
        """
        shard = self.take(name, contestant)
        if shard is None:
            return None
        number = self._laboratory(origin, said)
        self._connection.execute(
            "INSERT INTO leases VALUES (?, ?, ?, ?, ?, ?)", (name, key, number, *shard)
        )
        places = self.missing(*shard)
        lines = dict(
            self._connection.execute(
                "SELECT place, line FROM questions WHERE place >= ? AND place < ?", shard[1:]
            ).fetchall()
        )
        questions = [msgspec.json.decode(lines[place], type=Question) for place in places]
        return Lease(name, *shard, places, questions)

    def _laboratory(self, origin: str, said: Said) -> int:
        words = (origin, msgspec.json.encode(said).decode())
        self._connection.execute(
            "INSERT OR IGNORE INTO laboratories (origin, said) VALUES (?, ?)", words
        )
        row = self._connection.execute(
            "SELECT number FROM laboratories WHERE origin = ? AND said = ?", words
        ).fetchone()
        return int(row[0])

    def held(self, name: str, key: str) -> tuple[int, int, int, int]:
        """(laboratory, contestant, first, last) of a lease that this key holds now.

        Raises:
            Refused: `not-found` when it never did, `lease-lost` when it does no more.
        """
        row = self._given(name, key)
        (mine,) = self._connection.execute(
            "SELECT holder = ? AND (done OR until >= ?) FROM shards "
            "WHERE contestant = ? AND first = ?",
            (name, self._now(), row[1], row[2]),
        ).fetchone()
        if not mine:
            raise Refused("lease-lost", "This shard is not yours any more: its lease ran out")
        return row

    def _given(self, name: str, key: str) -> tuple[int, int, int, int]:
        row = self._connection.execute(
            "SELECT laboratory, contestant, first, last FROM leases WHERE id = ? AND key = ?",
            (name, key),
        ).fetchone()
        if row is None:
            raise Refused("not-found", "You hold no such lease", where="lease")
        laboratory, contestant, first, last = row
        return laboratory, contestant, first, last

    def hand_in(self, name: str, key: str, batch: Batch) -> None:
        """Keep the answers to a held shard, and hold it on; the first answer to an item stays.

        Raises:
            Refused: `lease-lost`, `not-found`, or `bad-value` for what is not of this shard.
        """
        with self._together():
            if batch.rows or batch.give_back:
                self._hand_in(name, key, batch)
            _, contestant, *_ = self._given(name, key)
            for cost in batch.costs:
                self.store_run(contestant, cost.cold_start_s, cost.peak_bytes, cost.bounded)

    def _hand_in(self, name: str, key: str, batch: Batch) -> None:
        laboratory, contestant, first, last = self.held(name, key)
        for row in batch.rows:
            _check(row, first, last)
        self._connection.executemany(
            "INSERT OR IGNORE INTO sources VALUES (?, ?, ?)",
            ((contestant, row.place, laboratory) for row in batch.rows),
        )
        rows = [(contestant, r.place, r.verdict, r.latency_us, r.fault) for r in batch.rows]
        self._store(name, (contestant, first, last), rows)
        if batch.give_back:
            self._connection.execute(
                "UPDATE shards SET until = 0 WHERE contestant = ? AND first = ? AND NOT done",
                (contestant, first),
            )
        if batch.trouble:
            self._connection.execute(
                "INSERT INTO troubles SELECT origin || ': ' || ? FROM laboratories "
                "WHERE number = ? AND (SELECT count(*) FROM troubles) < ?",
                (batch.trouble, laboratory, _TROUBLES),
            )

    def left(self) -> int:
        """How many shards are not answered."""
        row = self._connection.execute("SELECT count(*) FROM shards WHERE NOT done").fetchone()
        return int(row[0])

    def shares(self) -> list[Share]:
        """What each laboratory did."""
        counts = dict(
            self._connection.execute(
                "SELECT laboratory, count(*) FROM sources GROUP BY laboratory"
            ).fetchall()
        )
        rows = self._connection.execute("SELECT number, origin, said FROM laboratories")
        return [
            Share(number, origin, msgspec.json.decode(said, type=Said), counts.get(number, 0))
            for number, origin, said in rows.fetchall()
        ]

    def troubles(self) -> list[str]:
        """What laboratories said when they gave a shard back."""
        return [row[0] for row in self._connection.execute("SELECT sentence FROM troubles")]

    def found(self, contestant: int) -> Found:
        """All answers of a contestant, in order of place, and what its starts cost."""
        rows = self._connection.execute(
            "SELECT place, verdict, latency_us, fault, laboratory FROM answers "
            "JOIN sources USING (contestant, place) WHERE contestant = ? ORDER BY place",
            (contestant,),
        ).fetchall()
        costs = self._connection.execute(
            "SELECT cold_start_s, peak_bytes, bounded FROM runs WHERE contestant = ?",
            (contestant,),
        )
        return Found(rows, [Cost(cold, peak, names.split()) for cold, peak, names in costs])


def _check(row: Answered, first: int, last: int) -> None:
    if not first <= row.place < last:
        raise Refused("bad-value", f"The place {row.place} is not of this shard", where="rows")
    faulty = row.fault is not None
    if (row.verdict == "x") != faulty or (faulty and row.latency_us is not None):
        raise Refused("bad-value", "x is a fault, and a fault has no time", where="rows")
