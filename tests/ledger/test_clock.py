"""Stamps through clocks that stand still, go back, jump and restart in the past."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bayanihan.core.marking import Audience
from bayanihan.errors import Broken, Unavailable
from bayanihan.ledger import Change, Draft, Ledger

SECOND_US = 1_000_000
GREEN = Audience("green")


@dataclass
class Clocks:
    """A wall clock and a steady one, moved by hand."""

    wall: int = 1_800_000_000 * SECOND_US
    steady: int = 5 * SECOND_US

    def pass_s(self, seconds: int) -> None:
        self.wall += seconds * SECOND_US
        self.steady += seconds * SECOND_US


@contextlib.contextmanager
def opened(folder: Path, clocks: Clocks) -> Iterator[Ledger]:
    ledger = Ledger(folder, now_us=lambda: clocks.wall, clock_us=lambda: clocks.steady)
    with contextlib.closing(ledger):
        yield ledger


def append(ledger: Ledger, *numbers: int, version_us: int | None = 1) -> list[int]:
    """The stamps of a few drafts."""
    drafts = [Draft("object", GREEN, "a", "SG", f"note--{n}", b"x", version_us) for n in numbers]
    return [one.stamp_us for one in ledger.append(drafts)]


def test_a_clock_that_stands_still(tmp_path: Path) -> None:
    clocks = Clocks()
    with opened(tmp_path, clocks) as ledger:
        stamps = [*append(ledger, 1, 2, 3), *append(ledger, 4)]
        assert stamps == sorted(set(stamps))
        assert stamps[0] == clocks.wall
        assert stamps[-1] < clocks.wall + SECOND_US


def test_a_clock_that_goes_back_is_waited_for(tmp_path: Path) -> None:
    clocks = Clocks()
    with opened(tmp_path, clocks) as ledger:
        (first,) = append(ledger, 1)
        clocks.wall -= 10 * SECOND_US
        with pytest.raises(Unavailable) as caught:
            append(ledger, 2)
        assert caught.value.code == "clock-behind"
        assert caught.value.retry_after_s is not None
        assert caught.value.retry_after_s >= 10
        assert ledger.length == 1
        assert ledger.state.put([Change("room", "a", b"1")]), "state needs no stamp"
        clocks.pass_s(caught.value.retry_after_s)
        (second,) = append(ledger, 2)
        assert second > first


def test_a_little_behind_is_bridged(tmp_path: Path) -> None:
    clocks = Clocks()
    with opened(tmp_path, clocks) as ledger:
        (first,) = append(ledger, 1)
        clocks.wall -= SECOND_US // 2
        assert append(ledger, 2, 3) == [first + 1, first + 2], "no time for gaps"


@pytest.mark.parametrize("jump_s", [7200, 61, -61, -7200])
def test_a_jump_stops_the_writer_until_it_is_opened_again(tmp_path: Path, jump_s: int) -> None:
    clocks = Clocks()
    with opened(tmp_path, clocks) as ledger:
        append(ledger, 1)
        clocks.wall += jump_s * SECOND_US
        for _ in range(2):
            with pytest.raises(Broken) as caught:
                append(ledger, 2)
            assert caught.value.code == "clock-jumped"
            assert ledger.alarm is not None, "whoever watches the hub is told"
            assert ledger.alarm.code == "clock-jumped"
        clocks.wall -= jump_s * SECOND_US
        with pytest.raises(Broken, match="jumped"):
            append(ledger, 2)
        assert ledger.length == 1
    with opened(tmp_path, clocks) as ledger:
        append(ledger, 2)
        assert (ledger.length, ledger.alarm) == (2, None)


def test_sleep_and_slow_drift_are_no_jump(tmp_path: Path) -> None:
    clocks = Clocks()
    with opened(tmp_path, clocks) as ledger:
        append(ledger, 1)
        clocks.pass_s(86_400)
        append(ledger, 2)
        for n in range(3, 9):  # a minute and more in all, but never at once
            clocks.wall += 30 * SECOND_US
            append(ledger, n)
        assert ledger.length == 8


def test_a_restart_before_the_last_stamp(tmp_path: Path) -> None:
    clocks = Clocks()
    with opened(tmp_path, clocks) as ledger:
        (last,) = append(ledger, 1)
    clocks.wall -= 120 * SECOND_US
    with opened(tmp_path, clocks) as ledger:
        with pytest.raises(Unavailable) as caught:
            append(ledger, 2)
        assert (caught.value.code, caught.value.retry_after_s) == ("clock-behind", 121)
        clocks.pass_s(121)
        assert append(ledger, 2)[0] > last


def test_a_version_that_equals_the_stamp_is_still_a_version(tmp_path: Path) -> None:
    clocks = Clocks()
    with opened(tmp_path, clocks) as ledger:
        assert append(ledger, 1, version_us=clocks.wall) == [clocks.wall + 1]
    clocks.pass_s(1)
    with opened(tmp_path, clocks) as ledger:
        again = [Draft("object", GREEN, "a", "SG", "note--1", b"y", clocks.wall - SECOND_US)]
        assert ledger.append(again)[0].outcome == "conflict"


def test_positions_at_a_stamp(tmp_path: Path) -> None:
    clocks = Clocks()
    with opened(tmp_path, clocks) as ledger:
        stamps = []
        for n in range(20):
            stamps += append(ledger, n)
            clocks.pass_s(n % 3)
        for position, stamp in enumerate(stamps, 1):
            assert ledger.store.position_at(stamp) == position
            assert ledger.store.position_at(stamp - 1) == position - 1
        assert ledger.store.position_at(clocks.wall + SECOND_US) == 20
