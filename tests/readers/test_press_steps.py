"""A press that is brought further step by step comes to what a fresh one makes at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bayanihan.core import moment
from bayanihan.core.feed_delta import apply
from bayanihan.core.marking import PUBLIC, Viewer
from bayanihan.readers.feeds import (
    FORMATS,
    Format,
    Press,
    Rendered,
    misp_events,
    newest_lines,
    rule_ids,
)
from bayanihan.readers.feeds import stock as stocks
from bayanihan.readers.feeds.format import ADDRESSES, EXERCISE_PREFIX, Item
from bayanihan.readers.feeds.format import NAMES as NAME_TYPES
from bayanihan.readers.feeds.judge import Judge
from tests.readers.record import CLEAR, GREEN, NEVER_BLOCK, SG, START_US, Record

SECOND_US = 1_000_000

# Of small limits, so that cuts happen.
SMALL = msgspec.structs.replace(FORMATS["paloalto-domain.edl"], name="small.edl", limit=3)
# Of names and addresses, which are ranked among each other.
MIXED = msgspec.structs.replace(
    SMALL, name="mixed.edl", types=ADDRESSES | NAME_TYPES | {"url"}, limit=5
)
# Two URLs of one line, for one place.
PAGE = msgspec.structs.replace(FORMATS["paloalto-url.edl"], name="page.edl", limit=1)
# Formats in which one item's lines depend on others'.
DEPENDENT = ("suricata.rules", "yara.yar", "misp/manifest.json", "small.edl", "mixed.edl")
MADE: dict[str, Format] = {**FORMATS, **{each.name: each for each in (SMALL, MIXED, PAGE)}}

NAMES = (
    *("evil-one.com", "a.evil-one.com", "b.a.evil-one.com", "evil-two.com", "x.evil-two.com"),
    *("evil-three.com", "evil-four.net", "gov.sg", "c.evil-four.net", "t.co"),
)
VALUES = (
    *(f"[domain-name:value = '{name}']" for name in NAMES),
    "[ipv4-addr:value = '203.0.113.7'] OR [ipv4-addr:value = '45.83.1.2']",
    # Two URLs that one firewall's list writes as the same line.
    "[url:value = 'http://evil-one.com/a']",
    "[url:value = 'https://evil-one.com/a']",
    "[domain-name:value = 'evil-one.com' AND ipv4-addr:value = '45.83.1.2']",
    # Three rules of which two have one name, a document, and a rule for the wire.
    "rule same { condition: true }",
    "rule same { condition: false }",
    "rule other {\n condition: true\n}",
    "title: member rule\nlogsource: {category: dns}\ndetection: {a: {b: c}, condition: a}\n",
    'alert dns any any -> any any (msg:"member rule"; dns.query; content:"evil"; sid:5;)',
)
LANGUAGES = {"rule": "yara", "titl": "sigma", "aler": "suricata"}


def pressed(record: Record) -> Press:
    return Press(
        record.active,
        MADE,
        judge=Judge(NEVER_BLOCK),
        policy="test",
        level_of=lambda number: record.ledger.store.audiences()[number - 1].level,
        seal=record.ledger.cursors.seal,
        secret=b"s" * 32,
    )


@pytest.fixture(autouse=True)
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few numbers and such small events that rules and attributes get in each other's way."""
    monkeypatch.setattr(rule_ids, "_HOMES", 12)
    monkeypatch.setattr(misp_events, "EVENT_LIMIT", 2)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path) as found:
        yield found


def stepped(record: Record, chance: random.Random, ids: list[tuple[str, str]]) -> None:
    """One random thing that happens to the record."""
    record.now_us += chance.choice((1, SECOND_US))  # the writer takes no leap of a minute
    until = moment.render(record.now_us + chance.randrange(20 * SECOND_US))
    more: dict[str, Any] = {"valid_until": until} if chance.random() < 0.3 else {}
    if chance.random() < 0.2:
        more = {"valid_from": until}
    audience = chance.choice((CLEAR, CLEAR, GREEN))
    value = chance.choice(VALUES)
    more["pattern_type"] = LANGUAGES.get(value[:4], "stix")
    deed = chance.random() if ids else 0.0
    if deed < 0.6:
        origin = chance.choice(("SG", "TH"))
        ids.append((record.push(value, audience=audience, origin=origin, **more), origin))
        return
    object_id, origin = chance.choice(ids)
    if deed < 0.8:
        version = len(ids) + record.now_us
        record.push(
            value, object_id=object_id, origin=origin, version=version,
            audience=audience, revoked=chance.random() < 0.3, **more,
        )  # fmt: skip
    else:
        record.withdraw(object_id, audience=audience, origin=origin)


@pytest.mark.parametrize("seed", range(4))
def test_steps_come_to_the_same_as_a_fresh_start(record: Record, seed: int) -> None:
    chance = random.Random(seed)
    ids: list[tuple[str, str]] = []
    press = pressed(record)
    before: dict[str, tuple[str, bytes]] = {}
    for _ in range(12):
        for _ in range(chance.randrange(1, 4)):
            stepped(record, chance, ids)
        fresh = pressed(record)
        for feed in dict.fromkeys((*chance.sample(sorted(MADE), 9), *DEPENDENT)):
            both(record, press, fresh, feed, SG)
            made = both(record, press, fresh, feed, PUBLIC)
            rights = record.rights(PUBLIC)
            cursor, body = before.get(feed, ("", b""))
            delta = press.delta(made, rights, cursor) if cursor else None
            assert delta is None or apply(body, delta) == made.body
            before[feed] = (made.cursor, made.body)
    press.close()


def both(record: Record, press: Press, fresh: Press, feed: str, viewer: Viewer) -> Rendered:
    """The version of a feed, which is the same however it was come to."""
    rights = record.rights(viewer)
    made = press.version(feed, rights, record.now_us)
    right = fresh.version(feed, rights, record.now_us)
    assert (made.body, made.pages) == (right.body, right.pages), feed
    found, wanted = (
        (each.etag, each.items, each.next_change_us, each.held_total, each.not_expressed_total)
        for each in (made, right)
    )
    assert found == wanted
    assert set(made.held) == set(right.held)
    if MADE[feed.removeprefix(EXERCISE_PREFIX)].limit:
        assert made.not_expressed == right.not_expressed
    return made


def test_a_change_is_no_walk(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        record.push(f"[domain-name:value = 'n{number}.evil.com']")
    rights = record.rights(PUBLIC)
    record.press.version("rpz.zone", rights, record.now_us)
    walks: list[int] = []
    monkeypatch.setattr(stocks.Walk, "__init__", lambda *_: walks.append(1))
    monkeypatch.setattr(stocks.Stock, "_make", lambda *_: walks.append(2))
    record.push("[domain-name:value = 'new.evil.com']", valid_until="2026-12-01T00:00:00Z")
    found = record.press.version("rpz.zone", rights, record.now_us)
    assert found.items == 31
    later = record.press.version("rpz.zone", rights, found.next_change_us)
    assert later.items == 30
    assert walks == []


def test_a_change_of_a_full_list_costs_what_gains_or_loses_a_place(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(1, 29):
        record.push(
            f"[domain-name:value = 'n{day}.evil.com']", valid_from=f"2026-01-{day:02}T00:00:00Z"
        )
    press, asked, rights = pressed(record), list[str](), record.rights(PUBLIC)
    press.version(SMALL.name, rights, record.now_us)
    lines = newest_lines.NewestLines._lines

    def noted(self: newest_lines.NewestLines, item: Item) -> list[bytes]:
        asked.append(item.value)
        return lines(self, item)

    monkeypatch.setattr(newest_lines.NewestLines, "_lines", noted)
    newer = record.push("[domain-name:value = 'new.evil.com']", valid_from="2026-02-01T00:00:00Z")
    found = press.version(SMALL.name, rights, record.now_us)
    assert asked == ["new.evil.com", "n26.evil.com"]
    assert (found.items, found.not_expressed_total) == (3, 26)
    record.withdraw(newer)
    found = press.version(SMALL.name, rights, record.now_us)
    assert asked[2:] == ["new.evil.com", "n26.evil.com"]
    assert (found.items, found.not_expressed_total) == (3, 25)
    assert found.body == pressed(record).version(SMALL.name, rights, record.now_us).body
    press.close()


def test_a_name_above_takes_the_lines_of_those_below_and_gives_them_back(record: Record) -> None:
    record.push("[domain-name:value = 'www.evil.com']")
    rights = record.rights(PUBLIC)
    record.push("[domain-name:value = 'a.b.evil.com']")
    record.push("[domain-name:value = 'notevil.com']")
    first = record.press.version("squid.acl", rights, START_US)
    above = record.push("[domain-name:value = 'evil.com']")
    second = record.press.version("squid.acl", rights, START_US)
    lines = set(second.body.decode().splitlines())
    assert {".evil.com", ".notevil.com"} <= lines
    assert not {".www.evil.com", ".a.b.evil.com"} & lines
    record.withdraw(above)
    third = record.press.version("squid.acl", rights, START_US)
    bare = [
        [line for line in found.body.decode().splitlines() if line.startswith(".")]
        for found in (first, third)
    ]
    assert bare[0] == bare[1]


def test_what_is_said_of_a_value_costs_that_value_alone(record: Record) -> None:
    record.push("[domain-name:value = 'evil.com']")
    rights = record.rights(PUBLIC)
    first = record.press.version("rpz.zone", rights, START_US)
    assert record.press.ready("rpz.zone", rights, START_US) is first
    record.press.look_again([("domain", "evil.com")])
    assert record.press.ready("rpz.zone", rights, START_US) is None
    assert record.press.version("rpz.zone", rights, START_US).body == first.body
