"""What TAXII gives out is STIX 2.1 by the reference tools, and what was put in, byte for byte."""

from __future__ import annotations

import gzip
import json
import random
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
import stix2
from stix2validator import ValidationOptions, validate_instance

from bayanihan.config import Settings, checked
from bayanihan.readers.taxii import roots_of
from tests.sim.objects import indicator
from tests.sim.process import RunningHub

ROOT = Path(__file__).resolve().parents[2]
STIX = ROOT / "../shared/data/stix"
MEDIA = "application/taxii+json;version=2.1"
OBJECTS = "/taxii2/region/collections/everything/objects/"
_EXAMPLE = re.compile(r"(?:^(?:    .*)?\n)+", re.MULTILINE)
_OPTIONS = ValidationOptions(version="2.1", strict=False, silent=True)


def submit(hub: RunningHub, key: str, objects: list[dict[str, Any]]) -> dict[str, Any]:
    answer = hub.ask(
        *("POST", OBJECTS, key),
        content=json.dumps({"objects": objects}),
        headers={"Content-Type": MEDIA},
    )
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def emitted(hub: RunningHub, key: str, since: str) -> list[dict[str, Any]]:
    found, params = [], {"added_after": since, "limit": "500"}
    with hub.client(key) as client:
        while True:
            page = client.get(OBJECTS, params=params).json()
            found += page.get("objects", [])
            if not page.get("more"):
                return found
            params = {"next": page["next"], "limit": "500"}


def judged(objects: list[dict[str, Any]]) -> None:
    """Valid by the validator, and the same again out of the reference library."""
    for each in objects:
        result = validate_instance(each, _OPTIONS)
        assert result.is_valid, (each, [str(error) for error in result.errors])
        parsed = stix2.parse(each, allow_custom=True)
        again = parsed if isinstance(parsed, dict) else json.loads(parsed.serialize())
        if "pattern_version" not in each:  # which the library adds
            again.pop("pattern_version", None)
        assert _plain(again) == _plain(each)


def _plain(value: Any) -> Any:
    """A document without the digits that the library adds to times, or takes away."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items() if each is not False}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value):
        whole, _, digits = value.rstrip("Z").partition(".")
        return f"{whole}.{digits.rstrip('0')}Z"
    return value


def test_what_is_given_out_is_valid_and_the_same(hub: RunningHub) -> None:
    key = hub.key("SG")
    sent = [indicator(description=f"ngân-hàng {number} ธนาคาร") for number in range(5)]
    status = submit(hub, key, sent)
    assert status["success_count"] == 5
    ids = ",".join(each["id"] for each in sent)
    answer = hub.ask("GET", OBJECTS, key, params={"match[id]": ids})
    assert answer.json()["objects"] == sent
    judged(answer.json()["objects"])


def real_objects(count: int) -> list[dict[str, Any]]:
    """Some objects of each type out of the public files, the same each time."""
    objects: list[dict[str, Any]] = []
    for path in sorted([*STIX.glob("atlas/*.json*"), *STIX.glob("attack/*.json*")]):
        data = path.read_bytes()
        objects += json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)["objects"]
    by_type: dict[str, list[dict[str, Any]]] = {}
    for each in objects:
        by_type.setdefault(each["type"], []).append(each)
    chance = random.Random(4)
    share = max(1, count // len(by_type))
    return [e for some in by_type.values() for e in chance.sample(some, min(share, len(some)))]


def real(own_hub: RunningHub, count: int) -> None:
    if not STIX.is_dir():
        pytest.skip("the public files are not here")
    hub = own_hub.start()
    key, sent = hub.key("SG"), real_objects(count)
    status = submit(hub, key, sent)
    assert status["success_count"] > len(sent) * 0.8
    accepted = {each["id"] for each in status["successes"]}
    found = emitted(hub, key, "1970-01-01T00:00:00Z")
    assert {each["id"] for each in found} == accepted
    by_id = {each["id"]: each for each in sent}
    same = [each for each in found if by_id[each["id"]].get("spec_version") == "2.1"]
    assert all(each == by_id[each["id"]] for each in same)
    judged(found)


def test_real_intelligence_is_given_out_valid_and_the_same(own_hub: RunningHub) -> None:
    real(own_hub, 120)


@pytest.mark.long
def test_much_real_intelligence_is_given_out_valid_and_the_same(own_hub: RunningHub) -> None:
    real(own_hub, 4_000)


def test_the_settings_in_the_how_to_can_be_used() -> None:
    text = (ROOT / "docs/how-to/taxii.md").read_text(encoding="utf-8")
    examples = [found[0] for found in _EXAMPLE.finditer(text)]
    settings = [each for each in examples if "[[taxii" in each or "[tls]" in each]
    settings += [each for each in examples if "[proxy]" in each]
    assert len(settings) == 3
    for each in settings:
        read = msgspec.convert(tomllib.loads(each.replace("    ", "")), Settings)
        roots_of(checked(read).taxii.roots)
