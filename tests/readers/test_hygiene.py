"""Bad input of real lists: what it does to every feed, which is nothing that it should not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bayanihan.core.feed_order import FeedOrder
from bayanihan.core.marking import PUBLIC
from bayanihan.core.never_block import NeverBlock
from bayanihan.readers.feeds import (
    FORMATS,
    Judge,
    Press,
    budgeted,
    never_block_lines,
    warning_lists,
)
from bayanihan.readers.feeds.grammar import fault
from tests.readers.record import NEVER_BLOCK as PLAIN
from tests.readers.record import Record, draft, indicator, named, new_id
from tests.readers.test_press_steps import pressed

HOSTILE = (
    "[ipv4-addr:value = '0.0.0.0/0']",
    "[ipv4-addr:value = '0.0.0.0']",
    "[ipv6-addr:value = '::/0']",
    "[ipv4-addr:value = '10.1.2.3']",
    "[ipv4-addr:value = '192.168.0.0/16']",
    "[ipv4-addr:value = '8.8.8.0/24']",
    f"[domain-name:value = '{'a' * 300}.com']",
    f"[domain-name:value = '{'.'.join(['a' * 63] * 6)}.com']",
    "[domain-name:value = 'discord.com']",
    "[domain-name:value = 'www.facebook.com']",
    "[url:value = 'http://facebook.com/']",
    "[domain-name:value = 'com']",
    "[domain-name:value = 'co.th']",
    "[domain-name:value = 'a\\nb.com']",
    "[domain-name:value = 'evil.com\\n$INCLUDE /etc/passwd']",
    "[domain-name:value = '*.com']",
)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path) as found:
        suffixes = PLAIN._suffixes
        rules = NeverBlock(never_block_lines(), suffixes, (), warning_lists())
        found.press = Press(
            found.active,
            budgeted(FORMATS, FeedOrder()),
            judge=Judge(rules),
            policy="test",
            level_of=lambda number: found.ledger.store.audiences()[number - 1].level,
            seal=found.ledger.cursors.seal,
            secret=b"s" * 32,
        )
        yield found


def test_hostile_values_enter_no_feed_and_are_listed_with_a_reason(record: Record) -> None:
    for pattern in HOSTILE:
        record.push(pattern)
    rights = record.rights(PUBLIC)
    for feed in FORMATS:
        found = record.press.version(feed, rights, record.now_us)
        body = b"".join([found.body, *(page.body() for page in found.pages.values())])
        for word in (b"/etc/passwd", b"a" * 64, b"0.0.0.0/0", b"192.168.", b"8.8.8.", b"discord"):
            assert word not in body, (feed, word)
        assert found.items <= 1, "one page of a shared site may be listed"
        left = found.held_total + found.not_expressed_total
        assert left >= len(HOSTILE) - 2, feed
        assert all(each.reason.endswith(".") for each in (*found.held, *found.not_expressed))


def test_names_that_look_like_others_are_names_of_their_own(record: Record) -> None:
    """A Cyrillic `а` in a bank's name blocks that name, and never the bank's."""
    record.push(named("dbs.com", "db\u0455.com", "n\u0433\u00e2n-h\u00e0ng-vn.com"))
    found = record.press.version("domains.txt", record.rights(PUBLIC), record.now_us)
    names = [line for line in found.body.decode().split("\n") if line and line[0] != "#"]
    assert len(names) == 3, "two names and the canary"
    assert [name for name in names if name.startswith("xn--")] == names[-2:]
    assert [left.value for left in found.held] == ["dbs.com"]
    for feed in FORMATS:
        version = record.press.version(feed, record.rights(PUBLIC), record.now_us)
        check = FORMATS[feed].check
        why = check(version.body) if check else fault(feed, version.body)
        assert why is None, (feed, why)


@pytest.mark.long
def test_a_hundred_thousand_values_in_one_second_wait_behind_the_budget(record: Record) -> None:
    budget, many = FeedOrder().blocks_per_hour, 100_000
    for start in range(0, many, 1_000):
        entries = []
        for number in range(start, start + 1_000):
            object_id = new_id()
            entries.append(draft(object_id, indicator(object_id, named(f"n{number}.flood.com"))))
        record.ledger.append(entries)
    while record.active.catch_up(record.ledger.scan, record.ledger.length):
        pass
    record.push(named("needed-evil.com"), origin="TH")
    found = record.press.version("domains.txt", record.rights(PUBLIC), record.now_us)
    assert (found.items, found.held_total) == (budget + 1, many - budget)
    assert b"needed-evil.com" in found.body, "another member's word is heard all the same"
    row = json.dumps([left.reason for left in found.held[:3]])
    assert "change budget" in row


@pytest.mark.long
def test_a_flood_leaves_the_same_feeds_step_by_step_as_at_once(record: Record) -> None:
    """100,000 values in one second, with feeds asked for in between."""
    feeds = ("suricata.rules", "misp/manifest.json", "squid.acl", "indicators.csv")
    rights, many = record.rights(PUBLIC), 100_000
    for start in range(0, many, 1_000):
        entries = []
        for number in range(start, start + 1_000):
            object_id = new_id()
            entries.append(draft(object_id, indicator(object_id, named(f"n{number}.flood.com"))))
        record.ledger.append(entries)
        while record.active.catch_up(record.ledger.scan, record.ledger.length):
            pass
        if start % 10_000 == 0:
            for feed in feeds:
                record.press.version(feed, rights, record.now_us)
    with closing(pressed(record)) as fresh:
        for feed in feeds:
            made = record.press.version(feed, rights, record.now_us)
            right = fresh.version(feed, rights, record.now_us)
            assert (made.etag, made.file.tree_digest) == (right.etag, right.file.tree_digest)
            assert made.pages.keys() == right.pages.keys()
            assert all(page.digest == right.pages[name].digest for name, page in made.pages.items())
