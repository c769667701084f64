"""Two hubs that differ in hidden entries alone answer a viewer the same: no count, no gap.

Each world is told the same visible things under the same ids, in one order; one of the two is
also told, before, between and after them, things that the viewer may not see. Then the same
requests go to both. Only what says when, and the tokens of places, may differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.gate.answer import Answer
from tests.gate.model import Who
from tests.gate.world import World
from tests.sim.objects import indicator

ROOT = "/taxii2/region/collections"
MEDIA = {"accept": "application/taxii+json;version=2.1"}
TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
TOKEN = re.compile(rb'"next":"([^"]+)"')
WAYS = ("", "?limit=1", "?limit=2", "?match[version]=all&limit=3", "?match[type]=indicator")
NOWHERE = "indicator--00000000-0000-4000-8000-000000000000"
# What TH, a member outside the pair, is never shown: how often, and where it stands.
HIDDEN = st.lists(
    st.sampled_from(["tlp=red", "tlp=amber%2Bstrict&group=pair", "tlp=amber&group=pair"]),
    max_size=4,
)


class Told:
    """One world and what was told in it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.author = next(who for who in world.people if who.name == "SG first")
        self.viewer = next(who for who in world.people if who.name == "TH first")

    def say(self, question: str, *objects: dict[str, Any]) -> None:
        body = json.dumps({"objects": objects}).encode()
        answer = self.world.ask("POST", f"/api/objects?{question}", self.author, body)
        results = json.loads(answer.body)["results"]
        assert [each["result"] for each in results] == ["accepted"] * len(objects), results

    def hide(self, question: str, over: dict[str, Any] | None) -> None:
        """Say what the viewer may not see: new, or a later version of what they do see."""
        later = {**over, "modified": "2026-01-09T00:00:00.000Z", "name": "n"} if over else None
        self.say(question, later or indicator())

    def answers(self, who: Who, ids: list[str]) -> Iterator[tuple[str, Answer]]:
        """Every request of the list, each page of it, with what came back."""
        for place in _places(self.world, ids):
            for way in WAYS if place.endswith(("/objects/", "/manifest/")) else ("",):
                yield from self._pages(who, place, way)

    def _pages(self, who: Who, place: str, way: str) -> Iterator[tuple[str, Answer]]:
        onward, page = way, 0
        while True:
            answer = self.world.ask("GET", place + onward, who, headers=MEDIA)
            yield f"{place}{way} page {page}", answer
            found = TOKEN.search(answer.body)
            if not found:
                return
            onward, page = f"{way}{'&' if way else '?'}next={found[1].decode()}", page + 1


def _places(world: World, ids: list[str]) -> list[str]:
    shelves = [shelf.alias for shelf in world.hub.taxii.roots["region"].collections]
    found = ["/taxii2/", "/taxii2/region/", f"{ROOT}/"]
    found += [f"{ROOT}/{shelf}/{what}/" for shelf in shelves for what in ("objects", "manifest")]
    for each in (*ids, NOWHERE):
        found += [f"{ROOT}/everything/objects/{each}/{what}" for what in ("", "versions/")]
    return found


def told_apart(answer: Answer) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """An answer without its times and tokens; their sizes stay."""
    headers = [(name.lower(), _plain(value)) for name, value in answer.headers]
    return answer.status, sorted(headers), _plain(answer.body)


def _plain(data: bytes) -> bytes:
    timeless = TIME.sub(b"<time>", data)
    return TOKEN.sub(lambda found: b'"next":"%d characters"' % len(found[1]), timeless)


@pytest.mark.parametrize("examples", [3, pytest.param(40, marks=pytest.mark.long)])
def test_what_is_hidden_changes_no_answer(examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(between=st.lists(st.tuples(HIDDEN, st.booleans()), min_size=4, max_size=6))
    def compare(between: list[tuple[list[str], bool]]) -> None:
        with ExitStack() as closing:
            worlds = []
            for _ in range(2):
                world = World()
                closing.callback(world.close)
                worlds.append(Told(world))
            same(worlds[0], worlds[1], between)

    compare()


def same(plain: Told, filled: Told, between: list[tuple[list[str], bool]]) -> None:
    seen = [indicator() for _ in between]
    count = 0
    for number, (hidden, over) in enumerate(between):
        for each in (plain, filled):
            each.say("tlp=green", seen[number])
        for turn, question in enumerate(hidden):
            filled.hide(question, seen[number] if over and not turn else None)
        count += len(hidden)
    if not count:
        filled.hide("tlp=red", None)
    for each in (plain, filled):
        each.world.settle()
    ids = [each["id"] for each in seen]
    for who in ("viewer", "public"):
        one, other = (
            each.viewer if who == "viewer" else each.world.people[0] for each in (plain, filled)
        )
        pairs = zip(plain.answers(one, ids), filled.answers(other, ids), strict=True)
        for (asked, expected), (asked_too, found) in pairs:
            assert asked == asked_too
            assert told_apart(expected) == told_apart(found), (who, asked)
    # The author is shown more: the comparison can see a difference where there is one.
    theirs, ours = (
        [told_apart(found) for _, found in each.answers(each.author, [])]
        for each in (plain, filled)
    )
    assert theirs != ours
