"""Order, stamps and waiting."""

from __future__ import annotations

import threading
from itertools import pairwise

from bayanihan.core.marking import Audience, Group, Viewer
from bayanihan.ledger.contract.scene import PH, SG, Make, all_of, draft, numbered, opened
from bayanihan.ledger.entry import Appended


def check_order_under_concurrency(make: Make) -> None:
    """Eight writers; readers that follow the tail miss nothing and see nothing twice."""
    writers, each = 8, 32
    common = Audience("amber", (Group("pair", 1, ("MY", "SG")),))
    rare = [Audience("red", persons=("bao", f"other-{n}")) for n in range(6)]
    with opened(make) as ledger:
        ended = threading.Event()
        seen: dict[str, list[int]] = {"common": [], "rare": []}

        def write(writer: int) -> None:
            for n in range(each):
                hidden = draft(f"note--{writer}-{n}-h", audience=Audience("red", persons=("x",)))
                shown = draft(f"note--{writer}-{n}", audience=common)
                ledger.append([shown, *[hidden] * (n % 3)])
                if n % 4 == 0:
                    audience = rare[(writer + n) % len(rare)]
                    ledger.append([draft(f"note--{writer}-{n}-r", audience=audience)])

        def follow(name: str, viewer: Viewer, limit: int) -> None:
            last = 0
            while True:
                over = ended.is_set()
                page = ledger.read(viewer, last, limit)
                seen[name] += [item.entry.position for item in page.items]
                last = page.last
                if over and not page.more and not page.items:
                    return
                if not page.items:
                    ledger.wait(ledger.length, 0.01)

        readers = [
            threading.Thread(target=follow, args=("common", SG, 7)),
            threading.Thread(target=follow, args=("rare", PH, 2)),
        ]
        threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
        for thread in [*readers, *threads]:
            thread.start()
        for thread in threads:
            thread.join()
        ended.set()
        for thread in readers:
            thread.join()
        assert seen["common"] == all_of(ledger, SG, 1000)
        assert len(seen["common"]) == writers * each
        assert seen["rare"] == all_of(ledger, PH, 1000)
        assert len(seen["rare"]) == writers * each // 4


def check_stamps_increase(make: Make) -> None:
    """Positions have no gap and stamps strictly increase, through a reopening."""
    appended: list[Appended] = []
    for first in (0, 50, 100):
        with opened(make) as ledger:
            appended += ledger.append(numbered(first, first + 50))
    assert [one.position for one in appended] == list(range(1, 151))
    stamps = [one.stamp_us for one in appended]
    assert all(one < later for one, later in pairwise(stamps))


def check_wait(make: Make) -> None:
    """`wait` returns at once when there is more, at the next append, or at the time-out."""
    with opened(make) as ledger:
        assert ledger.wait(0, 0.01) == 0
        reached: list[int] = []
        thread = threading.Thread(target=lambda: reached.append(ledger.wait(0, 30)))
        thread.start()
        ledger.append([draft("note--1")])
        thread.join()
        assert reached == [1]
        assert ledger.wait(0, 30) == 1
