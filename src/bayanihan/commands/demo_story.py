"""The demonstration's story: scenes as data, and the STIX objects that they become.

Each play is a new exercise: its objects get new ids. Nothing here speaks to a hub.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import msgspec

from bayanihan.core import moment
from bayanihan.core.ai import EXTENSION_ID

VALID_FOR_US = 24 * 3_600 * 1_000_000


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one member does `at_s` seconds into the story: report objects, or take one back."""

    at_s: float
    by: str
    tlp: str = "clear"
    objects: tuple[dict[str, Any], ...] = ()
    withdraw: str = ""
    reason: str = ""


class Defender(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One simulated defender: whose it is, what it follows, how often it looks.

    During `trouble_s`, seconds into the story, its check refuses every version.
    """

    member: str
    feed: str
    every_s: float
    constituent: str = ""
    title: str = ""
    trouble_s: tuple[float, float] = (0.0, 0.0)

    @property
    def name(self) -> str:
        """The member's code, with its constituent where it is one's."""
        return f"{self.member}/{self.constituent}" if self.constituent else self.member


class Story(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of it, in the order of time."""

    note: str
    scenes: tuple[Scene, ...]
    defenders: tuple[Defender, ...]

    @property
    def authors(self) -> tuple[str, ...]:
        """The members that report something."""
        return tuple(dict.fromkeys(scene.by for scene in self.scenes))


def shipped_story() -> Story:
    """The story that comes with the package."""
    text = files("bayanihan.commands").joinpath("demo.json").read_bytes()
    return msgspec.json.decode(text, type=Story)


def ids_of(story: Story, uuid: Callable[[], str]) -> dict[str, str]:
    """A new STIX id for each object of the story, by its short name."""
    return {
        each["ref"]: f"{each['type']}--{uuid()}" for scene in story.scenes for each in scene.objects
    }


def objects_of(scene: Scene, ids: Mapping[str, str], now_us: int) -> list[dict[str, Any]]:
    """The STIX 2.1 objects of a scene that is played now."""
    return [_object(each, ids, now_us) for each in scene.objects]


def _object(told: Mapping[str, Any], ids: Mapping[str, str], now_us: int) -> dict[str, Any]:
    now = moment.render(now_us - now_us % 1_000)
    made: dict[str, Any] = {
        "type": told["type"],
        "spec_version": "2.1",
        "id": ids[told["ref"]],
        "created": now,
        "modified": now,
    }
    if told["type"] == "indicator":
        made |= {
            "pattern_type": "stix",
            "valid_from": now,
            "valid_until": moment.render(now_us - now_us % 1_000 + VALID_FOR_US),
        }
    if told["type"] == "report":
        made["published"] = now
    if "vector" in told:
        made["extensions"] = {
            EXTENSION_ID: {"extension_type": "property-extension", "vector": told["vector"]}
        }
    given = {name: value for name, value in told.items() if name not in {"ref", "vector"}}
    return made | {name: _resolved(value, ids) for name, value in given.items()}


def _resolved(value: Any, ids: Mapping[str, str]) -> Any:
    """A value with each `@name` put as the id that it stands for."""
    if isinstance(value, str) and value.startswith("@"):
        return ids[value[1:]]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_resolved(each, ids) for each in value]
    return value
