"""Makes versions: drafts them from the active set, and has the engines look at them."""

from __future__ import annotations

import base64
import hmac
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from bayanihan.core import feed_delta
from bayanihan.core.marking import strictest
from bayanihan.core.observables import Observable
from bayanihan.core.signing import to_text
from bayanihan.errors import Refused, Unavailable
from bayanihan.readers.active import UNSTATED, Active, ActiveItem, Source
from bayanihan.readers.feeds import grammar
from bayanihan.readers.feeds.board import Board, Boards, sayable
from bayanihan.readers.feeds.decide import Decision
from bayanihan.readers.feeds.draft import Draft, Files
from bayanihan.readers.feeds.format import (
    EXERCISE_PREFIX,
    Format,
    Heading,
    Item,
    filed,
    waits,
    why_not,
)
from bayanihan.readers.feeds.gate import Verdict, sift
from bayanihan.readers.feeds.judge import Judge
from bayanihan.readers.feeds.shelf import Key
from bayanihan.readers.feeds.stock import Stock, Store
from bayanihan.readers.feeds.version import Rendered
from bayanihan.readers.feeds.whose import ANYBODY, Whose

# An engine that takes longer over a whole file is first asked about what changed.
PATIENCE_S = 1.0

Examine = Callable[[str, Mapping[str, bytes]], Verdict]


def unexamined(name: str, files: Mapping[str, bytes]) -> Verdict:
    """For a hub whose operator wants no engines started: nothing is verified."""
    return Verdict("unable", "engines are turned off")


class Maker:
    """Makes versions. Safe to call from several threads.

    The arguments are those of `Press`.
    """

    def __init__(
        self,
        active: Active,
        formats: Mapping[str, Format],
        *,
        judge: Judge,
        policy: str,
        level_of: Callable[[int], str],
        seal: Callable[[int], str],
        secret: bytes,
        hub: str,
        examine: Examine,
        sign: Callable[[bytes], bytes] | None,
        patience_s: float,
    ) -> None:
        self._active = active
        self.formats = dict(formats)
        self.judge = judge
        self._policy = policy
        self._find_level = level_of
        self._levels: dict[int, str] = {}
        self._seal = seal
        self._secret = secret
        self._hub = hub
        self._examine = examine
        self._sign = sign
        self._drafting = 0
        self._closed = False
        self._rest = threading.Condition()
        self._stocks = Store()
        self._boards = Boards()
        self._patience_s = patience_s
        self._took_s: dict[str, float] = {}
        # How often it was asked to judge values anew.
        self.asked = 0
        self._stocking = threading.Lock()
        # What an engine refused once, by format: (type, value) -> what it said.
        self._poison: dict[str, dict[tuple[str, str], str]] = {}

    def named(self, feed: str) -> tuple[Format, bool]:
        """The format of a feed, and whether it is the exercise's. Raises `Refused`."""
        exercise = feed.startswith(EXERCISE_PREFIX)
        format_ = self.formats.get(feed.removeprefix(EXERCISE_PREFIX))
        if format_ is None:
            raise Refused("not-found", "There is no such feed", where="feed")
        return format_, exercise

    def level_of(self, audience: int) -> str:
        """The level of an audience, which never changes."""
        level = self._levels.get(audience)
        if level is None:
            level = self._levels[audience] = self._find_level(audience)
        return level

    def refusal(self, feed: str, item: Item) -> tuple[str, str] | None:
        """How a feed treats a judged item; None when it carries it. See `Press.refusal`."""
        format_, _ = self.named(feed)
        if item.type not in format_.types:
            return "not-expressed", why_not(item.type, format_.types)
        if not sayable(format_, item):
            return item.mode, item.why
        if waiting := waits(format_, item):
            return "held", waiting
        poison = self._poison.get(format_.name)
        if poison and (reason := poison.get((item.type, item.value))):
            return "held", reason
        reason = format_.refusal(Observable(item.type, item.value))
        return None if reason is None else ("not-expressed", reason)

    def judged(
        self,
        observable: Observable,
        rights: tuple[int, ...],
        now_us: int,
        *,
        exercise: bool,
        whose: Whose = ANYBODY,
    ) -> Item:
        """A value as these rights see it now, with what becomes of it.

        One that they do not see is judged as if the hub's operator told of it now.
        """
        named = self._active.named(observable, rights, now_us, exercise=exercise)
        if named is None:
            source = Source("HUB", "", UNSTATED, now_us)
            named = ActiveItem(observable.type, observable.value, (), (), sources=(source,))
        found = self.judge.decision(
            named,
            now_us,
            exercise=exercise,
            whose=whose,
            seen=self._seen(rights, exercise=exercise),
        )
        return Item(
            observable.type,
            observable.value,
            named.ids,
            mode=found.mode,
            why=found.reason,
            in_hour=found.in_hour,
            in_place=found.in_place,
        )

    def _seen(self, rights: tuple[int, ...], *, exercise: bool) -> Callable[[Sequence[str]], int]:
        return partial(self._active.seen, audiences=rights, exercise=exercise)

    def published(self, key: Key, now_us: int) -> tuple[Rendered, bool]:
        """A version that the engine takes, with what it refuses held.

        Where the engine takes long, it is asked about what changed, and the second value is
        True: the whole is still to be asked about, with `vouched`.

        Raises:
            Unavailable: `feed-refused` when it takes none, `stopping` when closed.
        """
        draft = self._draft(key, now_us, to_ask=True)
        verdict, part = self._asked(draft)
        if verdict.word == "refused":
            items = list(draft.items() if draft.news is None or not part else draft.news)
            self._sift(draft, items)
            draft = self._draft(key, now_us, to_ask=True)
            verdict, part = self._asked(draft)
        if verdict.word == "refused":
            message = f"{draft.format.engine} takes no version of {key[0]}: {verdict.why[:300]}"
            raise Unavailable("feed-refused", message, where=key[0])
        self._board(key).settle()
        if part and verdict.word == "accepted":
            why = f"{draft.format.engine} loaded what changed; the whole is being asked about"
            return self._rendered(draft, Verdict("unable", why)), True
        return self._rendered(draft, verdict), False

    def vouched(self, key: Key, made: Rendered, now_us: int) -> Rendered | None:
        """A version with what the engine says of the whole of it; None when it refuses that.

        What it refuses in it is then held in the next version.
        """
        format_, _ = self.named(key[0])
        verdict = self._whole(format_, Files(format_.name, made.file, made.pages))
        if verdict.word == "refused":
            draft = self._draft(key, now_us)
            self._sift(draft, list(draft.items()))
            return None
        return msgspec.structs.replace(
            made, verified=verdict.word == "accepted", checked=_said(format_, verdict)
        )

    def listed(
        self, types: Iterable[str], rights: tuple[int, ...], now_us: int, *, exercise: bool
    ) -> list[Item]:
        """All values of some types that are not held, in order of place."""
        stock = self._stock(rights, ANYBODY, now_us, exercise=exercise)
        with stock.lock:
            found = stock.first_of(types, sum(stock.counts.values()))
        return [item for item in found if item.mode != "held"]

    def look_again(self, values: Iterable[tuple[str, str]]) -> None:
        """Judge some values anew, though nothing was told of them. See `Press.look_again`."""
        values = list(values)
        if not values:
            return
        with self._stocking:
            stocks = self._stocks.every()
            self.asked += 1
        for stock in stocks:
            with stock.lock:
                stock.look_again(values)

    def unproved(self, key: Key, now_us: int) -> Rendered:
        """A version that no engine was asked about."""
        return self._rendered(self._draft(key, now_us), Verdict("unable", "not asked yet"))

    def signed(self, feed: str, cursor: str, digest: str) -> str:
        """The hub's signature over a digest, base64; "" where it does not sign."""
        if self._sign is None:
            return ""
        return to_text(self._sign(feed_delta.signed_text(feed, cursor, digest)))

    def close(self) -> None:
        """Make nothing more, and wait for what reads the active set."""
        with self._rest:
            self._closed = True
            self._rest.wait_for(lambda: not self._drafting)

    def _sift(self, draft: Draft, items: Sequence[Item]) -> None:
        """Find what is refused in a draft, and remember it."""
        format_ = draft.format
        sifted = sift(items, lambda some: self._seen_by_all(format_, draft.only(some)))
        known = dict(self._poison.get(format_.name, {}))
        for item, why in sifted.poison:
            known[item.type, item.value] = f"{format_.engine} refuses it: {why[:300]}"
        self._poison[format_.name] = known

    def _asked(self, draft: Draft) -> tuple[Verdict, bool]:
        """What is said of a draft, and whether that is of what changed alone."""
        format_ = draft.format
        if draft.news is None:
            why = self._read(format_, draft.files)
            refused = Verdict("refused", f"our own reader: {why}")
            return (self._whole(format_, draft.files) if why is None else refused), False
        part = draft.only(draft.news)
        why = self._read(format_, part)
        if why is not None:
            return Verdict("refused", f"our own reader: {why}"), True
        if self._took_s.get(format_.name, 0) > self._patience_s:
            return self._examine(format_.name, part), True
        return self._whole(format_, draft.files), False

    def _whole(self, format_: Format, files: Mapping[str, bytes]) -> Verdict:
        began = time.monotonic()
        verdict = self._examine(format_.name, files)
        self._took_s[format_.name] = time.monotonic() - began
        return verdict

    def _seen_by_all(self, format_: Format, files: Mapping[str, bytes]) -> Verdict:
        why = self._read(format_, files)
        if why is not None:
            return Verdict("refused", f"our own reader: {why}")
        return self._examine(format_.name, files)

    def _read(self, format_: Format, files: Mapping[str, bytes]) -> str | None:
        check = format_.check or partial(grammar.fault, format_.name)
        return check(files[format_.name])

    def _board(self, key: Key) -> Board:
        format_, _ = self.named(key.feed)
        with self._stocking:
            return self._boards.get(key, lambda: Board(format_, self._hub, key.feed))

    def _draft(self, key: Key, now_us: int, *, to_ask: bool = False) -> Draft:
        with self._rest:
            if self._closed:
                raise Unavailable("stopping", "The hub is stopping", retry_after_s=5)
            self._drafting += 1
        try:
            return self._drafted(key, now_us, to_ask=to_ask)
        finally:
            with self._rest:
                self._drafting -= 1
                self._rest.notify_all()

    def _drafted(self, key: Key, now_us: int, *, to_ask: bool) -> Draft:
        format_, exercise = self.named(key.feed)
        poison = self._poison.get(format_.name, {})
        asked = self.asked
        stock = self._stock(key.rights, key.whose, now_us, exercise=exercise)
        board = self._board(key)
        with board.lock:
            board.advance(stock, poison)
            with stock.lock:
                board.advance(stock, poison)  # what came during a walk
                if to_ask:
                    board.ask()
                return self._written(key, board, stock, asked)

    def _written(self, key: Key, board: Board, stock: Stock, asked: int) -> Draft:
        """The draft of a board that is where the stock is."""
        format_, exercise = self.named(key.feed)
        held, held_total = board.held()
        rest, rest_total = board.not_expressed(stock)
        content = (stock.changed_us, held_total, rest_total, board.content())
        cursor = self._seal(stock.position)
        heading = Heading(
            feed=key.feed,
            exercise=exercise,
            level=strictest(set(board.levels) or {"clear"}),
            cursor=cursor,
            # It begins with the cursor, so that any node can tell how far its holder has seen.
            version=cursor + self._tag((key, stock.position, content)),
            changed_us=stock.changed_us,
            items=board.levels.total(),
            held=held_total,
            not_expressed=rest_total,
            hub=self._hub,
        )
        return Draft(
            format=format_,
            heading=heading,
            file=filed(format_, board.lines, heading),
            pages=board.writer.pages(heading),
            news=None if board.news is None else list(board.news.values()),
            items=partial(board.inside, stock),
            position=stock.position,
            boundary_us=stock.boundary_us,
            next_change_us=stock.next_change_us,
            held=tuple(held),
            not_expressed=tuple(rest),
            asked=asked,
        )

    def _stock(
        self, rights: tuple[int, ...], whose: Whose, now_us: int, *, exercise: bool
    ) -> Stock:
        """What these rights may carry now, for all feeds."""
        with self._stocking:
            found = self._stocks.get(
                (rights, whose, exercise), partial(self._new_stock, rights, whose, exercise)
            )
        # The fold may commit before it tells, so what is kept may be ahead of it.
        position = self._active.changed(rights, exercise=exercise)
        with found.lock:
            if not found.holds(position, now_us):
                with self._active.read(rights, exercise=exercise) as reading:
                    found.advance(reading, now_us)
        return found

    def _new_stock(self, rights: tuple[int, ...], whose: Whose, exercise: bool) -> Stock:
        seen = self._seen(rights, exercise=exercise)

        def judge(item: ActiveItem, now_us: int) -> Decision:
            return self.judge.decision(item, now_us, exercise=exercise, whose=whose, seen=seen)

        return Stock(judge, self._strictest, exercise=exercise)

    def _rendered(self, draft: Draft, verdict: Verdict) -> Rendered:
        format_, heading = draft.format, draft.heading
        return Rendered(
            feed=heading.feed,
            file=draft.file,
            media_type=format_.media_type,
            etag=heading.version,
            cursor=heading.cursor,
            level=heading.level,
            position=draft.position,
            changed_us=heading.changed_us,
            boundary_us=draft.boundary_us,
            next_change_us=draft.next_change_us,
            items=heading.items,
            held=draft.held,
            held_total=heading.held,
            not_expressed=draft.not_expressed,
            not_expressed_total=heading.not_expressed,
            verified=verdict.word == "accepted",
            checked=_said(format_, verdict),
            sign=partial(self.signed, heading.feed, heading.cursor),
            pages=draft.pages,
            asked=draft.asked,
        )

    def _strictest(self, audiences: Iterable[int]) -> str:
        return strictest([self.level_of(each) for each in audiences] or ["clear"])

    def _tag(self, what: tuple[Any, ...]) -> str:
        """An opaque name for (feed, viewers, position, content, policy); 32 characters."""
        text = repr((what, self._policy)).encode()
        tag = hmac.digest(self._secret, text, "sha256")[:24]
        return base64.urlsafe_b64encode(tag).decode()


def _said(format_: Format, verdict: Verdict) -> str:
    if verdict.word == "accepted":
        return f"{format_.engine} loaded it"
    return f"not verified: {verdict.why}"
