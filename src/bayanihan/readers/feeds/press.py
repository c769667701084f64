"""The press: turns the active set into versions of feeds, each made once and kept.

A version is a pure function of (position, now, rights, policy): the audiences that the
viewer sees, where these last changed, the moment, and the never-block rules. It is kept
until its position or the time moves on, so most requests find it ready. Before a version is
published the engine that will load it is asked; while it is asked, the last good version is
served.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec

from bayanihan.core.feed_delta import Delta
from bayanihan.core.identifiers import IDENTIFIERS
from bayanihan.core.marking import Viewer
from bayanihan.core.observables import Observable
from bayanihan.errors import BayanihanError, Refused, Unavailable
from bayanihan.readers.active import Active
from bayanihan.readers.feeds.decide import checked_profile
from bayanihan.readers.feeds.format import EXERCISE_PREFIX, Format, Item
from bayanihan.readers.feeds.history import History, Step
from bayanihan.readers.feeds.judge import Judge
from bayanihan.readers.feeds.lines import changes
from bayanihan.readers.feeds.maker import PATIENCE_S, Examine, Maker, unexamined
from bayanihan.readers.feeds.shelf import Key, Shelf
from bayanihan.readers.feeds.version import Rendered
from bayanihan.readers.feeds.whose import ANYBODY, Whose

ASK_AGAIN_US = 60_000_000

logger = logging.getLogger(__name__)


class Press:
    """Makes and keeps versions. Safe to call from several threads.

    Args:
        active: the active set.
        formats: by name; each is served under its name and under `exercise-` and its name.
        judge: what becomes of a value, and why.
        policy: names these rules and this software, see `policy_digest`.
        level_of: the TLP level of an audience id.
        seal: the cursor of a position, as `Cursors.seal`.
        secret: 32 bytes that never leave the hub, the key of the entity tags.
        hub: the hub's name.
        examine: asks the engine of a format about the files of a version; may take long.
        sign: the hub's signature over some bytes; None where versions are not signed.
        public_key: the key that they are signed with, base64.
        patience_s: an engine that takes longer over a whole file is asked about what changed
            before a version is published, and about the whole after.
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
        hub: str = "bayanihan",
        examine: Examine = unexamined,
        sign: Callable[[bytes], bytes] | None = None,
        public_key: str = "",
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.public_key = public_key
        self._active = active
        self._maker = Maker(
            active,
            formats,
            judge=judge,
            policy=policy,
            level_of=level_of,
            seal=seal,
            secret=secret,
            hub=hub,
            examine=examine,
            sign=sign,
            patience_s=patience_s,
        )
        self._lock = threading.Lock()
        self._good = Shelf()
        self._unproved = Shelf()
        self._histories: dict[Key, History] = {}
        self._making: dict[Key, Future[Rendered]] = {}
        self._provers = ThreadPoolExecutor(1, thread_name_prefix="prove")
        self._proving: set[Key] = set()
        self._closed = False
        # When the engine took no new version: what was asked, and until when that counts.
        self._refused: dict[Key, tuple[int, int]] = {}

    @property
    def feeds(self) -> list[str]:
        """Every name that is served, the exercise's last."""
        names = sorted(self._maker.formats)
        return [*names, *[EXERCISE_PREFIX + name for name in names]]

    def feed_of(self, path: str) -> str:
        """The feed that a file belongs to: itself, or the feed whose folder it lies in.

        Raises:
            Refused: `not-found` for a name that is no feed.
        """
        if path in self.feeds:
            return path
        folder = path.rpartition("/")[0]
        for feed in self.feeds:
            if folder and feed.rpartition("/")[0] == folder:
                return feed
        raise Refused("not-found", "There is no such feed", where="feed")

    def identifiers(
        self, audiences: Iterable[int], now_us: int, *, exercise: bool = False
    ) -> list[Item]:
        """What points to persons and accounts, and is in no feed: for `match_list`."""
        rights = self._rights(audiences, exercise=exercise)
        return self._maker.listed(IDENTIFIERS, rights, now_us, exercise=exercise)

    def look_again(self, values: Iterable[tuple[str, str]]) -> None:
        """Judge some values anew, by (type, value), though nothing was told of them.

        For what people say about a value: it costs these values, not the set.
        """
        self._maker.look_again(values)

    def whose(self, viewer: Viewer, profile: str = "") -> Whose:
        """Whose policy counts for a viewer. Raises `Refused("bad-parameter")` for no profile."""
        home = viewer.member
        return Whose(home, checked_profile(profile), self._maker.judge.opinions.edition(home))

    def ready(
        self, feed: str, audiences: Iterable[int], now_us: int, whose: Whose = ANYBODY
    ) -> Rendered | None:
        """The present version, if it is made and examined already. Never blocks for long.

        Raises:
            Refused: `not-found` for a name that is no feed.
        """
        key = self._key(feed, audiences, whose)
        with self._lock:
            return self._current(self._good, key, now_us)

    def last_good(
        self, feed: str, audiences: Iterable[int], now_us: int, whose: Whose = ANYBODY
    ) -> Rendered | None:
        """The last version that was published and from which time alone took nothing since."""
        key = self._key(feed, audiences, whose)
        with self._lock:
            found = self._good.get(key)
        if found is None or not found.boundary_us <= now_us < found.next_change_us:
            return None
        return found

    def version(
        self, feed: str, audiences: Iterable[int], now_us: int, whose: Whose = ANYBODY
    ) -> Rendered:
        """The present version, made and examined now if need be: for a worker thread.

        Args:
            feed: a name of `feeds`.
            audiences: what the viewer may see, as `Ledger.rights` gives it. RED is left out:
                it is for the persons named, never for a feed.
            now_us: UTC microseconds.
            whose: the viewer's member, and the profile of what loads the feed.

        Raises:
            Refused: `not-found` for a name that is no feed.
            Unavailable: `feed-refused` when the engine takes no version of it, and there is
                no good one from before.
        """
        key = self._key(feed, audiences, whose)
        while True:
            with self._lock:
                found = self._current(self._good, key, now_us)
                if found is not None:
                    return found
                making = self._making.get(key)
                if making is None:
                    mine = self._making[key] = Future[Rendered]()
                    break
            # Another thread is making it; it may be for an earlier moment, so look again.
            making.result()
        try:
            made, part = self._published(key, now_us)
            step = self._step(key, made)
        except BaseException as error:
            with self._lock:
                del self._making[key]
            mine.set_exception(error)
            raise
        with self._lock:
            self._note(key, step)
            self._good.put(key, made)
            if part and not self._closed:
                self._provers.submit(self._vouch, key, made, now_us)
            self._unproved.drop(key)
            del self._making[key]
        mine.set_result(made)
        return made

    def delta(
        self, found: Rendered, audiences: Iterable[int], since: str, whose: Whose = ANYBODY
    ) -> Delta | None:
        """What changed since a cursor, up to a version; None when that is not known.

        Args:
            found: the version to come to, as `ready` or `version` gave it.
            audiences: the viewer's, as for that version.
            since: the cursor that came with the version that the asker has.
            whose: as for that version.
        """
        with self._lock:
            key = self._key(found.feed, audiences, whose)
            history = self._histories.get(key)
            good = self._good.get(key)
            if good is not found:
                return None
            step = history.since(since) if history else None
        if step is None and since == found.cursor:
            step = _step(found, (), ())
        if step is None:
            return None
        digest = found.file.tree_digest
        return Delta(
            feed=found.feed,
            since=since,
            cursor=found.cursor,
            etag=found.etag,
            digest=digest,
            signature=self._maker.signed(found.feed, found.cursor, digest),
            items=found.items,
            head_lines=step.head_lines,
            tail_lines=step.tail_lines,
            head=tuple(found.file.head.decode().split("\n")[:-1]),
            tail=tuple(found.file.tail.decode().split("\n")[:-1]),
            added=step.added,
            removed=step.removed,
            end=self._maker.named(found.feed)[0].end,
        )

    def refusal(
        self,
        feed: str,
        observable: Observable,
        audiences: Iterable[int] = (),
        now_us: int = 0,
        whose: Whose = ANYBODY,
    ) -> tuple[str, str] | None:
        """How a feed would treat a value: None when it carries it.

        Otherwise (`held`, `alert`, `shadow` or `not-expressed`, the reason).

        Raises:
            Refused: `not-found` for a name that is no feed.
        """
        return self._maker.refusal(feed, self.judged(feed, observable, audiences, now_us, whose))

    def judged(
        self,
        feed: str,
        observable: Observable,
        audiences: Iterable[int],
        now_us: int,
        whose: Whose = ANYBODY,
    ) -> Item:
        """A value with what becomes of it, in the world of a feed: the real one or exercises'.

        Raises:
            Refused: `not-found` for a name that is no feed.
        """
        _, exercise = self._maker.named(feed)
        rights = self._rights(audiences, exercise=exercise)
        return self._maker.judged(observable, rights, now_us, exercise=exercise, whose=whose)

    def sees(
        self, observable: Observable, audiences: Iterable[int], now_us: int, *, exercise: bool
    ) -> bool:
        """Whether feeds of these audiences may tell of a value now."""
        rights = self._rights(audiences, exercise=exercise)
        return self._active.named(observable, rights, now_us, exercise=exercise) is not None

    def treats(self, feed: str, item: Item) -> tuple[str, str] | None:
        """As `refusal`, of an item that was judged."""
        return self._maker.refusal(feed, item)

    def blocked(
        self,
        feed: str,
        object_id: str,
        audiences: Iterable[int],
        now_us: int,
        whose: Whose = ANYBODY,
    ) -> tuple[str, ...]:
        """The values that a feed carries for these audiences because of one object, sorted.

        Raises:
            Refused: `not-found` for a name that is no feed.
        """
        self._maker.named(feed)
        return self.carried(object_id, audiences, now_us, whose).get(feed, ())

    def carried(
        self,
        object_id: str,
        audiences: Iterable[int],
        now_us: int,
        whose: Whose = ANYBODY,
    ) -> dict[str, tuple[str, ...]]:
        """The feeds that carry values because of one object, with these values, sorted."""
        audiences = tuple(audiences)
        found: dict[str, tuple[str, ...]] = {}
        for exercise in (False, True):
            rights = self._rights(audiences, exercise=exercise)
            items = {
                item
                for standing in self._active.items_of(object_id, rights)
                if standing.exercise == exercise and standing.holds(now_us)
                for item in standing.items
            }
            judged = [
                self._maker.judged(item, rights, now_us, exercise=exercise, whose=whose)
                for item in items
            ]
            prefix = EXERCISE_PREFIX if exercise else ""
            for feed in sorted(prefix + name for name in self._maker.formats) if items else ():
                found[feed] = tuple(
                    sorted(item.value for item in judged if self.treats(feed, item) is None)
                )
        return {feed: values for feed, values in found.items() if values}

    def listing(
        self, audiences: Iterable[int], now_us: int, whose: Whose = ANYBODY
    ) -> list[dict[str, Any]]:
        """Every feed as these audiences see it, in the shape of `feed --list --json`.

        Asks no engine: what was not examined yet is not verified.
        """
        audiences = tuple(audiences)
        return [
            self._row(self._listed(self._key(feed, audiences, whose), now_us))
            for feed in self.feeds
        ]

    def prove(
        self, audiences: Iterable[int], now_us: Callable[[], int], whose: Whose = ANYBODY
    ) -> None:
        """Have the engines asked, one after the other, about what was not examined yet."""
        audiences = tuple(audiences)
        at_us = now_us()
        for feed in self.feeds:
            key = self._key(feed, audiences, whose)
            with self._lock:
                known = key in self._proving or self._current(self._good, key, at_us)
                if known or self._closed:
                    continue
                self._proving.add(key)
            self._provers.submit(self._prove, key, now_us)

    def close(self) -> None:
        """Stop making versions, and wait for those that are being made."""
        with self._lock:
            self._closed = True
        self._maker.close()
        self._provers.shutdown(wait=True, cancel_futures=True)

    def _prove(self, key: Key, now_us: Callable[[], int]) -> None:
        try:
            self.version(key.feed, key.rights, now_us(), key.whose)
        except BayanihanError as error:
            logger.warning("%s could not be made: %s", key.feed, error)
        except Exception:  # nobody waits for what this thread does
            logger.exception("%s could not be made", key.feed)
        finally:
            with self._lock:
                self._proving.discard(key)

    def _row(self, found: Rendered) -> dict[str, Any]:
        return {
            "feed": found.feed,
            "engine": self._maker.named(found.feed)[0].engine,
            "verified": found.verified,
            "checked": found.checked,
            "items": found.items,
            "size_bytes": found.size_bytes,
            "held": msgspec.to_builtins(found.held),
            "held_total": found.held_total,
            "not_expressed": msgspec.to_builtins(found.not_expressed),
            "not_expressed_total": found.not_expressed_total,
        }

    def _listed(self, key: Key, now_us: int) -> Rendered:
        with self._lock:
            found = self._current(self._good, key, now_us)
            found = found or self._current(self._unproved, key, now_us)
        if found is None:
            found = self._maker.unproved(key, now_us)
            with self._lock:
                self._unproved.put(key, found)
        return found

    def _key(self, feed: str, audiences: Iterable[int], whose: Whose) -> Key:
        _, exercise = self._maker.named(feed)
        return Key(feed, self._rights(audiences, exercise=exercise), whose)

    def _rights(self, audiences: Iterable[int], *, exercise: bool) -> tuple[int, ...]:
        known = self._active.known(audiences, exercise=exercise)
        return tuple([each for each in known if self._maker.level_of(each) != "red"])

    def _current(self, shelf: Shelf, key: Key, now_us: int) -> Rendered | None:
        found = shelf.get(key)
        if found is None or not found.boundary_us <= now_us < found.next_change_us:
            return None
        # The fold may commit before it tells, so what is kept may be ahead of it.
        _, exercise = self._maker.named(key[0])
        if found.position < self._active.changed(key[1], exercise=exercise):
            return None
        if found.asked != self._maker.asked:
            return None
        return found

    def _step(self, key: Key, made: Rendered) -> Step | None:
        """What changed from the version before; None where that cannot be told."""
        with self._lock:
            before = self._good.get(key)
        if before is None:
            return None
        return _step(before, *changes(before.file, made.file))

    def _note(self, key: Key, step: Step | None) -> None:
        """Remember what changed from the version before."""
        if step is None:
            self._histories.pop(key, None)
            return
        self._histories.setdefault(key, History()).note(step)
        for old in self._histories.keys() - self._good.keys():
            del self._histories[old]

    def _vouch(self, key: Key, made: Rendered, now_us: int) -> None:
        """Ask the engine about the whole of a version of which it took what changed."""
        with self._lock:
            if self._closed or self._good.get(key) is not made:
                return
        try:
            vouched = self._maker.vouched(key, made, now_us)
        except BayanihanError as error:
            logger.warning("%s could not be examined: %s", key.feed, error)
            return
        except Exception:  # nobody waits for what this thread does
            logger.exception("%s could not be examined", key.feed)
            return
        with self._lock:
            if self._good.get(key) is not made:
                return
            if vouched is None:
                # What the engine refuses is known now, and the next version is without it.
                self._good.drop(key)
                self._histories.pop(key, None)
            else:
                self._good.put(key, vouched)

    def _published(self, key: Key, now_us: int) -> tuple[Rendered, bool]:
        """A version that the engine takes, or the last good one. See `Maker.published`."""
        with self._lock:
            kept = self._good.get(key)
        _, exercise = self._maker.named(key[0])
        stand = self._active.changed(key[1], exercise=exercise)
        asked, until_us = self._refused.get(key, (-1, 0))
        if kept is not None and asked == stand and now_us < until_us:
            return kept, False
        try:
            return self._maker.published(key, now_us)
        except Unavailable as error:
            if kept is None or error.code != "feed-refused":
                raise
            self._refused[key] = (stand, now_us + ASK_AGAIN_US)
            why = f"an older version: {error.message}"
            return msgspec.structs.replace(kept, checked=why), False


def _step(before: Rendered, added: Iterable[bytes], removed: Iterable[bytes]) -> Step:
    return Step(
        before.cursor,
        before.file.head.count(b"\n"),
        before.file.tail.count(b"\n"),
        tuple([line.decode() for line in added]),
        tuple([line.decode() for line in removed]),
    )
