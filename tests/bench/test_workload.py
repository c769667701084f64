"""The workload is the same each time, is valid STIX, and has the shares that it says."""

from __future__ import annotations

import json
from collections import Counter
from statistics import mean
from typing import Any

import stix2
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.core import stix
from bench.workload import (
    AI_EXTENSION,
    MARKINGS,
    RED,
    SHARES,
    VERSIONED,
    Workload,
    envelopes,
)

COUNT = 2_000
OBSERVABLES = {"domain-name", "url", "file", "email-message"}


def objects(seed: str = "test") -> list[bytes]:
    return list(Workload(seed).objects(COUNT))


def share_of(raw: bytes) -> str:
    kind: str = json.loads(raw)["type"]
    return "observable" if kind in OBSERVABLES else kind


def test_the_same_seed_gives_the_same_bytes_and_another_none_of_them() -> None:
    first = objects()
    assert first == objects()
    ids = {json.loads(raw)["id"] for raw in first}
    assert len(ids) == COUNT
    assert ids.isdisjoint(json.loads(raw)["id"] for raw in objects("other"))


def test_every_object_passes_the_check_without_a_warning() -> None:
    for raw in objects():
        assert stix.check(raw).warnings == ()


def test_the_generic_library_reads_every_kind() -> None:
    seen = set()
    for raw in objects()[:300]:
        parsed: Any = stix2.parse(raw.decode(), allow_custom=True)
        seen.add(parsed["type"])
    assert seen == (SHARES.keys() - {"observable"}) | OBSERVABLES


def test_the_mix_and_the_size_are_what_the_figures_are_about() -> None:
    made = objects()
    shares = Counter(share_of(raw) for raw in made)
    for kind, share in SHARES.items():
        assert abs(shares[kind] / COUNT * 100 - share) < 4, kind
    assert 900 < mean(map(len, made)) < 1_000


def test_all_of_it_may_be_read_by_any_member() -> None:
    found = {ref for raw in objects() for ref in stix.check(raw).marking_refs}
    assert found == set(MARKINGS)
    red = Workload("red", (RED,))
    assert stix.check(red.indicator()).marking_refs == (RED,)


def test_indicators_say_how_ai_was_involved() -> None:
    body = json.loads(Workload("ai").indicator())
    assert body["extensions"][AI_EXTENSION]["vector"]


def test_the_versioned_mix_has_no_observables() -> None:
    made = Workload("versioned", shares=VERSIONED).objects(500)
    assert all(b'"modified"' in raw for raw in made)


@given(count=st.integers(1, 60), size=st.integers(1, 25))
@settings(max_examples=30, deadline=None)
def test_envelopes_hold_exactly_what_was_asked(count: int, size: int) -> None:
    made = [stix.split(body).objects for body in envelopes(Workload("e"), count, size)]
    assert sum(map(len, made)) == count
    assert all(len(some) == size for some in made[:-1])
    assert [raw for some in made for raw in some] == list(Workload("e").objects(count))
