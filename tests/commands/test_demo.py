"""The exercise played against a whole hub, by a story that takes a second."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from bayanihan.commands.data_folder import DEMO_KEYS_FILE
from bayanihan.commands.demo import play
from bayanihan.commands.demo_story import Defender, Scene, Story
from tests.web.site import Site, eventually, indicator


def told(ref: str, value: str) -> dict[str, Any]:
    return {
        "ref": ref,
        "type": "indicator",
        "name": f"EXERCISE {ref}",
        "pattern": f"[domain-name:value = '{value}']",
    }


def shared(member: str, feed: str, **more: Any) -> Defender:
    return Defender(member=member, feed=feed, every_s=0.1, **more)


STORY = Story(
    note="",
    scenes=(
        Scene(0, "SG", objects=(told("one", "one.exercise.example"),)),
        Scene(0.3, "TH", objects=(told("two", "two.exercise.example"),)),
        Scene(0.6, "TH", withdraw="two", reason="EXERCISE"),
    ),
    defenders=(
        shared("SG", "exercise-rpz.zone"),
        shared("VN", "exercise-domains.txt"),
        shared("LA", "exercise-rpz.zone", trouble_s=(0.0, 1e9)),
        shared("MY", "exercise-domains.txt", constituent="bank", title="EXERCISE bank"),
    ),
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path / "data") as found:
        yield found


class Played:
    """The exercise on a thread of its own, ended when the context is left."""

    def __init__(self, site: Site) -> None:
        self.stopping = threading.Event()
        arguments = (site.url, site.admin, site.folder, self.stopping, STORY)
        self.thread = threading.Thread(target=play, args=arguments)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.thread.join(20)
        assert not self.thread.is_alive()
        assert not [t for t in threading.enumerate() if t.name.startswith("exercise ")]


def objects(site: Site) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.send("GET", "/api/objects", params={"exercise": True})[
        "objects"
    ]
    return found


def feed(site: Site, name: str) -> str:
    with site.client() as public:
        return public.get(f"/feeds/{name}").raise_for_status().text


def states(site: Site, object_id: str) -> dict[str, str]:
    board = site.send("GET", f"/api/protection/{object_id}")
    return {row["member"]: row["state"] for row in board["members"]}


def test_members_become_protected_and_everything_of_it_is_an_exercise(site: Site) -> None:
    expected = {"SG": "protected", "VN": "protected", "MY": "protected", "LA": "failed"}
    real = site.push(site.admin, indicator("one-evil.com"), tlp="clear")
    with Played(site):
        assert eventually(lambda: len(objects(site)) == 2)
        one = next(each["id"] for each in objects(site) if each["name"] == "EXERCISE one")
        assert eventually(lambda: expected.items() <= states(site, one).items())
        found = states(site, one)
        assert eventually(lambda: "two." not in feed(site, "exercise-domains.txt"))
    assert set(found) - set(expected) == {c for c in found if found[c] == "not-yet"}
    assert set(states(site, real).values()) == {"not-yet"}
    assert "exercise" not in feed(site, "domains.txt")
    assert "one-evil" not in feed(site, "exercise-domains.txt")
    assert "one.exercise.example" in feed(site, "exercise-domains.txt")


def test_a_second_play_is_a_new_exercise_with_the_same_keys(site: Site) -> None:
    with Played(site):
        assert eventually(lambda: len(objects(site)) == 2)
    path = site.folder / DEMO_KEYS_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = path.read_bytes()
    keys = site.send("GET", "/api/keys")
    with Played(site):
        assert eventually(lambda: len(objects(site)) == 4)
        latest = objects(site)[2]["id"]
        assert eventually(lambda: states(site, latest)["SG"] == "protected")
    assert path.read_bytes() == kept
    assert site.send("GET", "/api/keys") == keys
    assert len({each["id"] for each in objects(site)}) == 4


def test_a_revoked_key_is_replaced(site: Site) -> None:
    with Played(site):
        assert eventually(lambda: len(objects(site)) == 2)
    for key in site.send("GET", "/api/keys"):
        if key["member"] == "SG":
            site.send("DELETE", f"/api/keys/{key['id']}")
    with Played(site):
        assert eventually(lambda: len(objects(site)) == 4)
