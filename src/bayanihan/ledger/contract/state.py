"""Documents beside the record."""

from __future__ import annotations

import threading

from bayanihan.ledger.contract.scene import Make, opened
from bayanihan.ledger.state import Change


def check_state(make: Make) -> None:
    """Documents have growing versions, lists are in key order, and all of it is durable."""
    with opened(make) as ledger:
        state = ledger.state
        assert state.get("room", "a") is None
        keys = ["a", "a/1", "a/2", "a\U0010ffff", "b", "ă"]
        assert state.put([Change("room", key, key.encode()) for key in reversed(keys)])
        assert state.put([Change("room", "a", b"2"), Change("other", "a", b"x")])
        assert state.put([Change("room", "b", None)])
    with opened(make) as ledger:
        state = ledger.state
        found = state.get("room", "a")
        assert found is not None
        assert (found.version, found.value) == (2, b"2")
        listed = [one.key for one in state.list("room", "a", "", 10)]
        assert listed == ["a", "a/1", "a/2", "a\U0010ffff"]
        assert [one.key for one in state.list("room", "", "a/1", 2)] == ["a/2", "a\U0010ffff"]
        assert [one.key for one in state.list("room", "", "", 10)][-1] == "ă"
        # What a caller names may hold a zero, which no engine need keep.
        assert state.get("room", "a\0b") is None
        assert state.list("room", "a\0b", "", 10) == []
        assert [one.key for one in state.list("room", "a", "a\0b", 2)] == ["a/1", "a/2"]


def check_state_versions(make: Make) -> None:
    """A stale expectation changes nothing, whatever else was asked for beside it."""
    with opened(make) as ledger:
        state = ledger.state
        assert state.put([Change("room", "a", b"1", expected=0)])
        assert not state.put([Change("room", "b", b"1"), Change("room", "a", b"2", expected=0)])
        assert state.get("room", "b") is None
        won: list[bool] = []

        def bid(name: int) -> None:
            won.append(state.put([Change("room", "a", b"%d" % name, expected=1)]))

        threads = [threading.Thread(target=bid, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False] * 7 + [True]


def check_state_removal(make: Make) -> None:
    """What is removed and put again has a version that nobody has read before."""
    with opened(make) as ledger:
        state = ledger.state
        assert state.put([Change("room", "a", b"1"), Change("room", "b", b"1")])
        assert state.put([Change("room", "a", b"2"), Change("room", "b", None)])
        read = state.get("room", "a")
        assert read is not None
        assert state.put([Change("room", "a", None)])
        assert state.put([Change("room", "a", None)]), "of what is not there"
        assert state.get("room", "a") is None
    with opened(make) as ledger:
        state = ledger.state
        assert state.put([Change("room", "a", b"another", expected=0)])
        assert not state.put([Change("room", "a", b"stale", expected=read.version)])
        found = state.get("room", "a")
        assert found is not None
        assert found.value == b"another"
        assert found.version > read.version
        assert state.put([Change("room", "a", b"next", expected=found.version)])
