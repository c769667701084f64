"""The chunks of a feed: an edit comes to the same as making it anew, and costs what changed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.core import feed_delta
from bayanihan.readers.feeds import stix_bundle, table
from bayanihan.readers.feeds.format import Heading, Item, render
from bayanihan.readers.feeds.lines import File, Lines, changes

LINES = st.sets(st.integers(0, 3_000), max_size=60)


def named(numbers: set[int]) -> list[bytes]:
    """Lines whose chunks end often enough for a few hundred to make several."""
    return sorted(f"line {number * 37}".encode() for number in numbers)


def file_of(lines: Lines) -> File:
    return File(b"# head\n", tuple(lines.chunks), b"end\n")


@given(st.integers(0, 2_000), LINES, LINES)
@settings(max_examples=60)
def test_an_edit_comes_to_the_same_as_making_it_anew(
    count: int, more: set[int], less: set[int]
) -> None:
    before = set(range(0, count, 2))
    lines = Lines(named(before))
    old = file_of(lines)
    want = dict.fromkeys(named(more), True) | dict.fromkeys(named(less), False)
    come, gone = lines.edit(want)
    after = (before | more) - less
    new = file_of(lines)
    fresh = feed_delta.parts(["# head"], [each.decode() for each in named(after)], ["end"])
    assert new.body() == fresh.body()
    assert new.tree_digest == fresh.digest
    assert [each.text() for each in new.chunks] == list(fresh.chunks)
    assert (come, gone) == (named(after - before), named(before - after)) == changes(old, new)


@given(st.sets(st.integers(0, 400)), st.integers(0, 400))
@settings(max_examples=30)
def test_it_knows_what_is_there(numbers: set[int], asked: int) -> None:
    assert Lines(named(numbers)).has(named({asked})[0]) == (asked in numbers)


def test_an_edit_touches_the_chunks_of_its_lines_alone() -> None:
    lines = Lines([f"{number:06}".encode() for number in range(50_000)])
    before = set(map(id, lines.chunks))
    lines.edit({b"010000": False, b"030000x": True})
    assert len(set(map(id, lines.chunks)) - before) <= 4
    assert len(before) > 100


def test_chunks_are_kept_packed() -> None:
    lines = Lines([f"https://evil-{number:06}.com/a".encode() for number in range(20_000)])
    file = file_of(lines)
    assert file.kept_bytes < file.size_bytes / 3
    assert len(file.body()) == file.size_bytes


HEADING = Heading("x", False, "clear", "c", "v", 1, 3, 0, 0)
ITEMS = [Item("domain", f"n{number}.evil.com", ("indicator--1",)) for number in range(3)]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"]}\n", b"\n", "it is not JSON"),
        (b"n1.evil", b"\xff1.evil", "it is not JSON"),
        (b"n1.evil", b"\\q1.evil", "it is not JSON"),
        (b'"id":"bundle', b'"di":"bundle', "it is not JSON"),
        (b"\n]}", b',\n{"id":"one"},\n{"id":"one"}\n]}', "an id comes twice"),
    ],
)
def test_our_reader_of_bundles_is_strict(old: bytes, new: bytes, why: str) -> None:
    body = render(stix_bundle.BUNDLE, ITEMS, HEADING)
    assert stix_bundle.check(body) is None
    assert old in body
    found = stix_bundle.check(body.replace(old, new))
    assert found is not None
    assert found.startswith(why)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"type,", b"typ,", "the row of names is not the first"),
        (b"n1.evil", b"n1,evil", "a row has another number of cells"),
        (b"n1.evil", b'"n1.evil', "unexpected end of data"),
        (b"n1.evil", b"n1\x07evil", "a line holds what is not printable"),
    ],
)
def test_our_reader_of_tables_is_strict(old: bytes, new: bytes, why: str) -> None:
    body = render(table.CSV, ITEMS, HEADING)
    assert table.check(body) is None
    assert old in body
    assert table.check(body.replace(old, new)) == why
