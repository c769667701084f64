"""An agent takes what changed where it can, and the whole file where that does not add up."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from bayanihan.agent import hub as agent_hub
from bayanihan.core.feed_delta import Delta, parts
from tests.agent.conftest import Bench
from tests.sim.hub import SimulatedHub

HEAD = ("# a list", "# items: {}, held: 0, not expressed: 0")


def head(count: int) -> tuple[str, ...]:
    return HEAD[0], HEAD[1].format(count)


def listed(*names: str) -> bytes:
    return parts(head(len(names)), sorted(names), ()).body()


def offer(hub: SimulatedHub, old: set[str], new: set[str], **more: object) -> bytes:
    """Publish `new` with a delta from `old`, whose version is the one published before."""
    since = hub.cursor()
    body = listed(*new)
    hub.publish(body)
    delta = Delta(
        feed="rpz.zone",
        since=since,
        cursor=hub.cursor(),
        etag=hashlib.sha256(body).hexdigest()[:20],
        digest=parts(head(len(new)), sorted(new), ()).digest,
        signature="",
        items=len(new),
        head_lines=2,
        tail_lines=0,
        head=head(len(new)),
        tail=(),
        added=tuple(sorted(new - old)),
        removed=tuple(sorted(old - new)),
    )
    hub.deltas[since] = msgspec.json.encode(msgspec.structs.replace(delta, **more))
    return body


OLD, NEW = {"a.com", "b.com"}, {"b.com", "c.com"}


def test_only_what_changed_is_fetched(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(listed(*OLD))
    bench.turn()
    body = offer(hub, OLD, NEW)
    outcome = bench.turn()
    assert outcome.changed
    assert bench.out.read_bytes() == body
    assert hub.fetched == [200, 226]
    assert hub.receipts[-1].digest == hashlib.sha256(body).hexdigest()
    assert hub.receipts[-1].cursor == hub.cursor()
    hub.deltas.clear()
    bench.turn()
    assert hub.fetched == [200, 226, 304], "the tag of the delta is that of the version"


@pytest.mark.parametrize(
    "wrong",
    [
        {"digest": "tree-sha-256=" + "0" * 64},
        {"added": ("evil.com",)},
        {"since": "another"},
        {"cursor": "another"},
        {"head_lines": 99},
    ],
)
def test_what_does_not_add_up_is_fetched_whole(
    bench: Bench, hub: SimulatedHub, wrong: dict[str, object]
) -> None:
    hub.publish(listed(*OLD))
    bench.turn()
    body = offer(hub, OLD, NEW, **wrong)
    assert bench.turn().changed
    assert bench.out.read_bytes() == body
    assert hub.fetched == [200, 226, 200]
    assert bench.loose_files() == []


def test_a_delta_that_is_none_is_fetched_whole(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(listed(*OLD))
    bench.turn()
    body = offer(hub, OLD, NEW)
    hub.deltas = dict.fromkeys(hub.deltas, b"{")
    assert bench.turn().changed
    assert bench.out.read_bytes() == body


def test_a_file_that_somebody_changed_is_fetched_whole(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(listed(*OLD))
    bench.turn()
    body = offer(hub, OLD, NEW)
    bench.out.write_bytes(b"mine now\n")
    assert bench.turn().changed
    assert bench.out.read_bytes() == body
    assert 226 not in hub.fetched


def test_a_delta_that_is_larger_than_a_file_to_change_is_not_held(
    bench: Bench, hub: SimulatedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish(listed(*OLD))
    bench.turn()
    monkeypatch.setattr(agent_hub, "DELTA_LIMIT_BYTES", bench.out.stat().st_size)
    body = offer(hub, OLD, NEW)
    assert bench.turn().changed
    assert bench.out.read_bytes() == body
    assert hub.fetched == [200, 226, 200]
