"""After a bad day: what a client of TAXII is told by a hub that was restored from a backup."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.consumers.test_taxii_exact import EVERYTHING, Client, error_of
from tests.sim.objects import indicator
from tests.sim.process import RunningHub, command


@pytest.fixture
def restored(own_hub: RunningHub) -> Iterator[tuple[RunningHub, str, list[str]]]:
    """A restored hub, a key that opens it, and three `next` of the hub that was."""
    hub = own_hub.start()
    key, folder = hub.key("SG"), hub.data.parent
    client, kept = Client(hub, key), [indicator() for _ in range(4)]
    client.post(*kept)
    tokens = [_next(client, "objects"), _next(client, "manifest")]
    assert command("backup", folder / "b.tar", "--data", hub.data).returncode == 0
    client.post(*[indicator() for _ in range(40)])
    tokens.append(_next(client, "objects", "40"))  # a place that the restored record lacks
    hub.stop()
    done = command("restore", folder / "b.tar", "--data", folder / "new")
    assert done.returncode == 0, done.stderr
    again = RunningHub(folder / "new").start()
    try:
        yield again, key, tokens
    finally:
        again.stop()


def _next(client: Client, what: str, limit: str = "2") -> str:
    page = client.get(f"{EVERYTHING}/{what}/", params={"limit": limit})
    return str(page["next"])


def test_a_next_from_before_a_restore_is_told_to_begin_anew(
    restored: tuple[RunningHub, str, list[str]],
) -> None:
    hub, key, tokens = restored
    client = Client(hub, key)
    for round_ in range(2):
        for token in tokens:
            for what in ("objects", "manifest"):
                answer = client.ask("GET", f"{EVERYTHING}/{what}/", params={"next": token})
                error = error_of(answer, 410)
                assert error["error_code"] == "reset", (round_, error)
        # The record grows beyond every place of the old one: the tokens stay foreign to it.
        client.post(*[indicator() for _ in range(60)])
    everything = client.ids(EVERYTHING)
    assert len(everything) == len(set(everything)) == 4 + 2 * 60
