"""The active set: whose values are out, for whom, from when and until when."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bayanihan.core.ai import EXTENSION_ID, VECTORS
from bayanihan.core.marking import PUBLIC, Audience, Viewer
from bayanihan.core.observables import Observable
from bayanihan.ledger import Draft, Entry
from bayanihan.readers.active import FOREVER_US, Active
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


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path) as found:
        yield found


def vector(name: str) -> dict[str, object]:
    return {EXTENSION_ID: {"extension_type": "property-extension", "vector": name}}


def test_an_indicator_puts_its_values_in_and_keeps_the_rest_with_reasons(record: Record) -> None:
    object_id = record.push(
        "[domain-name:value = 'Evil.Bank-Login.com'] OR [file:size = 3]"
        " OR [ipv4-addr:value = '198.51.100.7']"
    )
    snapshot = record.active.snapshot(record.rights(PUBLIC), record.now_us, exercise=False)
    assert [(item.type, item.value, item.ids) for item in snapshot.items] == [
        ("domain", "evil.bank-login.com", (object_id,)),
        ("ipv4", "198.51.100.7", (object_id,)),
    ]
    assert [(rest.object_id, rest.text) for rest in snapshot.rest] == [
        (object_id, "[file:size = 3]")
    ]
    assert snapshot.rest[0].why.endswith(".")


def test_other_objects_and_other_patterns_block_nothing(record: Record) -> None:
    malware = "malware--0c7b5b88-8ff7-4a4d-aa9d-feb398cd0061"
    body = indicator(malware, named("evil-one.com"))
    record.append(draft(malware, body))
    record.push("some expression", pattern_type="pcre")
    snapshot = record.active.snapshot(record.rights(PUBLIC), record.now_us, exercise=False)
    assert snapshot.items == ()
    assert [rest.text for rest in snapshot.rest] == ["pattern_type pcre"]


def test_rules_in_their_own_language_are_kept_as_they_are(record: Record) -> None:
    record.push("rule x { condition: true }", pattern_type="yara")
    long = "rule y { condition: true }" + " " * 64_000
    record.push(long, pattern_type="yara")
    snapshot = record.active.snapshot(record.rights(PUBLIC), record.now_us, exercise=False)
    assert [(item.type, item.value) for item in snapshot.items] == [
        ("yara", "rule x { condition: true }")
    ]
    assert [rest.text for rest in snapshot.rest] == ["pattern_type yara"]


def test_names_are_shown_in_their_own_script(record: Record) -> None:
    record.push(named("ngân-hàng.com"))
    (item,) = record.active.snapshot(record.rights(PUBLIC), START_US, exercise=False).items
    assert (item.value, item.display) == ("xn--ngn-hng-dwao.com", "ngân-hàng.com")


def test_a_newer_version_replaces_and_an_older_one_does_not(record: Record) -> None:
    object_id = record.push(named("two.com"), version=2)
    record.push(named("one.com"), object_id=object_id, version=1)
    assert record.values(PUBLIC) == ["two.com"]
    record.push(named("three.com"), object_id=object_id, version=3)
    assert record.values(PUBLIC) == ["three.com"]


def test_a_revoked_version_takes_the_values_out(record: Record) -> None:
    object_id = record.push(named("one.com"))
    record.push(named("one.com"), object_id=object_id, version=2, revoked=True)
    assert record.values(PUBLIC) == []
    assert record.active.items_of(object_id, record.rights(PUBLIC))[0].out == "revoked"


def test_versions_hold_from_when_until_before_when(record: Record) -> None:
    record.push(
        named("one.com"), valid_from="2026-02-01T00:00:00Z", valid_until="2026-03-01T00:00:00Z"
    )
    start, end = LONG_AGO_US + 31 * DAY_US, LONG_AGO_US + 59 * DAY_US
    moments = [(start - 1, start), (start, end), (end - 1, end), (end, FOREVER_US)]
    for now_us, next_us in moments:
        found = record.active.snapshot(record.rights(PUBLIC), now_us, exercise=False)
        assert bool(found.items) == (start <= now_us < end)
        assert found.next_change_us == next_us


def test_a_value_stays_while_any_origin_names_it(record: Record) -> None:
    one = record.push(named("shared-evil.com"), origin="SG")
    two = record.push(named("shared-evil.com"), origin="TH")
    (item,) = record.active.snapshot(record.rights(PUBLIC), START_US, exercise=False).items
    assert set(item.ids) == {one, two}
    record.withdraw(one, origin="SG")
    assert record.values(PUBLIC) == ["shared-evil.com"]
    record.withdraw(two, origin="TH")
    assert record.values(PUBLIC) == []


def test_one_origin_cannot_touch_what_another_said(record: Record) -> None:
    object_id = record.push(named("one.com"), origin="SG")
    record.push(named("other.com"), object_id=object_id, origin="TH", version=9, revoked=True)
    record.withdraw(object_id, origin="TH")
    assert record.values(PUBLIC) == ["one.com"]


def test_a_withdrawal_acts_on_what_came_before_it_in_its_audience(record: Record) -> None:
    object_id = record.push(named("one.com"), version=2)
    record.push(named("one.com"), object_id=object_id, audience=GREEN, version=2)
    record.withdraw(object_id)
    assert record.values(PUBLIC) == []
    assert record.values(SG) == ["one.com"]
    record.push(named("zero.com"), object_id=object_id, version=1)
    assert record.values(PUBLIC) == [], "an older version is not news"
    record.push(named("three.com"), object_id=object_id, version=3)
    assert record.values(PUBLIC) == ["three.com"]


def test_a_withdrawal_of_nothing_changes_nothing(record: Record) -> None:
    record.push(named("one.com"))
    before = record.stand(PUBLIC)
    record.withdraw(new_id())
    assert record.stand(PUBLIC) == before


def test_a_newer_version_for_fewer_eyes_is_felt_by_these_alone(record: Record) -> None:
    object_id = record.push(named("old.com"), version=1)
    before = record.stand(PUBLIC)
    record.push(named("new.com"), object_id=object_id, audience=STRICT, version=2)
    assert record.values(SG) == ["new.com"]
    assert record.values(PUBLIC) == record.values(TH_BANK) == ["old.com"]
    assert record.stand(PUBLIC) == record.stand(TH_BANK) == before
    assert record.stand(SG) > before
    record.push(named("new.com"), object_id=object_id, audience=STRICT, version=3, revoked=True)
    assert record.values(SG) == []
    assert record.values(PUBLIC) == ["old.com"]
    record.withdraw(object_id, audience=STRICT)
    assert record.values(SG) == ["old.com"], "as if it had never been told"


def test_the_same_version_told_twice_goes_when_either_says_revoked(record: Record) -> None:
    object_id = record.push(named("one.com"))
    record.push(named("one.com"), object_id=object_id, audience=GREEN, revoked=True)
    assert record.values(SG) == []
    assert record.values(PUBLIC) == ["one.com"]


def test_an_erasure_leaves_nothing(record: Record) -> None:
    object_id = record.push(named("victim-name.com"))
    record.push(named("victim-name.com"), object_id=object_id, audience=AMBER)
    record.push("not a pattern", object_id=object_id, audience=GREEN, version=2)
    record.withdraw(object_id, audience=AMBER)
    kept = record.push(named("other.com"))
    record.erase(SG, object_id)
    assert record.values(SG) == ["other.com"]
    assert record.active.items_of(object_id, record.rights(SG)) == ()
    for table in record.active.tables():
        rows = record.active.db.execute(f"SELECT * FROM {table}").fetchall()
        assert object_id not in repr(rows)
        assert "victim" not in repr(rows)
    record.push(named("again.com"), object_id=object_id, version=3)
    assert record.values(SG) == ["again.com", "other.com"]
    record.erase(SG, object_id)
    record.erase(SG, kept)
    assert record.values(SG) == []


@pytest.mark.parametrize("newer", [named("new.com"), "not a pattern"])
def test_an_old_versions_erasure_leaves_the_newer(record: Record, newer: str) -> None:
    """As retention does it, which erases what is old and keeps what is not."""
    object_id = record.push(named("old.com"))
    (old,) = record.ledger.read(SG, 0, 10).items
    record.push(newer, object_id=object_id, version=2)
    before = record.active.items_of(object_id, record.rights(SG))
    record.ledger.erase_entries([old.entry], person="retention", reason="old")
    record.fold()
    assert record.active.items_of(object_id, record.rights(SG)) == before != ()


def test_the_newest_versions_erasure_brings_no_older_one_back(record: Record) -> None:
    object_id = record.push(named("new.com"), version=2)
    (newest,) = record.ledger.read(SG, 0, 10).items
    record.push(named("late.com"), object_id=object_id, version=1)
    record.ledger.erase_entries([newest.entry], person="retention", reason="old")
    record.fold()
    assert record.values(SG) == []


def test_everything_may_come_in_one_batch(record: Record) -> None:
    one, two, three = new_id(), new_id(), new_id()
    gone = json.dumps({"id": one, "origin": "SG", "reason": "wrong"}).encode()
    record.append(
        draft(one, indicator(one, named("one.com"))),
        Draft("withdrawn", CLEAR, "anna", "SG", one, gone),
        draft(two, indicator(two, named("two.com"))),
        draft(two, indicator(two, named("two-b.com")), version=2),
        draft(two, indicator(two, named("two-c.com")), GREEN, version=3),
        draft(three, indicator(three, "nonsense")),
        draft(three, indicator(three, named("three.com")), version=2),
    )
    assert record.values(PUBLIC) == ["three.com", "two-b.com"]
    assert record.values(SG) == ["three.com", "two-c.com"]


UNREADABLE = {
    "not JSON": b"{",
    "not UTF-8": b'{"pattern":"\xff","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"}',
    "a lone surrogate": indicator("indicator--x", "[a:b = '\ud800']"),
    "too deep": b'{"x":' * 5_000,
    "no pattern": b'{"type":"indicator"}',
    "no time": indicator("indicator--x", named("one.com"), valid_from="soon"),
    "no pattern at all": indicator("indicator--x", "DROP TABLE items"),
    "an unknown vector": indicator(
        "indicator--x", named("one.com"), extensions=vector("mind-reading")
    ),
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_blocks_nothing_and_is_counted(record: Record, body: bytes) -> None:
    object_id = record.push(named("before.com"))
    record.append(draft(object_id, body, version=2))
    record.push(named("after.com"))
    assert record.values(PUBLIC) == ["after.com"]
    rows = record.active.db.execute("SELECT object_id, why FROM unread").fetchall()
    assert [row[0] for row in rows] == [object_id]
    assert rows[0][1]
    assert record.active.items_of(object_id, record.rights(PUBLIC))[0].out == "unread"


@pytest.mark.parametrize("name", VECTORS)
def test_what_informs_never_blocks(record: Record, name: str) -> None:
    record.push(named("one.com"), extensions=vector(name))
    snapshot = record.active.snapshot(record.rights(PUBLIC), START_US, exercise=False)
    informs = name in {"information-manipulation", "data-misuse"}
    assert bool(snapshot.items) != informs
    assert [rest.text for rest in snapshot.rest] == (["one.com"] if informs else [])


def test_an_exercise_and_the_real_world_do_not_touch(record: Record) -> None:
    object_id = record.push(named("real.com"))
    real = record.stand(PUBLIC)
    record.push(named("play.example"), object_id=object_id, version=2, exercise=True)
    assert record.values(PUBLIC) == ["real.com"]
    assert record.values(PUBLIC, exercise=True) == ["play.example"]
    assert record.stand(PUBLIC) == real
    assert record.stand(PUBLIC, exercise=True) > real
    record.withdraw(object_id, exercise=True)
    assert record.values(PUBLIC) == ["real.com"]
    assert record.values(PUBLIC, exercise=True) == []


def test_items_of_tells_what_a_viewer_may_know(record: Record) -> None:
    object_id = record.push(named("one.com"), valid_until="2027-01-01T00:00:00Z")
    position = record.ledger.length
    record.push(named("two.com"), object_id=object_id, audience=RED, version=2)
    (public,) = record.active.items_of(object_id, record.rights(PUBLIC))
    assert (public.position, public.version_us, public.out) == (position, 1, "")
    assert public.items == (Observable("domain", "one.com"),)
    assert public.valid_from_us == LONG_AGO_US
    assert public.valid_until_us == LONG_AGO_US + 365 * DAY_US
    (named_person,) = record.active.items_of(object_id, record.rights(SG))
    assert named_person.items == (Observable("domain", "two.com"),)
    assert record.active.items_of(new_id(), record.rights(SG)) == ()
    assert record.active.items_of(object_id, ()) == ()


def test_it_resumes_where_it_stopped(tmp_path: Path) -> None:
    with Record(tmp_path) as record:
        record.push(named("one.com"))
        record.push(named("two.com"), audience=GREEN)
        stands = [record.stand(viewer) for viewer in (PUBLIC, SG)]
    with Record(tmp_path) as record:
        assert record.active.position == 2
        assert [record.stand(viewer) for viewer in (PUBLIC, SG)] == stands == [1, 2]
        assert record.values(SG) == ["one.com", "two.com"]


def test_a_fold_that_fails_leaves_no_trace(record: Record) -> None:
    record.push(named("one.com"))
    one, two = new_id(), new_id()
    record.ledger.append(
        [draft(one, indicator(one, named("two.com"))), draft(two, indicator(two, named("x.com")))]
    )

    def scan(after: int, limit: int, kinds: Sequence[str]) -> list[tuple[Entry, bytes | None]]:
        page = record.ledger.scan(after, limit, kinds)
        return [page[0], (page[1][0], cast("bytes", 7))]

    with pytest.raises(TypeError):
        record.active.catch_up(scan, record.ledger.length)
    assert record.values(PUBLIC) == ["one.com"]
    assert record.active.position == record.stand(PUBLIC) == 1
    record.fold()
    assert record.values(PUBLIC) == ["one.com", "two.com", "x.com"]


def test_many_pages_keep_their_order(record: Record) -> None:
    bodies = [(new_id(), f"n{number * 7919 % 2500:04}.com") for number in range(2500)]
    record.append(*[draft(each, indicator(each, named(name))) for each, name in bodies])
    assert record.values(PUBLIC) == [f"n{number:04}.com" for number in range(2500)]


# --- against a plain model ------------------------------------------------------------------

AUDIENCES: tuple[Audience, ...] = (CLEAR, GREEN, AMBER, STRICT, RED)
VIEWERS: tuple[Viewer, ...] = (PUBLIC, OPERATOR, TH_BANK, SG)
IDS = tuple(f"indicator--00000000-0000-4000-8000-00000000000{n}" for n in range(2))

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("object", "object", "object", "withdrawn")),
        st.sampled_from(IDS),
        st.sampled_from(("SG", "TH")),
        st.sampled_from(range(len(AUDIENCES))),
        st.booleans(),
        st.sampled_from(("live", "revoked", "later", "over")),
    ),
    max_size=14,
)
WINDOWS: dict[str, dict[str, object]] = {
    "live": {},
    "revoked": {"revoked": True},
    "later": {"valid_from": "2027-01-01T00:00:00Z"},
    "over": {"valid_until": "2026-02-01T00:00:00Z"},
}


def model(steps: list[tuple[int, Draft, str]], seen: set[Audience], *, exercise: bool) -> set[str]:
    """What should be active: for each object, the latest told version not withdrawn since."""
    found = set[str]()
    for key in {(step[1].origin, step[1].object_id) for step in steps}:
        told = [
            (position, entry, state)
            for position, entry, state in steps
            if (entry.origin, entry.object_id) == key
            and entry.audience in seen
            and entry.exercise == exercise
        ]
        withdrawn = {
            audience: max(
                [
                    at
                    for at, entry, _ in told
                    if entry.kind == "withdrawn" and entry.audience == audience
                ],
                default=0,
            )
            for audience in seen
        }
        # A withdrawal also shuts out what is pushed later with an older version.
        standing = [
            (entry.version_us or 0, state, position)
            for position, entry, state in told
            if entry.kind == "object"
            and position > withdrawn[entry.audience]
            and all(
                (entry.version_us or 0) >= (other.version_us or 0)
                for _, other, _ in told
                if other.kind == "object" and other.audience == entry.audience
            )
        ]
        if standing:
            _, state, position = max(standing)
            if state == "live":
                found.add(f"v{position}.com")
    return found


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_it_agrees_with_a_plain_model(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str, int, bool, str]]
) -> None:
    with Record(tmp_path_factory.mktemp("model")) as record:
        entries = []
        # Versions fall and rise, so that older ones also come later.
        for position, (kind, object_id, origin, audience, exercise, state) in enumerate(steps, 1):
            if kind == "object":
                body = indicator(object_id, named(f"v{position}.com"), **WINDOWS[state])
                version = position if position % 3 else 100 - position
                entry = draft(
                    object_id, body, AUDIENCES[audience], origin, version, exercise=exercise
                )
            else:
                entry = Draft(
                    "withdrawn",
                    AUDIENCES[audience],
                    "anna",
                    origin,
                    object_id,
                    b"%d" % position,
                    exercise=exercise,
                )
            record.append(entry)
            entries.append((position, entry, state))
        for viewer in VIEWERS:
            rights = set(record.rights(viewer))
            seen = {a for n, a in enumerate(record.ledger.store.audiences(), 1) if n in rights}
            for exercise in (False, True):
                expected = model(entries, seen, exercise=exercise)
                assert set(record.values(viewer, exercise=exercise)) == expected


def test_a_projection_in_memory_reads_as_well(record: Record) -> None:
    record.push(named("one.com"))
    again = Active(None, record.ledger.epoch, record.ledger.length)
    again.catch_up(record.ledger.scan, record.ledger.length)
    found = again.snapshot(record.rights(PUBLIC), START_US, exercise=False)
    assert [item.value for item in found.items] == ["one.com"]
    again.close()
