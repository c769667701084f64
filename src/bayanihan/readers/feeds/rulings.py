"""Rulings: what people said about a value itself, whoever told of it.

Each is a `decision` entry that no exit shows; what is seen is its effect, by whoever sees the
value in their own feeds. They are as many as people make, so all of them are held in memory.
Exercises have rulings of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from bayanihan.core.marking import Audience, Viewer
from bayanihan.core.never_block import NeverBlock
from bayanihan.core.observables import Observable
from bayanihan.ledger import Draft, Entry, Projection
from bayanihan.readers.feeds.decide import FOREVER_US, NOBODY, Words

# What may be said. `release` ends a claim, `desist` ends what `insist` began.
ACTS = ("confirm", "false-positive", "claim", "release", "insist", "desist", "admit")
CLAIM_US = 72 * 3_600 * 1_000_000

_OPERATION = Audience("red", persons=("rulings",))


class Ruling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody said: an act of `ACTS` about a value.

    `until_us` ends a confirmation; `reason` is theirs, in a line.
    """

    act: str
    type: str
    value: str
    exercise: bool = False
    until_us: int = FOREVER_US
    reason: str = ""


_decode = msgspec.json.Decoder(Ruling).decode


class _Said:
    """What was said about one value so far."""

    def __init__(self) -> None:
        self.confirmed_by = ""
        self.confirmed_until_us = FOREVER_US
        self.reports: dict[str, int] = {}
        self.claims: dict[str, int] = {}
        self.released: set[str] = set()
        self.insisted: set[str] = set()
        self.admitted: set[str] = set()
        self.said_us: dict[str, int] = {}

    def take(self, ruling: Ruling, origin: str, stamp_us: int) -> None:
        state = origin.partition("/")[0]
        self.said_us[home_of(ruling.act, state)] = stamp_us
        match ruling.act:
            case "confirm":
                self.confirmed_by, self.confirmed_until_us = state, ruling.until_us
                self.reports.clear()
            case "false-positive":
                self.reports[origin] = stamp_us
            case "claim":
                # Once for each member and value: saying it again buys no more time.
                self.claims.setdefault(state, stamp_us + CLAIM_US)
            case "release":
                if state in self.claims:
                    self.claims[state] = min(self.claims[state], stamp_us)
                    self.released.add(state)
            case "insist":
                self.insisted.add(state)
            case "desist":
                self.insisted.discard(state)
            case "admit":
                self.admitted.add(state)

    def standing(self, ruling: Ruling, origin: str, now_us: int) -> tuple[bool, int]:
        state = origin.partition("/")[0]
        match ruling.act:
            case "confirm":
                stands = (self.confirmed_by, self.confirmed_until_us) == (state, ruling.until_us)
                return stands and now_us < ruling.until_us, ruling.until_us
            case "false-positive":
                return origin in self.reports, FOREVER_US
            case "claim":
                until_us = self.claims.get(state, 0)
                return state not in self.released and now_us < until_us, until_us
            case "release":
                return state in self.released, FOREVER_US
            case "insist":
                return state in self.insisted, FOREVER_US
            case "desist":
                return state not in self.insisted, FOREVER_US
        return state in self.admitted, FOREVER_US

    def words(self, home: str) -> Words:
        # A released claim is gone at once, whatever the clock says of its stamp.
        standing = self.claims.keys() - self.released
        claimed_by = max(sorted(standing), key=self.claims.__getitem__, default="")
        return Words(
            self.confirmed_by,
            self.confirmed_until_us,
            tuple(sorted(self.reports)),
            claimed_by,
            self.claims.get(claimed_by, 0),
            home if home in self.insisted else "",
            bool(self.admitted & {"HUB", home}),
            max(self.said_us.get("", 0), self.said_us.get(home, 0)),
        )


class Heard(NamedTuple):
    """A ruling where it was entered: position, stamp, origin and the person who said it."""

    position: int
    stamp_us: int
    origin: str
    author: str
    ruling: Ruling


_COLUMNS = "SELECT position, stamp_us, origin, author, body FROM rulings"
_BEFORE = f"""
{_COLUMNS} WHERE position < :before AND exercise = :exercise
ORDER BY position DESC LIMIT :limit
"""
_BEFORE_OF = f"""
{_COLUMNS} WHERE position < :before AND exercise = :exercise AND type = :type AND value = :value
ORDER BY position DESC LIMIT :limit
"""


class Rulings(Projection):
    """The rulings as they stand at `position`. Read from any thread.

    Whoever opens a hub sets three things: `own_list` gives a member's own never-block entries
    and the number of its edition, `suffixes` says whether a name is a public suffix, `told`
    hears of values about which something was said.
    """

    name = "rulings"
    version = 2
    kinds = ("decision",)
    schema = (
        "CREATE TABLE rulings (position INTEGER PRIMARY KEY, stamp_us INTEGER NOT NULL,"
        " origin TEXT NOT NULL, author TEXT NOT NULL, exercise INTEGER NOT NULL,"
        " type TEXT NOT NULL, value TEXT NOT NULL, body BLOB NOT NULL) STRICT;"
        "CREATE INDEX rulings_of ON rulings (value, type, exercise, position)"
    )

    def loaded(self) -> None:
        """Take the saved rulings up again."""
        self.own_list: Callable[[str], tuple[dict[str, str], int]] = _no_list
        self.suffixes: Callable[[str], bool] = _no_suffix
        self.told: Callable[[Iterable[tuple[str, str]]], None] = _nobody
        self._said: dict[tuple[bool, str, str], _Said] = {}
        self._waiting: list[tuple[int, str, bytes]] = []
        self._lists: dict[str, tuple[int, NeverBlock]] = {}
        query = "SELECT stamp_us, origin, body FROM rulings ORDER BY position"
        for row in self.db.execute(query):
            self._take(*row)

    def begun(self) -> None:
        """No ruling waits yet."""
        self._waiting = []

    def fold(self, entry: Entry, body: bytes | None) -> None:
        """Save one ruling; it takes effect in `folded`, once it is committed."""
        if body is not None and entry.object_id.startswith("decision--value"):
            said = _decode(body)
            row = (
                *(entry.position, entry.stamp_us, entry.origin, entry.author),
                *(said.exercise, said.type, said.value, body),
            )
            self.db.execute("INSERT INTO rulings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._waiting.append((entry.stamp_us, entry.origin, body))

    def folded(self) -> None:
        """Apply what was committed."""
        waiting, self._waiting = self._waiting, []
        self.told([self._take(*row) for row in waiting])

    def _take(self, stamp_us: int, origin: str, body: bytes) -> tuple[str, str]:
        """Take one up; the value that it is about."""
        ruling = _decode(body)
        place = (ruling.exercise, ruling.type, ruling.value)
        said = self._said.get(place) or _Said()
        said.take(ruling, origin, stamp_us)
        self._said[place] = said
        return place[1:]

    def words(self, type_: str, value: str, home: str, *, exercise: bool) -> Words:
        """See `judge.Opinions`."""
        said = self._said.get((exercise, type_, value))
        return said.words(home) if said else NOBODY

    def claimed(self, type_: str, value: str, member: str, *, exercise: bool) -> int:
        """Until when a member's claim on a value holds or held; 0 where it made none."""
        said = self._said.get((exercise, type_, value))
        return said.claims.get(member, 0) if said else 0

    def holds(self, ruling: Ruling, origin: str) -> bool:
        """Whether an origin said the same before and nothing has ended it: it need not again."""
        said = self._said.get((ruling.exercise, ruling.type, ruling.value))
        if said is None:
            return False
        if ruling.act == "claim":
            return origin.partition("/")[0] in said.claims
        return ruling.act == "false-positive" and origin in said.reports

    def before(
        self, position: int, limit: int, about: Observable | None = None, *, exercise: bool
    ) -> list[Heard]:
        """The rulings before a position, the newest first; about one value alone, if given."""
        terms = {"before": position, "limit": limit, "exercise": int(exercise)}
        if about is None:
            rows = self.reading.execute(_BEFORE, terms)
        else:
            terms_of = {**terms, "type": about.type, "value": about.value}
            rows = self.reading.execute(_BEFORE_OF, terms_of)
        return [
            Heard(at, stamp_us, origin, author, _decode(body))
            for at, stamp_us, origin, author, body in rows.fetchall()
        ]

    def standing(self, heard: Heard, now_us: int) -> tuple[bool, int]:
        """Whether a ruling has an effect now, and when that ends or ended by itself."""
        ruling = heard.ruling
        said = self._said.get((ruling.exercise, ruling.type, ruling.value))
        if said is None:
            return False, FOREVER_US
        return said.standing(ruling, heard.origin, now_us)

    def in_force(
        self, type_: str, value: str, origin: str, now_us: int, *, exercise: bool
    ) -> set[str]:
        """Which of `claim`, `insist`, `admit` and `false-positive` an origin said and hold now."""
        said = self._said.get((exercise, type_, value))
        if said is None:
            return set()
        acts = ("claim", "insist", "admit", "false-positive")
        return {
            act
            for act in acts
            if said.standing(Ruling(act, type_, value, exercise), origin, now_us)[0]
        }

    def kept_out(self, observable: Observable, home: str) -> str:
        """See `judge.Opinions`."""
        entries, edition = self.own_list(home)
        if not entries:
            return ""
        known = self._lists.get(home)
        if known is None or known[0] != edition:
            known = (edition, NeverBlock(entries, self.suffixes))
            self._lists[home] = known
        why = known[1].reason(observable, exercise=True)
        return f"{home}'s own list keeps it out at home: {why}" if why else ""

    def edition(self, home: str) -> str:
        """See `judge.Opinions`."""
        return str(self.own_list(home)[1]) if home else ""


def draft_of(ruling: Ruling, author: Viewer) -> Draft:
    """The entry that says it."""
    return Draft(
        "decision",
        _OPERATION,
        author=author.person,
        origin=author.origin,
        object_id=f"decision--value-{ruling.act}",
        body=msgspec.json.encode(ruling),
        exercise=ruling.exercise,
    )


def home_of(act: str, state: str) -> str:
    """The member at whose home alone an act counts; "" where it counts for all."""
    at_home = act in ("insist", "desist") or (act == "admit" and state != "HUB")
    return state if at_home else ""


def _no_list(home: str) -> tuple[dict[str, str], int]:
    return {}, 0


def _nobody(values: Iterable[tuple[str, str]]) -> None:
    """Nobody hears."""


def _no_suffix(name: str) -> bool:
    return False
