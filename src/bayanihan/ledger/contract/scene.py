"""What the checks work with: a ledger to open, audiences, viewers and small drafts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from bayanihan.core.marking import PUBLIC, Audience, Group, Viewer
from bayanihan.errors import Refused
from bayanihan.ledger.entry import Appended, Draft, Entry
from bayanihan.ledger.state import StateContract
from bayanihan.ledger.store import LedgerContract, Page, Where


class Opened(LedgerContract, Protocol):
    """The six verbs, and what the checks need beside them."""

    @property
    def state(self) -> StateContract:
        """The documents beside the record."""
        ...

    @property
    def length(self) -> int:
        """The last committed position."""
        ...

    def entry(self, viewer: Viewer, position: int) -> Entry:
        """One entry's header and facts."""
        ...

    def close(self) -> None:
        """Finish and let go of the store."""
        ...


Make = Callable[[], Opened]

MEMBERS = ("MY", "PH", "SG")
REGION = Group("region", 1, MEMBERS)
CLEAR = Audience("clear")
GREEN = Audience("green")
AUDIENCES = (
    CLEAR,
    GREEN,
    Audience("amber", (REGION,)),
    Audience("amber+strict", (REGION,)),
    Audience("amber", (Group("pair", 1, ("PH", "SG")),)),
    Audience("amber+strict", (Group("pair", 2, ("MY", "SG")), REGION)),
    Audience("red", persons=("ana",)),
    Audience("red", persons=("ana", "bao")),
)
SG = Viewer(key="k1", person="ana", member="SG")
PH = Viewer(key="k2", person="bao", member="PH")
BANK = Viewer(key="k3", person="chi", member="MY", constituent="bank")
OPERATOR = Viewer(key="k4", person="dee")
VIEWERS = (PUBLIC, SG, PH, BANK, OPERATOR, Viewer("k5", "eko", "PH", lost=(("pair", 1),)))
ALL = Where(kinds=("object", "withdrawn", "erased", "notice"))


@contextlib.contextmanager
def opened(make: Make) -> Iterator[Opened]:
    """A ledger that is closed whatever happens."""
    ledger = make()
    try:
        yield ledger
    finally:
        ledger.close()


def draft(
    name: str,
    body: bytes = b"{}",
    *,
    audience: Audience = GREEN,
    version_us: int | None = 1,
    kind: str = "object",
    exercise: bool = False,
    origin: str = "SG",
) -> Draft:
    """A draft with everything that a check does not care about filled in."""
    return Draft(kind, audience, "ana", origin, name, body, version_us, exercise)


def numbered(first: int, end: int, audience: Audience = GREEN) -> list[Draft]:
    """Small drafts, each of another object."""
    return [draft(f"note--{n}", b"%d" % n, audience=audience) for n in range(first, end)]


def outcomes(appended: Sequence[Appended]) -> list[str]:
    """The outcome of each draft."""
    return [one.outcome for one in appended]


def all_of(ledger: Opened, viewer: Viewer, limit: int, where: Where = ALL) -> list[int]:
    """Every position that pages of `limit` lead to."""
    positions: list[int] = []
    page = Page((), 0, True)
    while page.more:
        page = ledger.read(viewer, page.last, limit, where)
        assert len(page.items) <= limit
        assert page.items or not page.more, "an empty page says that more follows"
        positions += [item.entry.position for item in page.items]
    assert not ledger.read(viewer, page.last, limit, where).items
    return positions


def refusal(act: Callable[[], object]) -> str:
    """The code that an act is refused with; "" when it is not."""
    try:
        act()
    except Refused as error:
        return error.code
    return ""
