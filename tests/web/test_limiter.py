"""Limits of keys and addresses: what is over them waits, and nobody else does."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.entrance_order import Limits, LimitsOrder, ProxyOrder
from bayanihan.errors import Refused, Unavailable
from bayanihan.ledger import Ledger
from bayanihan.registry import FOUNDER, KeyAdded, Registry, draft_of
from bayanihan.registry.keys import digest_of
from bayanihan.web.entrance import ENDLESS, Entrance
from bayanihan.web.limiter import ADDRESS_LIMIT, ALL_UNREAD_LIMIT_BYTES, UNREAD_LIMIT_BYTES, Limiter
from bayanihan.web.wrong_keys import REMEMBERED, TRIES_OF_ADDRESS, TRIES_OF_KEY, WrongKeys

WIDE = Limits(1_000_000, 1_000, 0)
ERROR = Refused("not-signed-in", "wrong")


def limiter(limits: Limits = WIDE, burst_s: float = 1.0) -> Limiter:
    return Limiter(lambda key: limits, limits, burst_s)


def count_let_in(limits: Limiter, key: str, times_s: list[float], address: str = "") -> int:
    found = 0
    for now_s in times_s:
        try:
            limits.enter(key, address, now_s).open -= 1
        except Unavailable:
            continue
        found += 1
    return found


@given(
    rate=st.integers(1, 50),
    burst_s=st.integers(1, 5),
    steps=st.lists(st.floats(0, 0.5), min_size=1, max_size=200),
)
def test_no_more_comes_in_than_rate_and_burst_allow(
    rate: int, burst_s: int, steps: list[float]
) -> None:
    times_s, now_s = [], 0.0
    for step in steps:
        now_s += step
        times_s.append(now_s)
    found = count_let_in(limiter(Limits(rate, 10), burst_s), "k", times_s)
    assert found <= rate * (burst_s + now_s - times_s[0]) + 2
    assert found >= min(len(steps), rate * burst_s)


@given(rate=st.integers(1, 20), tries=st.integers(1, 200))
def test_who_waits_as_long_as_told_is_let_in(rate: int, tries: int) -> None:
    limits = limiter(Limits(rate, 10))
    count_let_in(limits, "k", [0.0] * tries)
    wait_s = 0
    while not wait_s:
        try:
            limits.enter("k", "", 0.0).open -= 1
        except Unavailable as error:
            wait_s = error.retry_after_s or 0
    assert limits.enter("k", "", float(wait_s)).open


def test_one_over_its_limit_slows_nobody_else() -> None:
    limits = limiter(Limits(5, 2))
    assert count_let_in(limits, "loud", [0.0] * 100) < 10
    assert count_let_in(limits, "calm", [0.0] * 5) == 5
    assert count_let_in(limits, "", [0.0] * 100, "192.0.2.1") < 10
    assert count_let_in(limits, "", [0.0] * 5, "192.0.2.2") == 5


def test_requests_at_hand_are_counted_and_let_go() -> None:
    limits = limiter(Limits(1_000, 2))
    first, _ = limits.enter("k", "", 0.0), limits.enter("k", "", 0.0)
    with pytest.raises(Unavailable, match="same time"):
        limits.enter("k", "", 0.0)
    limits.enter("k", "", 0.0, endless=True)  # a stream is counted elsewhere
    first.open -= 1
    assert limits.enter("k", "", 0.0).open


def test_answers_that_nobody_takes_in_are_bounded() -> None:
    limits = limiter()
    place = limits.enter("k", "", 0.0)
    place.unread = UNREAD_LIMIT_BYTES + 1
    with pytest.raises(Unavailable, match="not taken in"):
        limits.enter("k", "", 0.0)
    place.unread, limits.unread = 1, ALL_UNREAD_LIMIT_BYTES + 1
    with pytest.raises(Unavailable, match="not taken in"):
        limits.enter("k", "", 0.0)
    assert limits.enter("other", "", 0.0).open  # who owes nothing is not held up


def test_memory_is_bounded_however_many_addresses_come() -> None:
    limits, wrong = limiter(), WrongKeys()
    for number in range(ADDRESS_LIMIT + 1_000):
        limits.enter("", str(number), 0.0)
        wrong.answer("k", str(number), 0.0, ERROR)
    assert len(limits) == ADDRESS_LIMIT
    assert len(wrong) <= REMEMBERED


def test_a_review_takes_up_other_limits_and_forgets_ended_keys() -> None:
    said = {"k": Limits(1, 1), "gone": WIDE}

    def limits_of(key: str) -> Limits:
        if key not in said:
            raise Refused("not-signed-in", "ended")
        return said[key]

    limits = Limiter(limits_of, WIDE, 1)
    limits.enter("gone", "", 0.0)
    assert count_let_in(limits, "k", [0.0] * 10) == 2
    said["k"] = Limits(1_000, 5)
    del said["gone"]
    limits.review()
    assert len(limits) == 1
    assert count_let_in(limits, "k", [2.0] * 10) == 10


def test_wrong_keys_are_told_to_wait_after_some_tries() -> None:
    wrong = WrongKeys()
    for _ in range(TRIES_OF_KEY):
        assert wrong.answer("k", "192.0.2.1", 0.0, ERROR) is ERROR
    told = wrong.answer("k", "192.0.2.1", 0.0, ERROR)
    assert isinstance(told, Unavailable)
    assert told.code == "too-many"
    assert told.retry_after_s is not None
    assert wrong.answer("k", "192.0.2.2", 0.0, ERROR) is ERROR
    assert wrong.answer("other", "192.0.2.1", 0.0, ERROR) is ERROR
    assert wrong.answer("k", "192.0.2.1", 3.0 + told.retry_after_s, ERROR) is ERROR


def test_an_address_is_told_to_wait_whatever_key_it_tries() -> None:
    wrong = WrongKeys()
    answers = [
        wrong.answer(f"k{number}", "192.0.2.1", 0.0, ERROR)
        for number in range(TRIES_OF_ADDRESS + 5)
    ]
    assert answers[:TRIES_OF_ADDRESS] == [ERROR] * TRIES_OF_ADDRESS
    assert all(isinstance(each, Unavailable) for each in answers[TRIES_OF_ADDRESS:])


def test_a_stream_with_too_large_a_body_frees_no_room_for_others(tmp_path: Path) -> None:
    """A stream holds no room, so its refusal gives none back."""
    limits = Limits(9, 1, 100)
    digest = digest_of("s").hex()
    key = KeyAdded(1, "k", digest, "SG", "", "ana", "", ("read",), "green", "region", limits=limits)
    registry = Registry(None, b"epoch")
    with closing(Ledger(tmp_path)) as ledger:
        ledger.append([draft_of(key, FOUNDER)])
        registry.catch_up(ledger.scan, ledger.length)
    entrance = Entrance(registry, LimitsOrder(), ProxyOrder(), lambda: 0.0)
    headers = [(b"authorization", b"Bearer byn_k_s"), (b"content-length", b"101")]
    scope = {"headers": headers, "path": ENDLESS, "client": ("192.0.2.1", 1), "scheme": "http"}
    for _ in range(3):
        with pytest.raises(Refused, match="100 bytes"):
            entrance.admit(dict(scope))
    page = {**scope, "headers": headers[:1], "path": "/api/objects"}
    assert entrance.admit(dict(page)).open == 1
    with pytest.raises(Unavailable, match="at the same time"):
        entrance.admit(dict(page))
    registry.close()
