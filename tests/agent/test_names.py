"""Names are read from what the hub writes, and nothing read can act as an option."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.agent.names import Subject, count, names, subject
from tests.sim.hub import zone

LIST = b"# a list\n# items: 2, held: 1\naaa.example\ncanary.bayanihan.invalid\nbbb.example\n"


def first(below: int) -> int:
    return 0 if below else 1


def test_a_zone_is_read() -> None:
    found = list(names(zone(3, "a.example", "b.example").splitlines()))
    assert found == [
        (b"canary.bayanihan", b"version-3"),
        (b"a.example", None),
        (b"b.example", None),
    ]


def test_a_list_is_read() -> None:
    found = [name for name, _ in names(LIST.splitlines())]
    assert found == [b"aaa.example", b"canary.bayanihan.invalid", b"bbb.example"]


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_no_name_can_be_taken_for_an_option(lines: list[bytes]) -> None:
    for name, _ in names(lines):
        assert name[:1] not in (b"-", b"+", b"@", b"/")
        assert name.decode("ascii").isprintable()
        assert b" " not in name


@pytest.mark.parametrize("body", [zone(1, "a.example", "b.example"), LIST])
def test_the_file_says_how_many(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "feed"
    path.write_bytes(body)
    assert count(path) == 2
    path.write_bytes(b"\n".join(line for line in body.split(b"\n") if b"items" not in line))
    assert count(path) == 2


def test_what_is_new_is_asked_for(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_bytes(zone(1, "a.example", "b.example"))
    new.write_bytes(zone(2, "a.example", "b.example", "c.example"))
    about = subject(new, old, "good.example", first)
    assert about == Subject("canary.bayanihan", "version-2", "c.example", False)
    assert subject(new, new, "good.example", first).item == ""
    assert subject(new, None, "good.example", first).item == "c.example"
    assert subject(new, tmp_path / "absent", "good.example", first).item == "c.example"


@pytest.mark.parametrize("control", ["a.example", "www.A.example", "deep.www.a.example."])
def test_a_control_that_is_blocked_is_noticed(tmp_path: Path, control: str) -> None:
    path = tmp_path / "feed"
    path.write_bytes(zone(1, "a.example"))
    assert subject(path, None, control, first).covers_control


def test_a_hostile_canary_is_an_item(tmp_path: Path) -> None:
    path = tmp_path / "feed"
    path.write_bytes(b"canary.aaa.example\ncanary.bayanihan.invalid\n")
    about = subject(path, None, "good.example", first)
    assert (about.canary, about.item) == ("canary.bayanihan.invalid", "canary.aaa.example")
