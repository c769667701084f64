"""What is taken back, held or past its time is in no feed, over real sockets and on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bayanihan.core import moment
from bayanihan.ledger import wall_us
from tests.web.site import Site, eventually, indicator

SECOND_US = 1_000_000


def opened(folder: Path, settings: str = "") -> Site:
    """A hub that asks no engine of this machine, which takes seconds; that has its own tests."""
    folder.mkdir()
    (folder / "hub.toml").write_text(f"engines = false\n{settings}")
    return Site(folder)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "data") as found:
        yield found


def feeds(site: Site, key: str = "") -> dict[str, str]:
    """The text of every feed, by its name."""
    with site.client(key) as client:
        names = [each["feed"] for each in client.get("/api/feeds").json()]
        return {name: client.get(f"/feeds/{name}").raise_for_status().text for name in names}


def naming(site: Site, value: str, key: str = "") -> set[str]:
    """The feeds that hold a value in any byte of theirs."""
    return {name for name, text in feeds(site, key).items() if value in text}


@pytest.mark.parametrize("how", ["revoked", "withdrawn", "erased"])
def test_what_is_taken_back_leaves_every_feed(site: Site, how: str) -> None:
    sg = site.key("SG")
    one = indicator("one-evil.com")
    site.push(sg, one, indicator("two-evil.com"), tlp="clear")
    site.push(sg, indicator("drill.exercise.example"), tlp="clear", exercise=True)
    assert eventually(lambda: {"domains.txt", "rpz.zone"} <= naming(site, "one-evil.com"))
    assert eventually(lambda: naming(site, "one-evil.com") == naming(site, "two-evil.com"))
    before = naming(site, "one-evil.com")
    if how == "revoked":
        later = {**one, "modified": "2026-11-22T09:00:00.000Z", "revoked": True}
        site.push(sg, later, tlp="clear")
    elif how == "withdrawn":
        site.send("DELETE", f"/api/objects/{one['id']}", sg, params={"reason": "wrong"})
    else:
        site.send("POST", f"/api/objects/{one['id']}/erase", sg)
    site.settle()
    assert eventually(lambda: not naming(site, "one-evil.com"))
    assert naming(site, "two-evil.com") == before
    drills = naming(site, "drill.exercise.example")
    assert drills
    assert all(name.startswith("exercise-") for name in drills)


def test_time_takes_a_value_out_without_an_entry(site: Site) -> None:
    until = moment.render(wall_us() + 3 * SECOND_US)
    short = indicator("short-evil.com", valid_from="2026-01-01T00:00:00Z", valid_until=until)
    site.push(site.key("SG"), short, indicator("long-evil.com"), tlp="clear")
    length = site.hub.ledger.length
    assert naming(site, "short-evil.com")
    assert eventually(lambda: not naming(site, "short-evil.com"))
    assert moment.render(wall_us()) >= until
    assert naming(site, "long-evil.com")
    assert site.hub.ledger.length == length


HELD = ("gov.sg", "github.io", "google.com", "hub.cert.example-hub.net")


def test_what_is_held_is_listed_and_in_no_byte_of_a_feed(tmp_path: Path) -> None:
    """The public suffix, the shipped list, the hub's own name: not even as a comment."""
    own_names = 'own_names = ["hub.cert.example-hub.net"]'
    with opened(tmp_path / "data", own_names) as site:
        sg = site.key("SG")
        named = [indicator(value, name="x") for value in (*HELD, "one-evil.com")]
        site.push(sg, *named, tlp="clear")
        for value in HELD:
            assert naming(site, value) == set()
        assert naming(site, "one-evil.com")
        for row in site.send("GET", "/api/feeds", sg):
            if row["feed"] in ("domains.txt", "rpz.zone"):
                assert {item["value"] for item in row["held"]} == set(HELD)
                assert all(item["reason"] for item in row["held"])


def test_what_was_erased_is_in_no_file_of_the_hub(tmp_path: Path) -> None:
    """Neither while it runs nor after: ledger, its log, indexes, projections, versions made."""
    folder, victim = tmp_path / "data", "Juan dela Cruz 0917"

    def places(text: str) -> list[str]:
        files = [path for path in folder.rglob("*") if path.is_file()]
        return [path.name for path in files if text.encode() in path.read_bytes()]

    with opened(folder) as site:
        sg = site.key("SG")
        texts = (victim, "victim-evil.com")
        one = indicator("victim-evil.com", name=victim, description=victim * 400)
        site.push(sg, one, indicator("two-evil.com"), tlp="green")
        assert naming(site, "victim-evil.com", sg)
        with site.signed_in(sg) as client:
            assert victim in client.get("/").text
        assert all(places(text) for text in texts)
        site.send("POST", f"/api/objects/{one['id']}/erase", sg)
        site.settle()
        assert eventually(lambda: not any(places(text) for text in texts))
        assert eventually(lambda: not naming(site, "victim-evil.com", sg))
    assert [places(text) for text in texts] == [[], []]
    assert places("two-evil.com")
