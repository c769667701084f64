"""`bayanihan up --demo` as a newcomer runs it."""

from __future__ import annotations

from contextlib import closing

from bayanihan.commands.demo_story import shipped_story
from bayanihan.ledger import SqliteStore
from bayanihan.registry import member_facts
from tests.sim.objects import indicator
from tests.sim.process import RunningHub
from tests.sim.reader import until


def test_the_exercise_plays_and_all_of_it_says_so(own_hub: RunningHub) -> None:
    """Every entry that plays is flagged; a real one beside it is not, and reaches real feeds."""
    own_hub.options = ("--demo",)
    hub = own_hub.start()
    real = indicator(value="real-evil.com")
    hub.push(hub.admin, real, tlp="clear")
    until(lambda: len(hub.objects(hub.admin)) == 1)
    until(lambda: "exercise.example" in hub.ask("GET", "/feeds/exercise-domains.txt").text)
    plain = hub.ask("GET", "/feeds/domains.txt").text
    assert "real-evil.com" in plain
    assert "exercise" not in plain
    listed = hub.ask("GET", "/api/keys", hub.admin).json()
    codes = {fact.code for fact in member_facts()}
    desks = {fact.code for fact in member_facts() if fact.cert}
    assert {key["member"] for key in listed} - {""} == desks
    assert {scene.by for scene in shipped_story().scenes} <= codes
    stopped = hub.stop()
    assert (stopped.code, stopped.stderr) == (0, "")
    assert stopped.after_s < 5
    with closing(SqliteStore(hub.data / "ledger.db", read_only=True)) as store:
        entries = [entry for entry, _ in store.scan(0, 10_000) if entry.header.kind != "registry"]
    assert {entry.object_id for entry in entries if not entry.header.exercise} == {real["id"]}
    assert {entry.origin for entry in entries if entry.header.exercise} <= codes


def test_without_demo_it_starts_clean(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    assert hub.objects(hub.admin) == []
    assert [key["member"] for key in hub.ask("GET", "/api/keys", hub.admin).json()] == [""]
    assert hub.stop().code == 0
    with closing(SqliteStore(hub.data / "ledger.db", read_only=True)) as store:
        kinds = {entry.header.kind for entry, _ in store.scan(0, 1_000)}
    assert kinds == {"registry"}
