"""Deltas of feeds: what is applied comes to the same bytes, or is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.feed_delta import CHUNK_LINES, Delta, apply, parts, signed_text
from bayanihan.errors import Refused

LINES = st.sets(st.text("abc.\u00e9 ", min_size=1, max_size=6), max_size=40)
HEAD = ("# head", "# more")
TAIL = ("end",)


def delta_of(old: set[str], new: set[str], head: tuple[str, ...] = HEAD, end: str = "\n") -> Delta:
    after = parts(head, sorted(new), TAIL, end)
    return Delta(
        feed="x",
        since="1",
        cursor="2",
        etag="e",
        digest=after.digest,
        signature="",
        items=len(new),
        head_lines=len(HEAD),
        tail_lines=len(TAIL),
        head=head,
        tail=TAIL,
        added=tuple(sorted(new - old)),
        removed=tuple(sorted(old - new)),
        end=end,
    )


@given(LINES, LINES)
def test_a_delta_leads_from_one_file_to_the_other(old: set[str], new: set[str]) -> None:
    delta = delta_of(old, new, ("# another head",))
    result = apply(parts(HEAD, sorted(old), TAIL).body(), delta)
    assert result == parts(("# another head",), sorted(new), TAIL).body()


TEXTS = st.sets(st.text("ab.\n/", max_size=8).filter(lambda text: "//\n" not in text), max_size=20)


@given(TEXTS, TEXTS)
def test_a_delta_of_texts_leads_from_one_file_to_the_other(old: set[str], new: set[str]) -> None:
    end = "\n// end\n"
    result = apply(parts(HEAD, sorted(old), TAIL, end).body(), delta_of(old, new, HEAD, end))
    assert result == parts(HEAD, sorted(new), TAIL, end).body()


@given(LINES, LINES, LINES)
def test_a_file_that_is_not_the_one_is_refused_or_comes_to_the_same(
    old: set[str], new: set[str], other: set[str]
) -> None:
    delta = delta_of(old, new)
    right = parts(HEAD, sorted(new), TAIL).body()
    body = parts(HEAD, sorted(other), TAIL).body()
    if (other - set(delta.removed)) | set(delta.added) == new:
        assert apply(body, delta) == right
    else:
        with pytest.raises(Refused):
            apply(body, delta)


def test_what_was_tampered_with_is_refused() -> None:
    delta = delta_of({"a"}, {"a", "b"})
    body = parts(HEAD, ["a"], TAIL).body()
    for wrong in (
        msgspec.structs.replace(delta, added=("c",)),
        msgspec.structs.replace(delta, head=("# other",)),
        msgspec.structs.replace(delta, tail=()),
        msgspec.structs.replace(delta, head_lines=9),
        msgspec.structs.replace(delta, head_lines=-1),
        msgspec.structs.replace(delta, tail_lines=-1),
        msgspec.structs.replace(delta, end=""),
        msgspec.structs.replace(delta, end="\nc"),
        msgspec.structs.replace(delta, digest="tree-sha-256=" + "0" * 64),
    ):
        with pytest.raises(Refused):
            apply(body, wrong)


def test_a_change_of_a_line_changes_few_chunks() -> None:
    lines = sorted(f"n{number}.evil.com" for number in range(20_000))
    before = parts(HEAD, lines, TAIL)
    assert 20_000 / CHUNK_LINES / 2 < len(before.chunks) < 20_000 / CHUNK_LINES * 2
    after = parts(HEAD, sorted([*lines, "m.evil.com"]), TAIL)
    assert len(set(after.digests) - set(before.digests)) <= 2
    assert before.digest != after.digest
    assert b"".join([before.head, *before.chunks, before.tail]) == before.body()


def test_the_signed_text_names_feed_cursor_and_digest() -> None:
    assert signed_text("f", "c", "sha-256=d") == b"bayanihan-feed-1\nf\nc\nsha-256=d\n"
