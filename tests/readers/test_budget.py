"""The change budget: what comes too fast, or too thick on one network, waits for a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bayanihan.core.feed_order import FeedOrder
from bayanihan.core.marking import PUBLIC
from bayanihan.readers.active.pace import HOUR_FROM, PLACE_FROM
from bayanihan.readers.feeds import FORMATS, Judge, Press, Rendered, Rulings, budgeted
from bayanihan.readers.feeds.rulings import Ruling, draft_of
from tests.readers.record import NEVER_BLOCK, OPERATOR, SG, Record, named

ORDER = FeedOrder(
    blocks_per_hour=HOUR_FROM, per_prefix=PLACE_FROM, budgets={"rpz.zone": HOUR_FROM + 10}
)
MANY = HOUR_FROM + 20


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path) as found:
        found.rulings = Rulings(None, found.ledger.epoch)
        found.press = Press(
            found.active,
            budgeted(FORMATS, ORDER),
            judge=Judge(NEVER_BLOCK, opinions=found.rulings),
            policy="test",
            level_of=lambda number: found.ledger.store.audiences()[number - 1].level,
            seal=found.ledger.cursors.seal,
            secret=b"s" * 32,
        )
        found.rulings.told = found.press.look_again
        yield found
        found.rulings.close()


def version(record: Record, feed: str = "domains.txt") -> Rendered:
    return record.press.version(feed, record.rights(PUBLIC), record.now_us)


def names(start: int, count: int) -> str:
    return named(*[f"n{start + number}.evil-one.com" for number in range(count)])


def admit(record: Record, value: str, viewer: object = OPERATOR) -> None:
    record.ledger.append([draft_of(Ruling("admit", "domain", value), viewer)])  # type: ignore[arg-type]
    record.rulings.catch_up(record.ledger.scan, record.ledger.length)


def test_what_is_beyond_the_hour_s_budget_waits_until_somebody_admits_it(record: Record) -> None:
    record.push(names(0, MANY))
    found = version(record)
    assert (found.items, found.held_total) == (HOUR_FROM, 20)
    assert "It waits: it is number" in found.held[0].reason
    assert version(record, "rpz.zone").held_total == 10, "a feed may have another budget"
    waiting = {left.value for left in found.held}
    record.push(names(1_000, 1), origin="TH")
    assert version(record).items == HOUR_FROM + 1, "another member has a budget of its own"
    record.now_us += 3_600_000_000
    record.push(names(2_000, 1))
    assert version(record).items == HOUR_FROM + 2, "so has the next hour"
    assert {left.value for left in version(record).held} == waiting, "no clock lets them in"
    admit(record, min(waiting))
    assert version(record).items == HOUR_FROM + 3
    admit(record, max(waiting), SG)
    assert version(record).items == HOUR_FROM + 3, "a member admits at home alone"


def test_a_later_version_keeps_its_numbers_and_counts_what_it_names_newly(record: Record) -> None:
    object_id = record.push(names(0, HOUR_FROM))
    record.push(names(0, HOUR_FROM), object_id=object_id, version=2, name="a better title")
    assert version(record).items == HOUR_FROM
    record.push(names(1, HOUR_FROM), object_id=object_id, version=3)
    found = version(record)
    assert (found.items, [left.value for left in found.held]) == (
        HOUR_FROM - 1,
        [f"n{HOUR_FROM}.evil-one.com"],
    )


def test_too_many_on_one_network_or_host_wait_whoever_tells(record: Record) -> None:
    for number in range(PLACE_FROM + 4):
        origin = "SG" if number % 2 else "TH"
        record.push(f"[ipv4-addr:value = '45.83.1.{number}']", origin=origin)
        record.push(f"[url:value = 'http://evil-one.com/{number}']", origin=origin)
    record.push("[ipv4-addr:value = '45.83.2.1']")
    addresses, urls = version(record, "addresses.txt"), version(record, "urls.txt")
    assert (addresses.items, addresses.held_total) == (PLACE_FROM + 1, 4)
    assert (urls.items, urls.held_total) == (PLACE_FROM, 4)
    assert "on its network or host" in urls.held[0].reason


def test_a_value_that_one_member_told_in_time_need_not_wait(record: Record) -> None:
    record.push(names(0, MANY))
    late = f"n{MANY - 1}.evil-one.com"
    assert late in {left.value for left in version(record).held}
    record.push(named(late), origin="TH")
    assert late not in {left.value for left in version(record).held}


def test_withdrawn_values_give_no_room_back_and_leave_nothing_behind(record: Record) -> None:
    object_id = record.push(names(0, MANY))
    record.withdraw(object_id)
    assert version(record).items == 0
    rows = record.active.reading.execute("SELECT count(*) FROM pace_items").fetchone()
    assert rows == (0,)
    record.push(names(5_000, 1))
    assert version(record).held_total == 1, "the hour is spent"
