"""The press: versions are made once, kept, named and listed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from bayanihan.core.marking import PUBLIC, Viewer
from bayanihan.core.observables import Observable
from bayanihan.readers.feeds import (
    FORMATS,
    Format,
    Heading,
    Judge,
    Press,
    Rendered,
    never_block_lines,
    policy_digest,
)
from bayanihan.readers.feeds.left_out import LISTED_LIMIT
from tests.readers.record import (
    DAY_US,
    GREEN,
    LONG_AGO_US,
    NEVER_BLOCK,
    OPERATOR,
    SG,
    START_US,
    Record,
    draft,
    indicator,
    named,
    new_id,
)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path) as found:
        yield found


def version(record: Record, feed: str, viewer: Viewer = PUBLIC, now_us: int = 0) -> Rendered:
    return record.press.version(feed, record.rights(viewer), now_us or record.now_us)


def test_a_version_is_made_once_and_kept_until_something_changes(record: Record) -> None:
    record.push(named("one-evil.com"), valid_until="2026-12-01T00:00:00Z")
    rights = record.rights(PUBLIC)
    assert record.press.ready("rpz.zone", rights, START_US) is None
    first = version(record, "rpz.zone")
    assert record.press.ready("rpz.zone", rights, START_US) is first
    record.push(named("two-evil.com"), audience=GREEN)
    assert version(record, "rpz.zone") is first, "PUBLIC saw no change"
    record.push(named("three-evil.com"))
    second = version(record, "rpz.zone")
    assert second.etag != first.etag
    assert version(record, "rpz.zone", now_us=second.next_change_us - 1) is second
    third = version(record, "rpz.zone", now_us=second.next_change_us)
    assert third.position == second.position
    assert third.etag != second.etag
    assert (second.items, third.items) == (2, 1)


def test_tags_carry_position_moment_rights_and_policy(record: Record) -> None:
    record.push(named("one-evil.com"))
    record.push(named("two-evil.com"), audience=GREEN)
    tags = {version(record, feed, viewer).etag for feed in FORMATS for viewer in (PUBLIC, SG)}
    assert len(tags) == 2 * len(FORMATS)
    assert version(record, "rpz.zone", OPERATOR).etag in tags, "the same rights, the same file"
    other = Press(
        record.active,
        FORMATS,
        judge=Judge(NEVER_BLOCK),
        policy="another",
        level_of=lambda _: "clear",
        seal=record.ledger.cursors.seal,
        secret=b"s" * 32,
    )
    assert other.version("rpz.zone", record.rights(SG), START_US).etag not in tags


def test_the_policy_digest_names_what_decides() -> None:
    one = policy_digest(["a.com"], ["hub.net"], "1")
    assert one == policy_digest(["a.com"], ["hub.net"], "1")
    others = {
        policy_digest(["b.com"], ["hub.net"], "1"),
        policy_digest(["a.com"], ["b.net"], "1"),
        policy_digest(["a.com"], ["hub.net"], "2"),
        policy_digest(["a.com", "hub.net"], [], "1"),
    }
    assert one not in others
    assert len(others) == 4
    assert len(never_block_lines()) > 100


def counting(format_: Format, made: list[str]) -> Format:
    def head(heading: Heading) -> list[str]:
        made.append(heading.feed)
        return format_.head(heading)

    return msgspec.structs.replace(format_, head=head)


def press_with(record: Record, format_: Format) -> Press:
    return Press(
        record.active,
        {format_.name: format_},
        judge=Judge(NEVER_BLOCK),
        policy="",
        level_of=lambda _: "clear",
        seal=record.ledger.cursors.seal,
        secret=b"s" * 32,
    )


def together(count: int, work: Callable[[], object]) -> list[object]:
    results: list[object] = []
    gate = threading.Barrier(count)

    def run() -> None:
        gate.wait()
        try:
            results.append(work())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_many_callers_make_a_version_once(record: Record) -> None:
    bodies = [(new_id(), named(f"n{number}-evil.com")) for number in range(500)]
    record.append(*[draft(each, indicator(each, pattern)) for each, pattern in bodies])
    made: list[str] = []
    press = press_with(record, counting(FORMATS["rpz.zone"], made))
    rights = record.rights(PUBLIC)
    results = together(8, lambda: press.version("rpz.zone", rights, START_US))
    assert len(made) == 1
    assert all(each is results[0] for each in results)


def test_a_version_that_cannot_be_made_fails_for_all_and_is_tried_again(record: Record) -> None:
    record.push(named("one-evil.com"))
    broken = [True]

    def head(heading: Heading) -> list[str]:
        if broken[0]:
            raise OSError("no")
        return ["; whole"]

    format_ = msgspec.structs.replace(FORMATS["rpz.zone"], head=head, lines=lambda item: [])
    press = press_with(record, format_)
    rights = record.rights(PUBLIC)
    results = together(4, lambda: press.version("rpz.zone", rights, START_US))
    assert [type(each) for each in results] == [OSError] * 4
    broken[0] = False
    assert press.version("rpz.zone", rights, START_US).body == b"; whole\n"


def test_lists_are_cut_and_totals_are_not(record: Record) -> None:
    count = LISTED_LIMIT + 5
    bodies = [(new_id(), f"[url:value = 'http://a.evil.com/{n}']") for n in range(count)]
    record.append(*[draft(each, indicator(each, pattern)) for each, pattern in bodies])
    rows = record.press.listing(record.rights(PUBLIC), START_US)
    (row,) = [each for each in rows if each["feed"] == "rpz.zone"]
    assert len(row["not_expressed"]) == LISTED_LIMIT
    assert row["not_expressed_total"] == count


def test_the_listing_has_its_fixed_shape(record: Record) -> None:
    record.push(named("one-evil.com", "gov.sg"))
    rows = record.press.listing(record.rights(PUBLIC), START_US)
    assert [row["feed"] for row in rows] == record.press.feeds
    for row in rows:
        assert {"feed", "engine", "verified", "items", "size_bytes", "held", "not_expressed"} <= {
            *row
        }
        if not row["feed"].endswith(("domains.txt", "rpz.zone")):
            continue
        real = not row["feed"].startswith("exercise-")
        assert (row["items"], row["held_total"]) == ((1, 1) if real else (0, 0))
        assert all({*left} == {"value", "type", "reason", "id", "mode"} for left in row["held"])


def test_it_tells_of_one_object_what_each_feed_blocks(record: Record) -> None:
    object_id = record.push(
        named("one-evil.com", "gov.sg", "1.2.rpz-ip") + " OR [ipv4-addr:value = '203.0.113.9']",
        valid_until="2026-12-01T00:00:00Z",
    )
    rights = record.rights(PUBLIC)

    def blocked(feed: str, now_us: int = START_US) -> tuple[str, ...]:
        return record.press.blocked(feed, object_id, rights, now_us)

    assert blocked("rpz.zone") == ("one-evil.com",)
    assert blocked("domains.txt") == ("1.2.rpz-ip", "one-evil.com")
    assert blocked("exercise-rpz.zone") == blocked("rpz.zone", LONG_AGO_US + 350 * DAY_US) == ()
    refusals = {
        "one-evil.com": None,
        "gov.sg": "held",
        "1.2.rpz-ip": "not-expressed",
    }
    for name, kind in refusals.items():
        found = record.press.refusal("rpz.zone", Observable("domain", name))
        assert (found and found[0]) == kind
    address = record.press.refusal("rpz.zone", Observable("ipv4", "203.0.113.9"))
    assert address is not None
    assert address[0] == "not-expressed"
