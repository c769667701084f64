"""Objects that are dated ahead of the hub's clock."""

from __future__ import annotations

import time

import pytest

from bayanihan.core import moment
from tests.sim.objects import indicator
from tests.sim.process import RunningHub


@pytest.mark.parametrize("name", ["created", "modified"])
def test_what_is_dated_far_ahead_is_refused(hub: RunningHub, name: str) -> None:
    """Nothing of this reporter could supersede it."""
    sg = hub.key("SG")
    far = "9998-01-01T00:00:00.000Z"
    late = indicator(**({"modified": far} | ({"created": far} if name == "created" else {})))
    soon = moment.render(time.time_ns() // 1_000 + 3_600_000_000)
    answer = hub.push(sg, late, indicator(created=soon, modified=soon))
    assert [each["result"] for each in answer["results"]] == ["refused", "accepted"]
    refusal = answer["results"][0]
    assert (refusal["code"], refusal["path"]) == ("bad-value", f"$.objects[0].{name}")
    assert refusal["reason"].startswith("9998-01-01T00:00:00")
    assert hub.push(sg, late | {"created": soon, "modified": soon})["accepted"] == 1
