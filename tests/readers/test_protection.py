"""The board never says more than the receipts prove."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bayanihan.core import moment, signing
from bayanihan.core.marking import PUBLIC, Audience, Group, Viewer
from bayanihan.core.receipt import STATES as SAID
from bayanihan.core.receipt import Receipt, sign
from bayanihan.errors import Refused
from bayanihan.ledger import Draft, Ledger
from bayanihan.readers.protection import (
    APPLIED,
    NOT_YET,
    RANK,
    STAGES,
    STALE_AFTER_US,
    STANDINGS,
    UNKNOWN,
    Asked,
    Expressed,
    Found,
    Latest,
    Said,
    Standing,
    best,
    dated,
    evidence,
    record,
    shown,
)
from bayanihan.readers.receipts_api import PENDING_LIMIT, Protection

MEMBERS = ("BN", "KH", "ID", "LA", "MY", "MM", "PH", "SG", "TH", "TL", "VN")
KEY = signing.SigningKey(bytes(range(32)))
OTHER = signing.SigningKey(bytes(32))
START_US = 1_780_000_000_000_000
MINUTE_US = 60_000_000
FEED = Expressed("rpz.zone", ("bad.example",))
EPOCH = "00" * 8

SG = Viewer(key="k-sg", person="p-sg", member="SG")
BANK = Viewer(key="k-bank", person="p-bank", member="SG", constituent="bank")
VN = Viewer(key="k-vn", person="p-vn", member="VN")
HUB = Viewer(key="k-hub", person="p-hub")


def said(state: str, position: int, at_us: int, **more: Any) -> Said:
    held = more.pop("held", 0)
    receipt = Receipt(
        feed=more.pop("feed", "rpz.zone"),
        cursor=f"c{position}",
        digest="0" * 64,
        state=state,  # type: ignore[arg-type]
        at=moment.render(at_us),
        **more,
    )
    document = json.loads(msgspec.json.encode({"receipt": receipt}))
    return Said(receipt, document, "f" * 16, position, held, EPOCH)


def standing(state: str, position: int, **more: Any) -> Standing:
    base: dict[str, Any] = {"held_state": state, "held_position": position, "excepted": ()}
    base |= {"since_us": START_US, "heard_us": START_US, "epoch": EPOCH} | more
    return Standing(state=state, position=position, **base)


def asked(position: int, now_us: int = START_US) -> Asked:
    return Asked(position, EPOCH, now_us)


def stored(changes: list[Any], room: str, shape: type[Any]) -> Any:
    (change,) = (change for change in changes if change.room == room)
    return msgspec.json.decode(change.value, type=shape)


# --- the rules -------------------------------------------------------------------------------

POSITIONS = st.integers(1, 6)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(SAID),
        POSITIONS,
        st.booleans(),  # whether something is excepted
        st.integers(0, 6),  # what a failure leaves in force
        st.integers(1, 100),  # minutes until the next
    ),
    max_size=8,
)


def play(
    steps: list[tuple[str, int, bool, int, int]],
) -> Iterator[tuple[int, Latest, dict[str, int]]]:
    """The member's documents after each receipt: (now, latest, applied documents)."""
    latest: Latest | None = None
    applied: dict[str, int] = {}
    now_us = START_US
    for state, position, excepts, held, minutes in steps:
        now_us += minutes * MINUTE_US
        failed = state == "failed"
        one = said(
            state,
            position,
            now_us,
            except_=("bad.example",) if excepts else (),
            in_force=f"c{held}" if failed and held else "",
            held=held if failed else 0,
        )
        reached = [stage for stage in STAGES[state] if first(applied, stage, position)]
        changes = record(one, SG, now_us, latest, reached)
        latest = stored(changes, "receipt", Latest)
        for change in changes:
            if change.room == APPLIED:
                applied[change.key] = json.loads(change.value or b"")
        yield now_us, latest, dict(applied)


def first(applied: dict[str, int], stage: str, position: int) -> int | None:
    prefix = f"SG/rpz.zone/{stage}/{EPOCH}/"
    for key in sorted(applied):
        if key.startswith(prefix) and int(key.removeprefix(prefix)) >= position:
            return applied[key]
    return None


def judged(latest: Latest, applied: dict[str, int], position: int, now_us: int) -> Found:
    found = evidence(latest.standing, FEED, asked(position, now_us))
    return dated(found, first(applied, found.state, position))


@given(STEPS, POSITIONS)
def test_a_state_is_never_better_than_its_evidence(
    steps: list[tuple[str, int, bool, int, int]], position: int
) -> None:
    proven: list[tuple[str, int]] = []
    for (now_us, latest, applied), step in zip(play(steps), steps, strict=True):
        state, at, excepts, held, _ = step
        if state != "failed":
            proven = [] if excepts else [(state, at)]
        else:
            proven = [(word, min(at_, held)) for word, at_ in proven if held]
            proven = [] if excepts else proven
        found = judged(latest, applied, position, now_us)
        words = {word for word, at_ in proven if at_ >= position}
        allowed = {"probed": "protected"}
        if found.state in {"protected", "loaded", "fetched", "shadow"}:
            assert found.state in {allowed.get(word, word) for word in words}
            assert found.since_us is not None
            assert found.since_us <= now_us


@given(STEPS, POSITIONS)
def test_more_receipts_never_make_it_later(
    steps: list[tuple[str, int, bool, int, int]], position: int
) -> None:
    seen: dict[str, int] = {}
    plain = [(state, at, False, held, minutes) for state, at, _, held, minutes in steps]
    for now_us, latest, applied in play(plain):
        found = judged(latest, applied, position, now_us)
        if found.state in STAGES["probed"]:
            assert found.since_us is not None
            assert found.since_us <= seen.setdefault(found.state, found.since_us)


@given(STEPS)
def test_the_first_document_at_a_position_is_the_earliest(
    steps: list[tuple[str, int, bool, int, int]],
) -> None:
    for _, _, applied in play(steps):
        for stage in STAGES["probed"]:
            prefix = f"SG/rpz.zone/{stage}/"
            times = [applied[key] for key in sorted(applied) if key.startswith(prefix)]
            assert times == sorted(times)


@given(st.lists(st.tuples(st.sampled_from(list(RANK)), st.none() | st.integers(0, 9))))
def test_the_best_state_counts_whatever_the_order(pairs: list[tuple[str, int | None]]) -> None:
    found = [Found(*pair) for pair in pairs]
    chosen = best(found)
    assert all(RANK[chosen.state] <= RANK[one.state] for one in found)
    assert best(reversed(found)).state == chosen.state
    assert chosen in found or chosen == NOT_YET


def test_silence_is_stale() -> None:
    last = standing("probed", 9)
    just = asked(5, START_US + STALE_AFTER_US)
    assert evidence(last, FEED, just).state == "protected"
    late = asked(5, START_US + STALE_AFTER_US + 1)
    assert evidence(last, FEED, late) == Found("stale", START_US + STALE_AFTER_US)


def test_another_history_proves_nothing() -> None:
    assert evidence(standing("probed", 9, epoch="11" * 8), FEED, asked(5)) == NOT_YET


def test_a_failure_keeps_what_is_still_in_force() -> None:
    changes = record(said("probed", 5, START_US), SG, START_US, None, ())
    latest = stored(changes, "receipt", Latest)
    later_us = START_US + MINUTE_US
    kept = said("failed", 8, later_us, in_force="c5", held=5)
    after = stored(record(kept, SG, later_us, latest, ()), STANDINGS, Standing)
    assert evidence(after, FEED, asked(5)).state == "protected"
    assert evidence(after, FEED, asked(6)).state == "failed"
    lost = said("failed", 8, later_us)
    after = stored(record(lost, SG, later_us, latest, ()), STANDINGS, Standing)
    assert evidence(after, FEED, asked(5)).state == "failed"


def test_the_same_receipt_twice_changes_nothing() -> None:
    one = said("loaded", 5, START_US)
    latest = stored(record(one, SG, START_US, None, ()), "receipt", Latest)
    assert record(one, SG, START_US + MINUTE_US, latest, ()) == []


@pytest.mark.parametrize("earlier_us", [0, 1])
def test_an_older_receipt_is_refused(earlier_us: int) -> None:
    latest = stored(record(said("loaded", 5, START_US), SG, START_US, None, ()), "receipt", Latest)
    with pytest.raises(Refused) as caught:
        record(said("probed", 5, START_US - earlier_us), SG, START_US, latest, ())
    assert (caught.value.code, caught.value.where) == ("conflict", "$.receipt.at")


def test_a_receipt_from_the_future_is_refused() -> None:
    with pytest.raises(Refused, match="ahead"):
        record(said("probed", 5, START_US + 601_000_000), SG, START_US, None, ())


def test_the_operators_receipt_counts_for_no_member() -> None:
    rooms = [change.room for change in record(said("probed", 5, START_US), HUB, START_US, None, ())]
    assert rooms == ["receipt"]


# --- who may see what ------------------------------------------------------------------------

FOUND = dict.fromkeys(MEMBERS, NOT_YET) | {"SG": Found("protected", START_US + 2_500_000)}


@pytest.mark.parametrize("viewer", [HUB, SG, VN])
def test_members_and_the_operator_see_all_eleven(viewer: Viewer) -> None:
    board = shown("indicator--1", START_US, ["rpz.zone"], FOUND, viewer)
    assert [row["member"] for row in board["members"]] == list(MEMBERS)
    (own,) = (row for row in board["members"] if row["member"] == "SG")
    assert own == {
        "member": "SG",
        "state": "protected",
        "since": moment.render(START_US + 2_500_000),
        "seconds": 2.5,
    }
    assert "counts" not in board


@pytest.mark.parametrize(("viewer", "codes"), [(BANK, ["SG"]), (PUBLIC, [])])
def test_others_see_their_own_and_a_count(viewer: Viewer, codes: list[str]) -> None:
    board = shown("indicator--1", START_US, ["rpz.zone"], FOUND, viewer)
    assert [row["member"] for row in board["members"]] == codes
    assert board["counts"] == {"protected": 1, "not-yet": 10}


# --- against a real ledger -------------------------------------------------------------------


class Registry:
    """Agents' keys, first come first trusted."""

    def __init__(self) -> None:
        self.trusted: dict[str, bytes] = {}
        self.waiting: dict[str, tuple[bytes, ...]] = {}

    def key(self, key_id: str) -> tuple[bytes | None, tuple[bytes, ...]]:
        return self.trusted.get(key_id), self.waiting.get(key_id, ())

    async def show(self, viewer: Viewer, public: bytes) -> str:
        if viewer.key not in self.trusted:
            self.trusted[viewer.key] = public
            return "trusted"
        self.waiting[viewer.key] = (*self.waiting.get(viewer.key, ()), public)
        return "pending"


class Bench:
    """A ledger with one object at position 1, and the protection over it."""

    def __init__(self, folder: Path) -> None:
        self.clock_us = START_US
        self.ledger = Ledger(folder, now_us=self.tick)
        self.registry = Registry()
        self.opted_out: set[str] = set()
        self.blind: set[str] = set()
        self.protection = Protection(
            self.ledger,
            members=lambda: MEMBERS,
            feeds={"rpz.zone", "domains.txt"},
            agent_key=self.registry.key,
            show_agent_key=self.registry.show,
            expressed=lambda _viewer, _id: [FEED],
            sees=lambda key, _audience: key not in self.blind,
            opted_out=lambda: self.opted_out,
        )
        self.add("indicator--1")

    def tick(self) -> int:
        self.clock_us += 1_000
        return self.clock_us

    def add(self, object_id: str, level: str = "green") -> None:
        groups = (Group("region", 1, MEMBERS),) if level == "amber" else ()
        body = json.dumps({"id": object_id}).encode()
        audience = Audience(level, groups)
        self.ledger.append([Draft("object", audience, "p", "SG", object_id, body)])

    def document(self, state: str, position: int = 1, **more: Any) -> dict[str, Any]:
        receipt = Receipt(
            feed=more.pop("feed", "rpz.zone"),
            cursor=self.ledger.cursors.seal(position),
            digest="0" * 64,
            state=state,  # type: ignore[arg-type]
            at=moment.render(self.tick()),
            **more,
        )
        return sign(receipt, KEY)

    def states(self, viewer: Viewer = HUB, object_id: str = "indicator--1") -> dict[str, str]:
        board = self.protection.board(viewer, object_id)
        return {row["member"]: row["state"] for row in board["members"]}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.ledger.close()


async def test_a_receipt_moves_its_member_alone(bench: Bench) -> None:
    answer = await bench.protection.take(VN, bench.document("probed"))
    assert (answer["state"], answer["known"]) == ("probed", False)
    assert bench.states() == dict.fromkeys(MEMBERS, "not-yet") | {"VN": "protected"}
    (row,) = (
        r for r in bench.protection.board(SG, "indicator--1")["members"] if r["member"] == "VN"
    )
    assert row["since"] == answer["received_at"]
    assert row["seconds"] > 0


async def test_a_constituents_receipt_counts_for_its_member(bench: Bench) -> None:
    await bench.protection.take(SG, bench.document("fetched"))
    await bench.protection.take(BANK, bench.document("probed"))
    assert bench.states()["SG"] == "protected"
    assert bench.states(BANK) == {"SG": "protected"}
    assert "bank" not in json.dumps(bench.protection.board(VN, "indicator--1"))


async def test_the_operator_protects_nobody(bench: Bench) -> None:
    await bench.protection.take(HUB, bench.document("probed"))
    assert set(bench.states().values()) == {"not-yet"}


async def test_a_later_object_is_not_yet_protected(bench: Bench) -> None:
    await bench.protection.take(VN, bench.document("probed"))
    bench.add("indicator--2")
    assert bench.states(object_id="indicator--2")["VN"] == "not-yet"
    await bench.protection.take(VN, bench.document("probed", 2))
    assert bench.states(object_id="indicator--2")["VN"] == "protected"


async def test_an_agent_that_is_not_told_of_an_object_proves_nothing(bench: Bench) -> None:
    await bench.protection.take(VN, bench.document("probed"))
    bench.blind.add(VN.key)
    assert bench.states()["VN"] == "not-yet"


async def test_since_is_the_first_time(bench: Bench) -> None:
    first_answer = await bench.protection.take(VN, bench.document("probed"))
    bench.add("indicator--2")
    await bench.protection.take(VN, bench.document("probed", 2))
    rows = bench.protection.board(VN, "indicator--1")["members"]
    (row,) = (row for row in rows if row["member"] == "VN")
    assert row["since"] == first_answer["received_at"]


async def test_an_exception_is_no_protection(bench: Bench) -> None:
    await bench.protection.take(VN, bench.document("probed", except_=("bad.example",)))
    assert bench.states()["VN"] == "not-yet"
    await bench.protection.take(VN, bench.document("probed", except_=("other.example",)))
    assert bench.states()["VN"] == "protected"


async def test_another_feed_proves_nothing(bench: Bench) -> None:
    await bench.protection.take(VN, bench.document("probed", feed="domains.txt"))
    assert bench.states()["VN"] == "not-yet"


async def test_silence_shows(bench: Bench) -> None:
    await bench.protection.take(VN, bench.document("probed"))
    bench.clock_us += STALE_AFTER_US + MINUTE_US
    assert bench.states()["VN"] == "stale"


async def test_who_opts_out_is_unknown_to_others(bench: Bench) -> None:
    await bench.protection.take(VN, bench.document("probed"))
    bench.opted_out.add("VN")
    assert bench.states()["VN"] == "unknown"
    assert bench.states(SG)["VN"] == "unknown"
    assert bench.states(VN)["VN"] == "protected"
    assert UNKNOWN.since_us is None


async def test_who_may_not_see_the_object_learns_nothing(bench: Bench) -> None:
    bench.add("indicator--3", "amber")
    with pytest.raises(Refused) as hidden:
        bench.protection.board(PUBLIC, "indicator--3")
    with pytest.raises(Refused) as absent:
        bench.protection.board(PUBLIC, "indicator--4")
    assert hidden.value.code == absent.value.code == "not-found"
    assert hidden.value.message == absent.value.message


async def test_a_repeated_receipt_is_known_and_keeps_nobody_alive(bench: Bench) -> None:
    document = bench.document("probed")
    await bench.protection.take(VN, document)
    bench.clock_us += STALE_AFTER_US
    answer = await bench.protection.take(VN, document)
    assert answer["known"]
    bench.clock_us += MINUTE_US
    assert bench.states()["VN"] == "stale"


async def test_a_second_key_waits_for_a_person(bench: Bench) -> None:
    document = bench.document("probed")
    await bench.protection.take(VN, document)
    receipt = document["receipt"] | {"at": moment.render(bench.tick())}
    again = sign(msgspec.convert(receipt, Receipt), OTHER)
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            await bench.protection.take(VN, again)
        assert caught.value.code == "pending"
    assert bench.registry.waiting["k-vn"] == (OTHER.public,)
    assert len(bench.protection.own(VN)) == 1


async def test_waiting_keys_are_bounded(bench: Bench) -> None:
    await bench.protection.take(VN, bench.document("probed"))
    receipt = msgspec.convert(bench.document("probed")["receipt"], Receipt)
    for number in range(PENDING_LIMIT + 3):
        with pytest.raises(Refused):
            await bench.protection.take(VN, sign(receipt, signing.SigningKey(bytes([number]) * 32)))
    assert len(bench.registry.waiting["k-vn"]) == PENDING_LIMIT


async def test_unknown_feeds_and_cursors_are_named(bench: Bench) -> None:
    with pytest.raises(Refused, match="no feed") as caught:
        await bench.protection.take(VN, bench.document("probed", feed="nothing.txt"))
    assert caught.value.where == "$.receipt.feed"
    receipt = msgspec.convert(bench.document("probed")["receipt"], Receipt)
    forged = msgspec.structs.replace(receipt, cursor="made-up")
    with pytest.raises(Refused) as caught:
        await bench.protection.take(VN, sign(forged, KEY))
    assert (caught.value.code, caught.value.where) == ("bad-cursor", "$.receipt.cursor")
    assert bench.registry.trusted == {}


async def test_own_receipts_can_be_checked_again(bench: Bench) -> None:
    document = bench.document("probed")
    await bench.protection.take(VN, document)
    await bench.protection.take(VN, bench.document("loaded", feed="domains.txt"))
    assert [row["feed"] for row in bench.protection.own(VN)] == ["domains.txt", "rpz.zone"]
    assert bench.protection.own(VN)[1]["document"] == document
    assert bench.protection.own(SG) == []


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(4)))
async def test_the_best_of_many_defenders_counts(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    bench = Bench(tmp_path_factory.mktemp("hub"))
    try:
        words = list(
            zip(("failed", "fetched", "loaded", "probed"), itertools.count(), strict=False)
        )
        for number in order:
            state, _ = words[number]
            viewer = Viewer(f"k{number}", f"p{number}", "SG", f"firm{number}")
            await bench.protection.take(viewer, bench.document(state))
        assert bench.states()["SG"] == "protected"
    finally:
        bench.ledger.close()
