"""Streams are shared out: no reader takes all that a hub can serve."""

from __future__ import annotations

from contextlib import ExitStack

from bayanihan.core.marking import TLP_2_IDS
from tests.sim.objects import indicator
from tests.sim.process import RunningHub
from tests.sim.reader import StreamReader, until
from tests.sim.wire import Wire


def metrics(hub: RunningHub) -> bytes:
    return hub.ask("GET", "/metrics", hub.admin).content


def test_nobody_takes_all_the_streams(own_hub: RunningHub) -> None:
    """However many files the hub may open: those without a key leave room for the others."""
    hub = own_hub.start(open_files=128)
    key = hub.key("SG")
    with ExitStack() as held:
        wires = [held.enter_context(Wire(hub.port)) for _ in range(60)]
        for wire in wires:
            wire.begin("GET", "/api/stream?after=now")
        statuses = [next(wire.pieces()).split()[1] for wire in wires]
        assert (statuses.count(b"200"), statuses.count(b"503")) == (48, 12)
        for wire, status in zip(wires, statuses, strict=True):
            if status != b"200":
                wire.socket.close()
        reader = held.enter_context(StreamReader(hub, key, after="now"))
        reader.wait_open()
        one = indicator(object_marking_refs=[TLP_2_IDS["clear"]])
        hub.push(key, one)
        until(lambda: reader.ids == [one["id"]])
        assert b"bayanihan_streams_refused 12\n" in metrics(hub)
    assert "readers without a key" in hub.stderr()
    until(lambda: b"bayanihan_streams 0\n" in metrics(hub))
