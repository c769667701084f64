"""Groups are named by markings, whose ids follow from names: who may know of a group."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bayanihan.core.marking import TLP_2_IDS, group_marking_id
from bayanihan.hub import Hub
from bayanihan.intake.objects_api import Intake
from bayanihan.ledger import Entry
from tests.intake.test_objects_api import sees
from tests.sim.objects import indicator, statement
from tests.sim.process import RunningHub


@pytest.mark.parametrize("level", ["", "clear", "amber", "red"])
def test_a_group_of_others_looks_like_one_that_is_not_there(hub: RunningHub, level: str) -> None:
    """Its marking id follows from its name: what becomes of an object must not tell."""
    hub.group(f"quiet-{level}", "KH", "LA")
    readers = ("", hub.key("SG", person="other"), hub.key("MY"), hub.key("KH"), hub.admin)
    writer, became = hub.key("SG"), []
    for name in (f"quiet-{level}", f"no-such-group-{level}"):
        ref = group_marking_id(name)
        refs = [ref, *([TLP_2_IDS[level]] if level else [])]
        one, other = indicator(object_marking_refs=refs), indicator(object_marking_refs=refs)
        told = [hub.push(writer, one), hub.push(writer, one), hub.push(writer, other, tlp="green")]
        told.append(hub.push(writer, statement(id=ref), indicator(object_marking_refs=refs)))
        seen = [[sees(hub, key, each["id"]) for key in readers] for each in (one, other)]
        for answer in told:
            for result in answer["results"]:
                result["id"] = result["id"].split("--")[0]
        became.append((told, seen))
    assert became[0] == became[1]


def test_who_has_left_a_group_does_not_tell_the_region_by_its_marking(hub: RunningHub) -> None:
    hub.group("former", "KH", "LA")
    hub.group("former", "LA")
    one = indicator(object_marking_refs=[group_marking_id("former")])
    hub.push(hub.key("KH"), one)
    assert not sees(hub, hub.key("MY"), one["id"])


def test_unknown_markings_are_looked_up_beside_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one submission full of them would stop everybody while each is looked up."""
    looked_up: list[int] = []
    with closing(Hub(tmp_path / "data")) as hub:
        find = hub.ledger.newest_about

        def noted(*asked: Any, **more: Any) -> list[Entry]:
            looked_up.append(threading.get_ident())
            return find(*asked, **more)

        monkeypatch.setattr(hub.ledger, "newest_about", noted)
        (key,) = hub.registry.keys
        refs = [f"marking-definition--{uuid.uuid4()}" for _ in range(3)]
        one, other = (indicator(object_marking_refs=some) for some in (refs[:2], refs))
        data = json.dumps({"objects": [one, other, indicator()]}).encode()
        intake = Intake(hub.ledger, hub.registry, hub.defaults)
        told = asyncio.run(intake.take(hub.registry.viewer(key), data, {}))
    assert told["accepted"] == 3
    assert len(looked_up) == len(refs), "each once"
    assert threading.get_ident() not in looked_up
