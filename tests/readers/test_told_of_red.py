"""Who is told that a RED case is there, by its id alone, is in the record of who read RED."""

from __future__ import annotations

from tests.gate.world import World


def test_a_look_up_that_meets_red_is_noted() -> None:
    world = World()
    try:
        author, named, other = (
            next(who for who in world.people if who.name == name)
            for name in ("SG first", "VN first", "VN second")
        )
        world.submit(author, ["red"], [], to=named.person)
        (said,) = world.region.said
        world.settle()
        asked = f"/api/lookup?q={said.secrets[1]}.example.com"
        answers = [world.ask("GET", asked, who).body for who in (author, other, named)]
        assert [said.object_id.encode() in each for each in answers] == [True, False, True]
        world.set_group("one", {"TH"})  # written after the notes were
        notes = world.hub.ledger.state.list("red-read", limit=10)
        assert [note.key.partition("/")[2] for note in notes] == [named.person]
    finally:
        world.close()
