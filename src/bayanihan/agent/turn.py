"""One turn of an agent: fetch, check, place, load, probe, and say so in a signed receipt.

The order is what makes it safe. A version is fetched beside the file and checked there;
only then is it put into its place, in one step; only then is the engine told. When the
engine does not take it, the file before it is put back and the engine told again. Every
step may be cut off by a crash: the record says what went all the way, and what does not
match the record is fetched and goes through every step again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from bayanihan.agent.engine import Command, Ran
from bayanihan.agent.hub import Base, Fetched, Hub
from bayanihan.agent.names import count, subject
from bayanihan.agent.place import Place, Record, unwritten
from bayanihan.agent.probe import Kind, Verdict, judge, judge_patiently
from bayanihan.core import moment, signing
from bayanihan.core.receipt import DETAIL_LIMIT, Receipt, State, sign
from bayanihan.errors import BayanihanError, Refused

PAUSE_FILE = "pause"
HEARTBEAT_US = 300 * 1_000_000
PROBE_AGAIN_US = 30 * 1_000_000
_CLOCK_AHEAD_US = 600 * 1_000_000
# The hub's history was restored: what was fetched before says nothing any more.
_OTHER_HISTORY = {"reset", "bad-cursor"}


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is asked to do. A missing command is a step that is not taken."""

    feed: str
    state_folder: Path
    check: Command | None = None
    reload: Command | None = None
    probe: Command | None = None
    control: str = ""

    @property
    def plan(self) -> tuple[str, ...]:
        """The commands, as the record keeps them: other ones are a reason to begin again."""
        steps = {"check": self.check, "reload": self.reload, "probe": self.probe}
        return tuple(
            f"{name} {' '.join(step.words)}" for name, step in steps.items() if step is not None
        )


class Outcome(msgspec.Struct, frozen=True):
    """What one turn came to, as one line.

    `changed` says that a file was placed. `trouble` is why the hub did not take the receipt.
    """

    line: str
    changed: bool
    trouble: BayanihanError | None = None


class Follower:
    """One feed in one place.

    Args:
        order: what to do.
        hub: where the feed is.
        place: where its file goes.
        key: signs the receipts.
        now_us: the wall clock.
        rest: sleeps so many seconds.
        choose: a random number below its argument.
    """

    def __init__(
        self,
        order: Order,
        hub: Hub,
        place: Place,
        key: signing.SigningKey,
        *,
        now_us: Callable[[], int],
        rest: Callable[[float], object],
        choose: Callable[[int], int],
    ) -> None:
        self._order = order
        self._hub = hub
        self._place = place
        self._key = key
        self._now_us = now_us
        self._rest = rest
        self._choose = choose
        self._probed_us = 0
        place.check_feed(order.feed, place.record())
        place.check_key(hub.signed_in, place.record())

    @property
    def paused(self) -> bool:
        """Whether a person put the word `pause` into the state folder."""
        return (self._order.state_folder / PAUSE_FILE).exists()

    def turn(self) -> Outcome:
        """Look once whether there is a newer version, and bring it into force.

        Raises:
            Unavailable: the hub, the network or the disk; nothing was changed.
            Refused: `check-failed`, `reload-failed` (the last good file is in its place), or
                what the hub refused.
        """
        record = self._place.record()
        if self.paused:
            record, trouble = self._heartbeat(record)
            return self._outcome("paused", record, trouble)
        try:
            etag = self._etag(record)
            base = Base(self._place.out, record.cursor) if record and etag else None
            fetched = self._hub.fetch(self._order.feed, etag, self._place.incoming, base)
            if fetched is not None:
                return self._bring_in(fetched, record)
        except OSError as error:
            raise unwritten(error, self._place.out) from error
        finally:
            self._place.drop_incoming()
        record, trouble = self._heartbeat(record)
        return self._outcome("current", record, trouble)

    def _outcome(self, word: str, record: Record | None, trouble: BayanihanError | None) -> Outcome:
        line = f"{self._order.feed}: {word}; {self._described(record)}"
        return Outcome(line, word == "placed", trouble)

    def _etag(self, record: Record | None) -> str:
        """What is known to be in force here, so that only something else is fetched."""
        if record is None or record.feed != self._order.feed or record.plan != self._order.plan:
            return ""
        return record.etag if self._place.holds(record) else ""

    def _described(self, record: Record | None) -> str:
        if record is None or not self._place.holds(record):
            return f"{self._place.out} is not a version of the feed that went all the way"
        told = f"{self._place.out} holds {record.items} items, {record.state}"
        told += f" ({record.detail})" if record.detail else ""
        if not self._hub.signed_in:
            return f"{told}; no receipt without a key"
        return f"{told}; receipt {'accepted' if record.taken else 'not sent yet'}"

    def _bring_in(self, fetched: Fetched, record: Record | None) -> Outcome:
        if self._order.check is not None:
            ran = self._run(self._order.check, self._place.incoming)
            if not ran.good:
                raise self._failed("check-failed", "CHECK refused it", ran, fetched, record)
        self._place.put(record)
        if self._order.reload is not None:
            self._load(self._order.reload, fetched, record)
        verdict = self._verdict(fresh=True)
        placed = Record(
            feed=self._order.feed,
            etag=fetched.etag,
            cursor=fetched.cursor,
            digest=fetched.digest,
            items=count(self._place.out) if fetched.items is None else fetched.items,
            state=self._state(verdict),
            detail=verdict.detail if verdict else "",
            plan=self._order.plan,
            said_us=record.said_us if record else 0,
            keyed=self._hub.signed_in,
        )
        self._place.write_record(placed)
        placed, trouble = self._say(placed)
        return self._outcome("placed", placed, trouble)

    def _load(self, reload: Command, fetched: Fetched, record: Record | None) -> None:
        """Tell the engine; when it does not take the version, go back to the one before."""
        ran = self._run(reload, self._place.out)
        if ran.good:
            return
        again = self._run(reload, self._place.out) if self._place.put_back() else ran
        kept = record if again.good else None
        raise self._failed("reload-failed", "RELOAD refused it", ran, fetched, kept)

    def _failed(
        self, code: str, what: str, ran: Ran, fetched: Fetched, record: Record | None
    ) -> Refused:
        """Tell the hub that this version is not in force here; the error to raise."""
        kept = record if self._place.holds(record) else None
        receipt = Receipt(
            feed=self._order.feed,
            cursor=fetched.cursor,
            digest=fetched.digest,
            state="failed",
            at=self._at(record),
            detail=f"{what}: {ran.told()}"[:DETAIL_LIMIT],
            in_force=kept.cursor if kept else "",
        )
        held = f"{self._place.out} stays as it was" if self._place.digest() else "no file is there"
        message = f"{self._order.feed}: {what} ({ran.told()}); {held}"
        try:
            self._send(receipt)
        except BayanihanError as error:
            message += f"; the receipt was not taken: {error.message}"
        if kept is not None:
            self._place.write_record(msgspec.structs.replace(kept, said_us=_us(receipt)))
        return Refused(code, message, where=str(self._place.out))

    def _heartbeat(self, record: Record | None) -> tuple[Record | None, BayanihanError | None]:
        """Say again what is in force, when it is time to, or when it was not heard yet.

        What the engine answers is asked again, since it may have lost it meanwhile.
        """
        if record is None or not self._place.holds(record) or record.plan != self._order.plan:
            return record, None
        silence_us = abs(self._now_us() - record.said_us)
        unproven = self._order.probe is not None and record.state != "probed"
        again = unproven and self._now_us() - self._probed_us > PROBE_AGAIN_US
        said = record
        if silence_us > HEARTBEAT_US or again:
            verdict = self._verdict(fresh=False)
            said = msgspec.structs.replace(
                record, state=self._state(verdict), detail=verdict.detail if verdict else ""
            )
        if said == record and record.taken and silence_us <= HEARTBEAT_US:
            return record, None
        return self._say(said)

    def _say(self, record: Record) -> tuple[Record, BayanihanError | None]:
        """Send a receipt of what the record says, and keep whether it was taken."""
        if not self._hub.signed_in:
            return record, None
        receipt = Receipt(
            feed=record.feed,
            cursor=record.cursor,
            digest=record.digest,
            state=_state(record.state),
            at=self._at(record),
            detail=record.detail[:DETAIL_LIMIT],
        )
        trouble: BayanihanError | None = None
        try:
            self._send(receipt)
        except BayanihanError as error:
            trouble = error
        lost = trouble is not None and trouble.code in _OTHER_HISTORY
        said = msgspec.structs.replace(
            record,
            etag="" if lost else record.etag,
            said_us=_us(receipt),
            taken=trouble is None,
        )
        self._place.write_record(said)
        return said, trouble

    def _send(self, receipt: Receipt) -> None:
        if self._hub.signed_in:
            self._hub.send(sign(receipt, self._key))

    def _at(self, record: Record | None) -> str:
        """Now, but later than in the receipt before, which the hub would refuse otherwise."""
        now_us = self._now_us()
        said_us = record.said_us if record else 0
        if now_us <= said_us < now_us + _CLOCK_AHEAD_US:
            now_us = said_us + 1
        return moment.render(now_us)

    def _verdict(self, *, fresh: bool) -> Verdict | None:
        """What PROBE proves; None without a PROBE. A `fresh` version is given time."""
        probe = self._order.probe
        if probe is None:
            return None
        about = subject(
            self._place.out,
            self._place.last_good if fresh else self._place.out,
            self._order.control,
            self._choose,
        )

        def ask(kind: Kind, name: str) -> Ran:
            expect = about.expect if kind == "canary" else ""
            return self._run(probe, name, {"BAYANIHAN_PROBE": kind, "BAYANIHAN_EXPECT": expect})

        if fresh:
            verdict = judge_patiently(about, self._order.control, ask, self._rest)
        else:
            verdict = judge(about, self._order.control, ask)
        self._probed_us = self._now_us()
        return verdict

    def _state(self, verdict: Verdict | None) -> State:
        if verdict is not None and verdict.proven:
            return "probed"
        return "loaded" if self._order.reload is not None else "fetched"

    def _run(
        self, command: Command, what: Path | str, variables: dict[str, str] | None = None
    ) -> Ran:
        file = what if isinstance(what, Path) else self._place.out
        given = {"BAYANIHAN_FILE": str(file), "BAYANIHAN_FEED": self._order.feed}
        return command.run(str(what), given | (variables or {}))


def _us(receipt: Receipt) -> int:
    return moment.parse(receipt.at) or 0


def _state(word: str) -> State:
    state: State = msgspec.convert(word, State)
    return state
