"""The shipped story: made up from end to end, well-formed, and different at each play."""

from __future__ import annotations

import uuid
from pathlib import Path

import msgspec
import pytest
from publicsuffixlist import PublicSuffixList

from bayanihan.commands.demo_engine import Resolver
from bayanihan.commands.demo_story import Story, ids_of, objects_of, shipped_story
from bayanihan.core import pattern, stix
from bayanihan.core.ai import INFORM_ONLY, vector_of
from bayanihan.core.never_block import NeverBlock
from bayanihan.readers.feeds import EXERCISE_PREFIX, FORMATS, never_block_lines
from bayanihan.registry import member_facts

NOW_US = 1_800_000_000_123_456
STORY = shipped_story()
IDS = ids_of(STORY, lambda: str(uuid.uuid4()))
OBJECTS = [each for scene in STORY.scenes for each in objects_of(scene, IDS, NOW_US)]
INDICATORS = [each for each in OBJECTS if each["type"] == "indicator"]


def test_every_object_is_stix_and_says_that_it_is_an_exercise() -> None:
    for each in OBJECTS:
        checked = stix.check(msgspec.json.encode(each))
        assert checked.version_us == NOW_US - NOW_US % 1_000
        assert "EXERCISE" in f"{each.get('name', '')} {each.get('description', '')}"
        assert "@" not in msgspec.json.encode(each).decode()


def test_every_name_is_one_that_nobody_can_have() -> None:
    for each in INDICATORS:
        for block in pattern.read(each["pattern"]).blocks:
            if block.type == "domain":
                ours = (".exercise.example", ".example.com")
                assert block.value.endswith(ours)
            else:
                assert block.type == "sha256"


def test_it_shows_a_block_a_hold_something_that_only_informs_and_a_withdrawal() -> None:
    never = NeverBlock(never_block_lines(), PublicSuffixList().is_public)
    blocks = [b for each in INDICATORS for b in pattern.read(each["pattern"]).blocks]
    held = [b.value for b in blocks if never.reason(b, exercise=True) and b.type == "domain"]
    assert held == ["www.example.com"]
    assert any(vector_of(each.get("extensions")) in INFORM_ONLY for each in INDICATORS)
    assert {scene.withdraw for scene in STORY.scenes} == {"", "market"}
    assert {"report", "incident", "sighting", "malware", "identity"} <= {
        each["type"] for each in OBJECTS
    }


def test_its_parts_fit_the_region_and_the_feeds() -> None:
    facts = {fact.code: fact for fact in member_facts()}
    assert set(STORY.authors) <= set(facts)
    desks = {each.member for each in STORY.defenders if not each.constituent}
    assert desks == {code for code, fact in facts.items() if fact.cert}
    assert {each.feed for each in STORY.defenders} <= {EXERCISE_PREFIX + name for name in FORMATS}
    assert all(2 <= each.every_s <= 20 for each in STORY.defenders)
    times = [scene.at_s for scene in STORY.scenes]
    assert times == sorted(times)
    assert 60 <= times[-1] <= 90


def test_each_play_is_a_new_exercise() -> None:
    again = ids_of(STORY, lambda: str(uuid.uuid4()))
    assert set(again) == set(IDS)
    assert not set(again.values()) & set(IDS.values())


def test_a_story_with_a_word_that_is_not_known_is_refused() -> None:
    text = msgspec.json.encode(STORY).replace(b'"at_s"', b'"at"', 1)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Story)


def test_the_simulated_engine_knows_only_what_it_loaded(tmp_path: Path) -> None:
    trouble: list[bool] = []
    resolver = Resolver(lambda: bool(trouble))
    path = tmp_path / "rpz.zone"
    path.write_text('$TTL 60\n@ NS x.\ncanary.bayanihan TXT "v1"\nevil.example CNAME .\n')
    assert resolver.check.run(str(path), {}).good
    assert resolver.probe.run("evil.example", {}).code == 1
    assert resolver.reload.run(str(path), {}).good
    assert resolver.probe.run("www.evil.example", {}).good
    assert resolver.probe.run("canary.bayanihan", {}).output == "v1"
    assert resolver.probe.run("other.example", {}).code == 1
    trouble.append(True)
    assert resolver.check.run(str(path), {}).code == 1
    trouble.clear()
    path.write_text("two words\n")
    assert resolver.check.run(str(path), {}).code == 1
    assert resolver.reload.run(str(path), {}).code == 1
    assert resolver.probe.run("evil.example", {}).good
