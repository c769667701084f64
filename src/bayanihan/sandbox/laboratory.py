"""A laboratory: takes shards of trials from a hub, answers them in isolation, hands them in.

It only ever asks the hub, so it may stand behind a firewall that lets nothing in. What it is
given, tool and questions, is as hostile as on any machine that tests tools.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from bayanihan import __version__
from bayanihan.errors import Broken, Refused, Unavailable
from bayanihan.sandbox.answer import Question
from bayanihan.sandbox.baselines import baselines
from bayanihan.sandbox.isolate import Isolator
from bayanihan.sandbox.isolate.staging import environment_digest
from bayanihan.sandbox.journal import Row, Run, Shard
from bayanihan.sandbox.offer import Answered, Batch, Cost, Lease, Said, Standing, Taken, Wish
from bayanihan.sandbox.result import FORMAT
from bayanihan.sandbox.shift import Shift, Told
from bayanihan.sandbox.tool import Tool, load_tool

# How long a hub that does not answer is asked again, and how often.
PATIENCE_S, PAUSE_S = 600.0, 2.0
HARNESS = f"bayanihan {__version__}"

_Kind = TypeVar("_Kind")


class Hub(Protocol):
    """A hub, as commands reach it."""

    def send(self, method: str, path: str, **options: Any) -> Any:
        """One request; the hub's own errors are raised."""
        ...


class Line:
    """Speaks to a hub that may be away for a while: what is sent can be sent twice.

    Args:
        hub: see `Hub`.
        patience_s: for how long it may be away.
        pause: waits so many seconds.
    """

    def __init__(
        self,
        hub: Hub,
        patience_s: float = PATIENCE_S,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._hub = hub
        self._patience_s = patience_s
        self._pause = pause

    def send(self, method: str, path: str, data: object = None) -> bytes:
        """The answer's body; a hub that is away is asked again for a while."""
        content = data if isinstance(data, bytes) else msgspec.json.encode(data)
        options = {} if data is None else {"content": content}
        until = time.monotonic() + self._patience_s
        while True:
            try:
                found: bytes = self._hub.send(method, f"/api/trials{path}", **options).content
            except Unavailable as error:
                if time.monotonic() > until:
                    raise
                self._pause(max(PAUSE_S, float(error.retry_after_s or 0)))
            else:
                return found

    def ask(self, method: str, path: str, kind: type[_Kind], data: object = None) -> _Kind:
        """The answer, read. Raises `Broken` when it is none that a hub gives."""
        try:
            return msgspec.json.decode(self.send(method, path, data), type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Broken("internal", f"The hub did not answer as a hub does: {error}") from None


class _List(msgspec.Struct):
    trials: list[Standing]


def offered(line: Line) -> list[Standing]:
    """The trials of a hub that this key may take part in."""
    return line.ask("GET", "", _List).trials


class HubDesk:
    """The desk of a trial that a hub offers. See `desk.Desk`.

    Args:
        line: to the hub.
        standing: of the trial.
        said: what this laboratory says of itself.
    """

    def __init__(self, line: Line, standing: Standing, said: Said) -> None:
        self._line = line
        self._trial = f"/{standing.id}"
        self._offer = standing.offer
        self._said = said
        self._baselines = baselines()
        self._lease = Lease("", 0, 0, 0, [], [])
        self._questions: dict[int, Question] = {}
        self._tool: Tool | None = None
        self._training: bytes | None = None
        self.lost = 0

    @property
    def contestants(self) -> int:
        """How many tools take part."""
        return len(self._offer.tools)

    def take(self, contestant: int) -> Shard | None:
        """Lease a shard from the hub."""
        wish = Wish(self._said, contestant)
        lease = self._line.ask("POST", f"{self._trial}/leases", Taken, wish).lease
        if lease is None:
            return None
        if len(lease.places) != len(lease.questions) or lease.contestant != contestant:
            raise Broken("internal", "The hub leased another shard than was asked for")
        self._lease = lease
        self._questions = dict(zip(lease.places, lease.questions, strict=True))
        return lease.contestant, lease.first, lease.last

    def missing(self, shard: Shard) -> list[int]:
        """What the lease says."""
        return self._lease.places

    def question(self, place: int) -> Question:
        """As it came with the lease."""
        return self._questions[place]

    def tool(self, contestant: int) -> Tool:
        """A baseline of ours, or the tool from the hub; each must be the one that is offered."""
        tool = self._baselines[contestant - 1] if contestant else self._fetched()
        if self._offer.tools[contestant] != f"sha256:{tool.digest}":
            raise Refused(
                "conflict",
                f"{tool.name} is not the one that this trial is about",
                next_step="Use the version of bayanihan that the trial was offered with.",
            )
        return tool

    def _fetched(self) -> Tool:
        if self._tool is None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "tool.tar.gz"
                path.write_bytes(self._file("tool"))
                self._tool = load_tool(path)
        return self._tool

    def training(self) -> bytes:
        """From the hub."""
        if self._training is None:
            self._training = self._file("training")
        return self._training

    def _file(self, name: str) -> bytes:
        return self._line.send("GET", f"{self._trial}/leases/{self._lease.id}/files/{name}")

    def store(self, shard: Shard, rows: Sequence[Row]) -> bool:
        """Hand answers in; False when the lease ran out and they were refused."""
        return self._hand_in(Batch([Answered(*row[1:]) for row in rows]))

    def store_run(self, run: Run) -> None:
        """Hand in what a start cost."""
        _, cold_start_s, peak_bytes, bounded = run
        known = [name for name in ("memory", "processes") if name in bounded]
        self._hand_in(Batch(costs=[Cost(cold_start_s, peak_bytes, known)]))

    def give_back(self, trouble: str) -> None:
        """Leave the shard at hand to others."""
        if self._lease.id:
            self._hand_in(Batch(give_back=True, trouble=trouble[:500]))

    def _hand_in(self, batch: Batch) -> bool:
        try:
            self._line.send("POST", f"{self._trial}/leases/{self._lease.id}", batch)
        except Refused as error:
            if error.code != "lease-lost":
                raise
            self.lost += len(batch.rows)
            return False
        return True


def said_of(isolator: Isolator) -> Said:
    """What this machine says of itself as a laboratory."""
    return Said(
        isolator.level,
        str(isolator.described()["isolator"])[:200],
        environment_digest(),
        HARNESS,
    )


def check_offer(standing: Standing, isolator: Isolator, memory_bytes: int) -> None:
    """Refuse a trial that this laboratory cannot or will not take part in."""
    offer = standing.offer
    if offer.format != FORMAT:
        raise Refused("conflict", f"This trial is of another version: {offer.format}")
    if isolator.level < offer.least or isolator.level == "L0":
        raise Refused("no-isolation", f"This trial asks for {offer.least}; here is less")
    if offer.limits.memory_bytes > memory_bytes:
        raise Refused(
            "too-large",
            f"This trial's tool may use {offer.limits.memory_bytes >> 20} MiB, "
            f"more than this laboratory grants",
            next_step="Grant more with --memory-mib, if this machine has it.",
        )


def work_on(line: Line, standing: Standing, isolator: Isolator, told: Told) -> int:
    """Answer shards of one trial until none is free; how many answers came too late.

    Args:
        line: to the hub.
        standing: of the trial.
        isolator: what keeps tools in here.
        told: is given the number of new answers after each batch.

    Raises:
        Refused: the tool does not work here at all, or the trial was taken back.
    """
    desk = HubDesk(line, standing, said_of(isolator))
    try:
        Shift(desk, isolator, standing.offer.limits).work(told)
    except BaseException as error:
        # Whatever happened here, the others need not wait for the lease to run out.
        with contextlib.suppress(Refused, Unavailable, Broken):
            desk.give_back(str(error) if isinstance(error, Refused) else "")
        raise
    return desk.lost
