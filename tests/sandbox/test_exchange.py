"""Trials on a hub: who may reach them, what a lease is worth, and that each answer counts once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.app import handlers
from bayanihan.core.marking import Viewer
from bayanihan.errors import Refused
from bayanihan.sandbox.answer import Question
from bayanihan.sandbox.exchange import MOST_OF_ONE, Exchange
from bayanihan.sandbox.isolate import Limits
from bayanihan.sandbox.offer import Answered, Batch, Lease, Offer, Said, Wish
from tests.gate.answer import Answer
from tests.gate.world import World

SECRET = "nobody but who holds the shard reads this"
LEADER = Viewer("k1", "", "SG", "", frozenset({"sandbox"}))
THERE = Viewer("k2", "", "VN", "", frozenset({"sandbox"}))
ELSEWHERE = Viewer("k3", "", "TH", "", frozenset({"sandbox"}))
SAID = Said("L2", "bubblewrap 1", "sha256:" + "0" * 64, "tests")
FILES = {"tool": b"tool bytes", "training": b""}


def offer_of(items: int = 3, **changes: Any) -> Offer:
    fields: dict[str, Any] = {
        "tool": "probe@1", "corpus": "small 1", "tools": ["sha256:" + "1" * 64],
        "items": items, "tool_bytes": len(FILES["tool"]), "training_bytes": 0,
        "limits": Limits(), "least": "L2", "laboratories": ["VN"], "lease_s": 60.0,
        "format": "bayanihan-trial/1",
    }  # fmt: skip
    return Offer(**{**fields, **changes})


class Scene:
    """An exchange with a clock that is moved by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_s = 1_000_000.0
        self._drawn = count(1)
        self.open()

    def open(self) -> None:
        self.exchange = Exchange(self.folder, lambda: self.now_s, self._entropy)

    def _entropy(self, size_bytes: int) -> bytes:
        return next(self._drawn).to_bytes(size_bytes)

    def offered(self, offer: Offer, leader: Viewer = LEADER) -> str:
        """An open trial."""
        exchange = self.exchange
        name = exchange.offer(leader, offer)
        exchange.put(leader, name, "tool", 0, FILES["tool"])
        questions = [Question(str(at + 1), "sms", f"{SECRET} {at}") for at in range(offer.items)]
        exchange.ask(leader, name, 0, questions)
        assert exchange.open(leader, name).state == "open"
        return name

    def lease(self, name: str, viewer: Viewer = THERE) -> Lease:
        lease = self.exchange.lease(viewer, name, Wish(SAID, 0))
        assert lease
        return lease


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "trials")


def rows(places: list[int], verdict: str = "m") -> Batch:
    return Batch([Answered(place, verdict, 5, None) for place in places])


def refused(code: str) -> Any:
    return pytest.raises(Refused, check=lambda error: error.code == code)


def test_a_late_answer_is_refused_whole(scene: Scene) -> None:
    name = scene.offered(offer_of())
    lease = scene.lease(name)
    assert [each.text[-1] for each in lease.questions] == ["0", "1", "2"]
    scene.exchange.hand_in(THERE, name, lease.id, rows([0]))
    scene.now_s += 59
    scene.exchange.hand_in(THERE, name, lease.id, rows([1]))
    scene.now_s += 61
    with refused("lease-lost"):
        scene.exchange.hand_in(THERE, name, lease.id, rows([2]))
    with refused("lease-lost"):
        scene.exchange.file(THERE, name, lease.id, "tool")
    assert scene.exchange.standing(LEADER, name).answers == 2
    again = scene.lease(name, LEADER)
    assert again.places == [2]
    with refused("lease-lost"):
        scene.exchange.hand_in(THERE, name, lease.id, rows([2], "b"))
    scene.exchange.hand_in(LEADER, name, again.id, rows([2], "b"))
    standing = scene.exchange.standing(THERE, name)
    assert (standing.state, standing.answers) == ("answered", 3)
    assert [(each.origin, each.answers) for each in standing.laboratories] == [("VN", 2), ("SG", 1)]
    assert [row[1] for row in scene.exchange.found(LEADER, name, 0).rows] == ["m", "m", "b"]


def test_an_answer_that_is_sent_twice_counts_once(scene: Scene) -> None:
    name = scene.offered(offer_of())
    lease = scene.lease(name)
    for verdict in ("m", "b"):
        scene.exchange.hand_in(THERE, name, lease.id, rows([0, 1, 2], verdict))
    found = scene.exchange.found(LEADER, name, 0)
    assert [row[1] for row in found.rows] == ["m"] * 3
    assert scene.exchange.lease(THERE, name, Wish(SAID, 0)) is None


@pytest.mark.parametrize(
    "row", [Answered(3, "m", 1, None), Answered(0, "x", 1, None), Answered(0, "m", 1, "timeout"),
            Answered(0, "m", None, "timeout"), Answered(0, "x", 5, "timeout")],
)  # fmt: skip
def test_what_is_no_answer_to_the_shard_is_refused_whole(row: Answered, scene: Scene) -> None:
    name = scene.offered(offer_of())
    lease = scene.lease(name)
    with refused("bad-value"):
        scene.exchange.hand_in(THERE, name, lease.id, Batch([Answered(1, "b", 1, None), row]))
    assert scene.exchange.standing(LEADER, name).answers == 0


def test_a_shard_that_is_given_back_is_free_at_once(scene: Scene) -> None:
    name = scene.offered(offer_of())
    lease = scene.lease(name)
    assert scene.exchange.lease(LEADER, name, Wish(SAID, 0)) is None
    scene.exchange.hand_in(THERE, name, lease.id, Batch(give_back=True, trouble="it fails here"))
    assert scene.lease(name, LEADER).places == [0, 1, 2]
    assert scene.exchange.standing(LEADER, name).troubles == ["VN: it fails here"]


def test_weaker_isolation_than_asked_for_gets_no_shard(scene: Scene) -> None:
    weak = Wish(msgspec.structs.replace(SAID, level="L1"), 0)
    name = scene.offered(offer_of())
    with refused("no-isolation"):
        scene.exchange.lease(THERE, name, weak)
    other = scene.offered(offer_of(least="L1"))
    assert scene.exchange.lease(THERE, other, weak)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(weak).replace(b"L1", b"L0"), type=Wish)


def test_pieces_come_in_order_and_fit_what_was_announced(scene: Scene) -> None:
    exchange, offer = scene.exchange, offer_of()
    name = exchange.offer(LEADER, offer)
    with refused("conflict"):
        exchange.open(LEADER, name)
    with refused("conflict"):
        exchange.put(LEADER, name, "tool", 4, b"x")
    with refused("too-large"):
        exchange.put(LEADER, name, "tool", 0, b"x" * 11)
    exchange.put(LEADER, name, "tool", 0, b"tool")
    exchange.put(LEADER, name, "tool", 0, b"tool")
    exchange.put(LEADER, name, "tool", 2, b"ol bytes")
    with refused("too-large"):
        exchange.ask(LEADER, name, 1, [Question("1", "sms", "a")] * 3)
    exchange.ask(LEADER, name, 0, [Question("1", "sms", "a")] * 2)
    with refused("conflict"):
        exchange.open(LEADER, name)
    exchange.ask(LEADER, name, 1, [Question("1", "sms", "a")] * 2)
    exchange.open(LEADER, name)
    exchange.open(LEADER, name)
    with refused("conflict"):
        exchange.put(LEADER, name, "tool", 10, b"")
    lease = scene.lease(name)
    assert exchange.file(THERE, name, lease.id, "tool").read_bytes() == b"tool bytes"


def test_a_trial_is_its_leaders(scene: Scene) -> None:
    exchange = scene.exchange
    name = scene.offered(offer_of())
    for act in (exchange.withdraw, exchange.open):
        with refused("not-permitted"):
            act(THERE, name)
        with refused("not-found"):
            act(ELSEWHERE, name)
    with refused("not-permitted"):
        exchange.found(THERE, name, 0)
    with refused("not-found"):
        exchange.found(LEADER, name, 1)
    exchange.withdraw(LEADER, name)
    with refused("not-found"):
        exchange.standing(LEADER, name)
    assert list(scene.folder.iterdir()) == []


def test_old_trials_go_and_nobody_offers_without_end(scene: Scene) -> None:
    for _ in range(MOST_OF_ONE):
        scene.exchange.offer(LEADER, offer_of())
    with refused("in-use"):
        scene.exchange.offer(LEADER, offer_of())
    scene.exchange.offer(THERE, offer_of())
    scene.now_s = 1e12
    scene.exchange.offer(LEADER, offer_of())
    assert len(scene.exchange.standings(LEADER)) == 1


@settings(max_examples=12, deadline=None)
@given(
    acts=st.lists(
        st.tuples(st.sampled_from(["take", "answer", "wait", "restart"]), st.integers(0, 2)),
        max_size=40,
    )
)
def test_whatever_happens_no_item_is_lost_and_none_counts_twice(
    acts: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Three laboratories; each answer carries whose it is, so that the first one is known."""
    scene = Scene(tmp_path_factory.mktemp("trials"))
    name = scene.offered(offer_of(600))
    held: dict[int, Lease] = {}
    until: dict[str, float] = {}
    first: dict[int, int] = {}

    def act(what: str, who: int) -> None:
        if what == "take":
            lease = scene.exchange.lease(THERE, name, Wish(SAID, 0))
            if lease:
                held[who] = lease
                until[lease.id] = scene.now_s + 60
        elif what == "wait":
            scene.now_s += 40 * who
        elif what == "restart":
            scene.exchange.close()
            scene.open()
        elif who in held and held[who].places:
            places = held[who].places[:200]
            batch = Batch([Answered(place, "b", who, None) for place in places])
            if scene.now_s > until[held[who].id]:
                with refused("lease-lost"):
                    scene.exchange.hand_in(THERE, name, held.pop(who).id, batch)
                return
            scene.exchange.hand_in(THERE, name, held[who].id, batch)
            until[held[who].id] = scene.now_s + 60
            for place in places:
                first.setdefault(place, who)
            del held[who].places[:200]

    for what, who in acts:
        act(what, who)
    scene.now_s += 1000
    while (lease := scene.exchange.lease(THERE, name, Wish(SAID, 0))) is not None:
        held[0] = lease
        until[lease.id] = scene.now_s + 60
        while held[0].places:
            act("answer", 0)
    found = scene.exchange.found(LEADER, name, 0)
    assert [row[0] for row in found.rows] == list(range(600))
    assert {row[0]: row[2] for row in found.rows} == first
    scene.exchange.close()


# over HTTP, through the whole application


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    found = World()
    yield found
    found.close()


def exits(world: World) -> Iterator[tuple[str, str]]:
    """Every address of trials, from the hub's own route table."""
    for handler in handlers(world.hub):
        methods = sorted(getattr(handler, "http_methods", {"GET"}))
        for path in handler.paths:
            yield from ((str(each), path) for each in methods if path.startswith("/api/trials"))


def test_only_the_scope_and_only_who_is_named_reach_a_trial(world: World) -> None:
    """Every exit of the route table, by people who must see nothing of it."""
    leader = world.hire("lab SG", "SG", scopes=("sandbox",))
    there = world.hire("lab VN", "VN", scopes=("sandbox",))
    also_there = world.hire("second lab VN", "VN", scopes=("sandbox",))
    elsewhere = world.hire("lab TH", "TH", scopes=("sandbox",))

    def ask(who: Any, method: str, path: str, body: Any = b"") -> Answer:
        if not isinstance(body, bytes):
            body = msgspec.json.encode(body)
        return world.ask(method, path, who, body)

    name = json.loads(ask(leader, "POST", "/api/trials", offer_of()).body)["id"]
    line = msgspec.json.encode(Question("1", "sms", SECRET))
    put = f"/api/trials/{name}/files"
    assert ask(leader, "PUT", f"{put}/tool?at=0", FILES["tool"]).status == 200
    assert ask(leader, "PUT", f"{put}/questions?at=0", b"\n".join([line] * 3)).status == 200
    assert ask(leader, "PUT", f"{put}/questions?at=0", b'{"id":1}').status == 400
    assert ask(leader, "PUT", f"{put}/other?at=0", b"x").status == 404
    assert ask(leader, "PUT", f"{put}/tool?at=-1", b"x").status == 400
    assert ask(leader, "POST", f"/api/trials/{name}/open").status == 200
    taken = ask(there, "POST", f"/api/trials/{name}/leases", Wish(SAID, 0))
    lease = json.loads(taken.body)["lease"]["id"]
    assert SECRET.encode() in taken.body
    values = {"trial_id": name, "lease_id": lease, "name": "tool", "contestant": "0"}
    bodies = {"leases": Wish(SAID, 0), "{lease_id:str}": rows([0])}
    seen = set()
    for method, path in exits(world):
        seen.add((method, path))
        place = re.sub(r"\{(\w+)(?::\w+)?\}", lambda m: values[m[1]], path)
        for who in world.people:
            if who in (leader, there):
                continue
            answer = ask(who, method, place, bodies.get(path.rpartition("/")[2], b"{}"))
            told = (who.name, method, path, answer)
            assert SECRET.encode() not in answer.everything, told
            assert FILES["tool"] not in answer.everything, told
            if not who.key:
                assert answer.status == 401, told
            elif "sandbox" not in who.scopes:
                assert answer.status == 403, told
            elif path != "/api/trials" and who is not also_there:
                assert answer.status == 404, told
            elif path == "/api/trials" and method == "GET" and who is not also_there:
                assert json.loads(answer.body) == {"trials": []}, told
    assert len(seen) == 10
    # A lease belongs to one key: a colleague's does not open it.
    for who, status in ((there, 200), (also_there, 404), (leader, 404), (elsewhere, 404)):
        path = f"/api/trials/{name}/leases/{lease}/files/tool"
        assert ask(who, "GET", path).status == status
    assert ask(there, "POST", f"/api/trials/{name}/leases/{lease}", rows([0, 1, 2])).status == 200
    found = ask(leader, "GET", f"/api/trials/{name}/answers/0")
    assert [row[1] for row in json.loads(found.body)["rows"]] == ["m"] * 3
    bad = ask(there, "POST", f"/api/trials/{name}/leases/{lease}", {"rows": [[0, "q", 1, None]]})
    assert bad.status == 400
    assert b"rows" in bad.body
    assert ask(leader, "DELETE", f"/api/trials/{name}").status == 200
    assert ask(there, "GET", f"/api/trials/{name}").status == 404
