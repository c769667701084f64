"""The feeds: what goes in, what is held, what is left out, and that nothing else gets in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.core.marking import PUBLIC, Audience, Viewer
from bayanihan.core.observables import Observable
from bayanihan.core.pattern import read
from bayanihan.errors import Refused
from bayanihan.readers.feeds import (
    FORMATS,
    Format,
    Heading,
    Item,
    Rendered,
    render,
)
from bayanihan.readers.feeds.domains import CANARY as LIST_CANARY
from bayanihan.readers.feeds.rpz import CANARY as ZONE_CANARY
from bayanihan.readers.feeds.rpz import ZONE_OCTETS
from tests.readers.record import (
    AMBER,
    CLEAR,
    DAY_US,
    GREEN,
    LONG_AGO_US,
    OPERATOR,
    RED,
    SG,
    START_US,
    STRICT,
    TH_BANK,
    Record,
    draft,
    indicator,
    named,
    new_id,
)

# The two feeds of names that the oldest tests are about; every feed is in `test_formats.py`.
LISTS = ("domains.txt", "rpz.zone")
FEEDS = [*LISTS, *[f"exercise-{name}" for name in LISTS]]
HEADING = Heading("x", False, "clear", "cursor", "version", START_US, 1, 0, 0)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path) as found:
        yield found


def version(record: Record, feed: str, viewer: Viewer = PUBLIC, now_us: int = 0) -> Rendered:
    return record.press.version(feed, record.rights(viewer), now_us or record.now_us)


def names_in(found: Rendered) -> set[str]:
    """The names that a feed blocks, whatever its format; the canary is none of them."""
    lines = found.body.decode("ascii").splitlines()
    if "rpz" in found.feed:
        return {line.split()[0] for line in lines if " CNAME " in line and line[0] != "*"}
    return {line for line in lines if not line.startswith("#")} - {LIST_CANARY}


def test_the_list_is_one_sorted_name_a_line(record: Record) -> None:
    record.push(named("zeta-evil.com", "ALPHA-evil.com."))
    found = version(record, "domains.txt")
    lines = found.body.decode().splitlines()
    names = [line for line in lines if not line.startswith("#")]
    assert names == [LIST_CANARY, "alpha-evil.com", "zeta-evil.com"]
    assert found.body.endswith(b"\n")
    assert found.digest == hashlib.sha256(found.body).hexdigest()
    assert found.items == 2


def test_the_head_says_what_the_version_is(record: Record) -> None:
    record.push(named("one-evil.com"), audience=AMBER)
    for feed in LISTS:
        found = version(record, feed, SG)
        head = found.body.decode().split("\n\n")[0]
        for text in (feed, "TLP:AMBER ", found.etag, found.cursor, "items: 1, held: 0"):
            assert text in head
        assert "EXERCISE" not in head
        assert record.ledger.cursors.open(found.cursor) == found.position == 1


def test_a_zone_blocks_a_name_and_all_below(record: Record) -> None:
    record.push(named("evil-one.com"))
    lines = version(record, "rpz.zone").body.decode().splitlines()
    assert "evil-one.com CNAME ." in lines
    assert "*.evil-one.com CNAME ." in lines
    assert f'{ZONE_CANARY} TXT "{version(record, "rpz.zone").etag}"' in lines


def test_a_zone_has_no_record_of_a_name_below_a_listed_one(record: Record) -> None:
    """It would make `y` and `z` exist, which the wildcard above would then not reach."""
    record.push(named("a-evil.com", "x.y.z.a-evil.com", "q.b-evil.com"))
    found = version(record, "rpz.zone")
    assert names_in(found) == {"a-evil.com", "q.b-evil.com"}
    assert found.items == 3


def test_the_serial_follows_the_content_and_not_the_position(record: Record) -> None:
    def serial(now_us: int = 0) -> int:
        lines = version(record, "rpz.zone", now_us=now_us).body.decode().splitlines()
        (soa,) = [line for line in lines if " SOA " in line]
        return int(soa.split()[4])

    record.push(named("one-evil.com"), valid_until="2026-12-01T00:00:00Z")
    assert serial() == START_US // 100_000 % 2**32
    record.now_us += 5_000_000
    record.push(named("two-evil.com"), audience=GREEN)
    assert serial() == START_US // 100_000 % 2**32, "PUBLIC saw no change"
    end_us = LONG_AGO_US + 334 * DAY_US
    assert serial(end_us + 7) == end_us // 100_000 % 2**32, "time alone changed it"


def test_urls_hashes_addresses_and_patterns_are_listed_and_never_become_names(
    record: Record,
) -> None:
    patterns = {
        "http://evil-one.com/page": "[url:value = 'http://evil-one.com/page']",
        "203.0.113.9": "[ipv4-addr:value = '203.0.113.9']",
        "d" * 64: f"[file:hashes.'SHA-256' = '{'d' * 64}']",
        "who@evil-one.com": "[email-addr:value = 'who@evil-one.com']",
        "[a:b = 1]": "[a:b = 1]",
    }
    for pattern in patterns.values():
        record.push(pattern)
    for feed in LISTS:
        found = version(record, feed)
        assert names_in(found) == set()
        assert {left.value for left in found.not_expressed} == set(patterns)
        assert all(left.reason.endswith(".") for left in found.not_expressed)
        assert found.not_expressed_total == len(patterns)


HELD = (
    "gov.sg",
    "www.gov.sg",
    "google.com",
    "com",
    "github.io",
    "t.me",
    "hub.cert.example-hub.net",
)


def test_what_must_not_be_blocked_is_held_with_the_reason(record: Record) -> None:
    for name in HELD:
        record.push(f"[domain-name:value = '{name}']")
    record.push(named("evil.github.io"))
    for feed in LISTS:
        found = version(record, feed)
        assert names_in(found) == {"evil.github.io"}
        # A name of one label is no observable at all.
        assert {left.value for left in found.held} == set(HELD) - {"com"}
        assert all(left.reason and left.id.startswith("indicator--") for left in found.held)
        assert found.held_total == len(HELD) - 1


def test_a_zone_leaves_out_what_would_be_read_as_something_else(record: Record) -> None:
    long = ".".join(["a" * 62] * 3 + ["com"])
    for name in (long, "24.0.0.10.rpz-ip", "ns.evil.rpz-nsdname", ZONE_CANARY, f"x.{ZONE_CANARY}"):
        record.push(named(name))
    found = version(record, "rpz.zone")
    assert names_in(found) == set()
    assert found.not_expressed_total == 5
    assert long in names_in(version(record, "domains.txt"))


def test_the_longest_name_fits_with_the_longest_zone() -> None:
    fits = "a." * 93 + "co"
    assert len(fits) == 188
    refusal = FORMATS["rpz.zone"].refusal
    assert refusal(Observable("domain", fits)) is None
    assert refusal(Observable("domain", f"b{fits}")) is not None
    # On the wire a name takes one octet more than its characters; the zone's end is the root's.
    assert len(f"*.{fits}") + 1 + ZONE_OCTETS == 255


def test_exercises_reach_exercise_feeds_alone(record: Record) -> None:
    record.push(named("real-evil.com"))
    record.push(named("play.example"), exercise=True)
    for feed in FEEDS:
        found = version(record, feed)
        exercise = feed.startswith("exercise-")
        assert names_in(found) == ({"play.example"} if exercise else {"real-evil.com"})
        assert (b"EXERCISE" in found.body) == exercise


def test_red_is_in_no_feed_not_even_for_those_it_names(record: Record) -> None:
    object_id = record.push(named("old-evil.com"))
    record.push(named("red-evil.com"), object_id=object_id, audience=RED, version=2)
    assert record.values(SG) == ["red-evil.com"]
    for feed in LISTS:
        assert names_in(version(record, feed, SG)) == {"old-evil.com"}
        blocked = record.press.blocked(feed, object_id, record.rights(SG), START_US)
        assert blocked == ("old-evil.com",)


def test_a_feed_inherits_the_strictest_marking_inside(record: Record) -> None:
    record.push(named("one-evil.com"))
    record.push("[file:size = 3]", audience=STRICT)
    assert version(record, "domains.txt", SG).level == "clear", "nothing strict is inside"
    record.push(named("two-evil.com"), audience=GREEN)
    record.push(named("one-evil.com"), audience=AMBER)
    expected = {PUBLIC: "clear", OPERATOR: "green", TH_BANK: "amber", SG: "amber"}
    for viewer, level in expected.items():
        assert version(record, "domains.txt", viewer).level == level


def test_unknown_feeds_are_refused(record: Record) -> None:
    for name in ("nothing", "exercise-", "exercise-exercise-domains.txt", "domains"):
        with pytest.raises(Refused) as caught:
            record.press.version(name, (), START_US)
        assert caught.value.code == "not-found"


# --- properties ------------------------------------------------------------------------------

HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        (
            "evil.com\n@ NS ns.evil.com.",
            "evil.com CNAME rpz-passthru.",
            "evil.com\r\n$INCLUDE /etc/passwd",
            'evil.com" "',
            "evil.com;comment",
            "evil.com#comment",
            "*.com",
            "@.evil.com",
            "$ORIGIN.evil.com",
            "evil.com ( ",
            "\\010.evil.com",
            "evil.com\u2028x.com",
            "evil.com\x85x.com",
            "e\u0000vil.com",
            "32.7.2.0.192.rpz-ip",
        )
    ),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(("evil", "a.b", "xn--", "_")),
        st.text("\n\r\t \"';#$@*()\\\u2028\x85\x0b.", min_size=1, max_size=4),
        st.sampled_from((".com", "x.com", " CNAME .", "\n*")),
    ),
)


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@settings(max_examples=300, deadline=None)
@given(text=HOSTILE, raw=st.booleans())
def test_no_pattern_leaves_its_line_or_adds_one(text: str, raw: bool) -> None:
    pattern = text if raw else f"[domain-name:value = {quoted(text)}]"
    try:
        blocks = read(pattern).blocks
    except Refused:
        return
    for format_ in (FORMATS[name] for name in LISTS):
        plain = render(format_, [], HEADING).decode("ascii").split("\n")
        inside = [
            block
            for block in blocks
            if block.type in format_.types and format_.refusal(block) is None
        ]
        items = [Item(block.type, block.value) for block in inside]
        lines = render(format_, items, HEADING).decode("ascii").split("\n")
        added = list(lines)
        for line in plain:
            added.remove(line)
        assert set(added) == {line for block in inside for line in expected(format_, block.value)}


@settings(max_examples=300, deadline=None)
@given(text=HOSTILE)
def test_a_format_itself_refuses_what_would_leave_its_line(text: str) -> None:
    """Even where something else than the pattern reader had made the observable."""
    for format_ in (FORMATS[name] for name in LISTS):
        if format_.refusal(Observable("domain", text)) is None:
            plain = len(render(format_, [], HEADING).splitlines())
            lines = render(format_, [Item("domain", text)], HEADING).decode("ascii").splitlines()
            assert len(lines) - plain == len(expected(format_, text))


def expected(format_: Format, name: str) -> list[str]:
    if format_.name == "rpz.zone":
        return [f"{name} CNAME .", f"*.{name} CNAME ."]
    return [name]


AUDIENCES: tuple[Audience, ...] = (CLEAR, GREEN, AMBER, STRICT, RED)
SEEN_BY = {
    PUBLIC: {CLEAR},
    OPERATOR: {CLEAR, GREEN},
    TH_BANK: {CLEAR, GREEN, AMBER},
    SG: {CLEAR, GREEN, AMBER, STRICT},
}


@settings(max_examples=25, deadline=None)
@given(
    entries=st.lists(
        st.tuples(st.sampled_from(range(len(AUDIENCES))), st.booleans()), min_size=1, max_size=12
    )
)
def test_a_feed_never_shows_what_its_viewer_may_not_see(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[int, bool]]
) -> None:
    with Record(tmp_path_factory.mktemp("rights")) as record:
        told: list[tuple[str, Audience, bool]] = []
        for number, (audience, exercise) in enumerate(entries):
            name = f"n{number}-evil.com"
            record.push(named(name), audience=AUDIENCES[audience], exercise=exercise)
            told.append((name, AUDIENCES[audience], exercise))
        for viewer, seen in SEEN_BY.items():
            for feed in FEEDS:
                world = feed.startswith("exercise-")
                found = version(record, feed, viewer)
                shown = {
                    name
                    for name, audience, exercise in told
                    if audience in seen and exercise == world
                }
                assert names_in(found) == shown
                hidden = {name for name, *_ in told} - shown
                assert not any(name.encode() in found.body for name in hidden)


def test_a_view_is_one_moment_while_the_fold_goes_on(record: Record) -> None:
    record.push(named("one-evil.com"))
    with record.active.view(record.rights(PUBLIC), START_US, exercise=False) as view:
        two = new_id()
        record.ledger.append([draft(two, indicator(two, named("two-evil.com")))])
        record.active.catch_up(record.ledger.scan, record.ledger.length)
        assert [item.value for item in view.items] == ["one-evil.com"]
    assert record.values(PUBLIC) == ["one-evil.com", "two-evil.com"]
