"""An engine that takes long: asked about what changed first, and about the whole after."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bayanihan.core.marking import PUBLIC
from bayanihan.readers.feeds import Press, Rendered
from bayanihan.readers.feeds.gate import Verdict
from tests.readers.record import START_US, Record, named, press_over

ALWAYS_SLOW_S = -1.0


class Seen:
    """An engine that remembers what it was asked, and refuses files with some words together."""

    def __init__(self) -> None:
        self.files: list[bytes] = []
        self.together: tuple[bytes, ...] = ()

    def __call__(self, name: str, files: Mapping[str, bytes]) -> Verdict:
        self.files.append(files[name])
        if self.together and all(word in files[name] for word in self.together):
            return Verdict("refused", "not these together")
        return Verdict("accepted")


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path) as found:
        yield found


@pytest.fixture
def engine() -> Seen:
    return Seen()


@pytest.fixture
def press(record: Record, engine: Seen) -> Iterator[Press]:
    found = press_over(record, examine=engine, patience_s=ALWAYS_SLOW_S)
    yield found
    found.close()


def now(record: Record, press: Press) -> Rendered | None:
    return press.ready("rpz.zone", record.rights(PUBLIC), START_US)


def settled(record: Record, press: Press) -> Rendered | None:
    """What is served once the engine was asked about the whole."""
    for _ in range(1_000):
        found = now(record, press)
        if found is None or found.verified:
            return found
        time.sleep(0.01)
    return now(record, press)


def test_what_changed_is_asked_first_and_only_the_whole_is_called_verified(
    record: Record, press: Press, engine: Seen
) -> None:
    record.push(named("one-evil.com"))
    rights = record.rights(PUBLIC)
    assert press.version("rpz.zone", rights, START_US).verified, "the first is asked as a whole"
    record.push(named("two-evil.com"))
    second = press.version("rpz.zone", rights, START_US)
    assert not second.verified
    assert "what changed" in second.checked
    assert b"one-evil.com" not in engine.files[1]
    assert b"two-evil.com" in engine.files[1]
    found = settled(record, press)
    assert found is not None
    assert (found.verified, found.etag, found.body) == (True, second.etag, second.body)
    assert engine.files[2] == second.body


def test_what_only_the_whole_shows_is_never_called_verified(
    record: Record, press: Press, engine: Seen
) -> None:
    record.push(named("one-evil.com"))
    rights = record.rights(PUBLIC)
    press.version("rpz.zone", rights, START_US)
    engine.together = (b"one-evil.com", b"two-evil.com")
    record.push(named("two-evil.com"))
    assert not press.version("rpz.zone", rights, START_US).verified
    found = settled(record, press)
    assert found is None or not found.verified
