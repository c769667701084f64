"""The press under attack: a full disk, a change or a withdrawal in the middle, many at once."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bayanihan.core.feed_delta import apply
from bayanihan.core.marking import PUBLIC
from bayanihan.errors import Unavailable
from bayanihan.readers import feeds_api
from bayanihan.readers.feeds import FORMATS, Press, private_file
from bayanihan.readers.feeds import stock as stocks
from bayanihan.readers.feeds.gate import Verdict
from bayanihan.readers.feeds.whose import ANYBODY
from tests.readers.record import Record, draft, indicator, named, new_id, press_over
from tests.sim import objects
from tests.sim.process import RunningHub
from tests.sim.reader import until

MANY = 3_000


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path) as found:
        yield found


@contextmanager
def pressed(record: Record, **more: Any) -> Iterator[Press]:
    press = press_over(record, **more)
    yield press
    press.close()


def filled(record: Record, start: int, count: int) -> None:
    """Append names that are long enough that no small cache holds them."""
    drafts = []
    for number in range(start, start + count):
        object_id = new_id()
        drafts.append(draft(object_id, indicator(object_id, named(f"n{number}.{'x' * 60}.com"))))
    record.append(*drafts)


def public(press: Press, record: Record, feed: str = "domains.txt") -> Any:
    return press.version(feed, record.rights(PUBLIC), record.now_us)


def fresh(record: Record, feed: str = "domains.txt") -> bytes:
    """What a press that has just been started says."""
    with pressed(record) as press:
        body: bytes = public(press, record, feed).body
    return body


@contextmanager
def full_disk(size_bytes: int = 32 * 1024) -> Iterator[None]:
    """This process can write no file beyond a size."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


# --- a full disk -----------------------------------------------------------------------------


@pytest.fixture
def small_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_file, "CACHE_KIB", 64)


@pytest.mark.usefixtures("small_cache")
def test_a_full_disk_under_the_first_walk_is_said_and_got_over(record: Record) -> None:
    filled(record, 0, MANY)
    with pressed(record) as press:
        for _ in range(2):
            with full_disk(), pytest.raises(Unavailable) as caught:
                public(press, record)
            assert caught.value.code == "disk-full"
            assert caught.value.retry_after_s
        assert public(press, record).items == MANY
        assert public(press, record).body == fresh(record)


@pytest.mark.usefixtures("small_cache")
def test_a_full_disk_under_a_change_is_said_and_got_over(record: Record) -> None:
    filled(record, 0, MANY)
    with pressed(record) as press:
        first = public(press, record)
        filled(record, MANY, 700)
        with full_disk(), pytest.raises(Unavailable) as caught:
            public(press, record)
        assert caught.value.code == "disk-full"
        second = public(press, record)
        assert second.items == MANY + 700
        assert second.body == fresh(record)
        delta = press.delta(second, record.rights(PUBLIC), first.cursor)
        assert delta is None or apply(first.body, delta) == second.body


@pytest.mark.usefixtures("small_cache")
def test_while_the_disk_is_full_what_was_made_is_served(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds_api, "PATIENCE_S", 60.0)
    filled(record, 0, MANY)
    rights = record.rights(PUBLIC)
    with pressed(record) as press:
        counter = feeds_api.Counter(press, lambda: record.now_us)

        def served(feed: str) -> Any:
            return asyncio.run(counter.version(feed, rights, ANYBODY))

        first = served("domains.txt")
        filled(record, MANY, 700)
        with full_disk():
            assert served("domains.txt") is first
            with pytest.raises(Unavailable) as caught:
                served("rpz.zone")
        assert caught.value.code == "disk-full", "of this one none was made"
        assert served("domains.txt").items == MANY + 700


@pytest.mark.usefixtures("small_cache")
def test_a_full_disk_under_the_numbers_of_rules_is_said_and_got_over(record: Record) -> None:
    filled(record, 0, MANY)
    with pressed(record) as press:
        public(press, record)
        with full_disk(), pytest.raises(Unavailable) as caught:
            public(press, record, "suricata.rules")
        assert caught.value.code == "disk-full"
        first = public(press, record, "suricata.rules")
        filled(record, MANY, 100)
        second = public(press, record, "suricata.rules")
        assert second.body == fresh(record, "suricata.rules")
        delta = press.delta(second, record.rights(PUBLIC), first.cursor)
        assert delta is not None
        assert apply(first.body, delta) == second.body


@pytest.mark.usefixtures("small_cache")
def test_who_reads_a_stock_while_it_fails_gets_no_feed_of_half_of_it(record: Record) -> None:
    filled(record, 0, MANY)
    with pressed(record) as press:
        public(press, record)
        (stock,) = press._maker._stocks.every()
        pages = stocks.Walk(stock).pages()
        assert next(pages)
        filled(record, MANY, 700)
        with full_disk(), pytest.raises(Unavailable):
            public(press, record)
        with pytest.raises(Unavailable, match="disk is full"):
            list(pages)
        assert public(press, record, "rpz.zone").body == fresh(record, "rpz.zone")


def test_what_fails_in_the_middle_of_a_change_is_made_anew(record: Record) -> None:
    broken: list[int] = []

    def lines(item: Any) -> Sequence[str]:
        if broken:
            raise MemoryError("no room")
        return FORMATS["domains.txt"].lines(item)

    format_ = msgspec.structs.replace(FORMATS["domains.txt"], lines=lines)
    record.push(named("one-evil.com"))
    with pressed(record) as press:
        press._maker.formats["domains.txt"] = format_
        public(press, record)
        record.push(named("two-evil.com"))
        broken.append(1)
        with pytest.raises(MemoryError):
            public(press, record)
        broken.clear()
        assert public(press, record).items == 2
        assert public(press, record).body == fresh(record)


# --- something in the middle -----------------------------------------------------------------


class Busy:
    """An engine during whose first look something happens. It refuses files with a word."""

    def __init__(self, deed: Callable[[], object] | None = None) -> None:
        self.deed = deed
        self.asked: list[bytes] = []

    def __call__(self, name: str, files: Mapping[str, bytes]) -> Verdict:
        self.asked.append(files[name])
        deed, self.deed = self.deed, None
        if deed is not None:
            deed()
        if b"poison-evil.com" in files[name]:
            return Verdict("refused", "I do not like it")
        return Verdict("accepted")


def test_a_withdrawal_while_the_engine_looks_is_in_the_next_version(record: Record) -> None:
    record.push(named("one-evil.com"))
    gone = record.push(named("two-evil.com"))
    engine = Busy(lambda: record.withdraw(gone))
    with pressed(record, examine=engine) as press:
        public(press, record)
        assert press.ready("domains.txt", record.rights(PUBLIC), record.now_us) is None
        found = public(press, record)
        assert b"two-evil.com" not in found.body
        assert found.body == fresh(record)


def test_a_withdrawal_in_the_middle_of_a_walk_is_in_the_version(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stocks, "PAGE_ITEMS", 2)
    ids = [record.push(named(f"n{number}-evil.com")) for number in range(9)]
    pages = stocks.Walk.pages
    walked: list[int] = []

    def stepping(self: stocks.Walk) -> Iterator[Any]:
        for page in pages(self):
            yield page
            if not walked:
                walked.append(1)
                record.withdraw(ids[0])
                record.withdraw(ids[8])
                # Another feed of the same viewers brings the stock further meanwhile.
                public(press, record, "rpz.zone")

    with pressed(record) as press:
        monkeypatch.setattr(stocks.Walk, "pages", stepping)
        found = public(press, record)
        assert found.items == 7
        assert found.body == fresh(record)


def test_what_comes_while_the_engine_looks_is_asked_about_too(record: Record) -> None:
    """A listing may bring the lines further while a slow engine looks at those before."""
    record.push(named("one-evil.com"))
    with pressed(record, examine=(engine := Busy()), patience_s=-1.0) as press:
        public(press, record)
        record.push(named("two-evil.com"))

        def deed() -> None:
            record.push(named("poison-evil.com"))
            press.listing(record.rights(PUBLIC), record.now_us)

        engine.deed = deed
        public(press, record)
        found = public(press, record)
        assert b"poison-evil.com" not in found.body
        assert [each.value for each in found.held] == ["poison-evil.com"]


def test_many_at_once_after_a_change_get_one_version_and_a_right_delta(record: Record) -> None:
    filled(record, 0, 50)
    engine = Busy()
    with pressed(record, examine=engine) as press, ThreadPoolExecutor(8) as many:
        first = public(press, record)
        for number in range(5):
            record.push(named(f"new{number}-evil.com"))
            before = len(engine.asked)
            made = list(many.map(lambda _: public(press, record), range(8)))
            assert all(each is made[0] for each in made)
            assert len(engine.asked) == before + 1
            delta = press.delta(made[0], record.rights(PUBLIC), first.cursor)
            assert delta is not None
            assert apply(first.body, delta) == made[0].body == fresh(record)


# --- kill -9 ---------------------------------------------------------------------------------


def test_a_hub_that_was_killed_while_pressing_serves_the_right_bytes(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    sg = hub.key("SG")
    names = [f"n{number}-evil.com" for number in range(1_500)]
    for start in range(0, len(names), 500):
        some = names[start : start + 500]
        hub.push(sg, *[objects.indicator(value=name) for name in some], tlp="clear")
    with ThreadPoolExecutor(4) as many:
        for feed in ("domains.txt", "rpz.zone", "hosts.txt", "indicators.csv"):
            many.submit(_asked, hub, feed)
        hub.kill()
    hub.start()
    answer = hub.ask("GET", "/feeds/domains.txt")
    assert answer.status_code == 200
    lines = [line for line in answer.text.splitlines() if line.endswith("-evil.com")]
    assert lines == sorted(names)


def _asked(hub: RunningHub, feed: str) -> None:
    hub.ask("GET", f"/feeds/{feed}")


def test_a_fault_of_ours_beside_the_requests_is_in_the_log(
    record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    def engine(name: str, files: Mapping[str, bytes]) -> Verdict:
        raise ZeroDivisionError(name)

    filled(record, 0, 1)
    with pressed(record, examine=engine) as press:
        press.prove(record.rights(PUBLIC), lambda: record.now_us)
        until(lambda: "domains.txt could not be made" in caplog.text)
    assert "ZeroDivisionError" in caplog.text
