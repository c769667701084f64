"""The press: turns the active set into versions of feeds, each made once and kept.

A version is a pure function of (position, now, rights, policy): the audiences that the
viewer sees, where these last changed, the moment, and the never-block rules. It is kept
until its position or the time moves on, so most requests find it ready.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

import msgspec

from bayanihan.core.marking import strictest
from bayanihan.core.never_block import NeverBlock
from bayanihan.core.observables import Observable
from bayanihan.errors import Refused
from bayanihan.readers.active import Active, View
from bayanihan.readers.feeds.format import EXERCISE_PREFIX, Format, Heading, why_not
from bayanihan.readers.feeds.parted import LeftOut, Parted

KEPT_LIMIT = 256
KEPT_LIMIT_BYTES = 256 * 1024 * 1024


class Rendered(msgspec.Struct, frozen=True):
    """One version of a feed for one class of rights.

    `digest` is the SHA-256 of `body` in hexadecimal, `etag` the entity tag without quotes
    and the `version` that the body names, `cursor` the sealed `position`. `held` and
    `not_expressed` are the first `LISTED_LIMIT`; their totals count all.
    """

    feed: str
    body: bytes
    media_type: str
    digest: str
    etag: str
    cursor: str
    level: str
    position: int
    changed_us: int
    boundary_us: int
    next_change_us: int
    items: int
    held: tuple[LeftOut, ...]
    held_total: int
    not_expressed: tuple[LeftOut, ...]
    not_expressed_total: int


class Press:
    """Makes and keeps versions. Safe to call from several threads.

    Args:
        active: the active set.
        formats: by name; each is served under its name and under `exercise-` and its name.
        never_block: what may not be blocked, whoever asks.
        policy: names these rules and this software, see `policy_digest`.
        level_of: the TLP level of an audience id.
        seal: the cursor of a position, as `Cursors.seal`.
        secret: 32 bytes that never leave the hub, the key of the entity tags.
    """

    def __init__(
        self,
        active: Active,
        formats: Mapping[str, Format],
        *,
        never_block: NeverBlock,
        policy: str,
        level_of: Callable[[int], str],
        seal: Callable[[int], str],
        secret: bytes,
    ) -> None:
        self._active = active
        self._formats = dict(formats)
        self._never_block = never_block
        self._policy = policy
        self._find_level = level_of
        self._levels: dict[int, str] = {}
        self._seal = seal
        self._secret = secret
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, tuple[int, ...]], Rendered] = OrderedDict()
        self._kept_bytes = 0
        self._making: dict[tuple[str, tuple[int, ...]], Future[Rendered]] = {}

    @property
    def feeds(self) -> list[str]:
        """Every name that is served, the exercise's last."""
        names = sorted(self._formats)
        return [*names, *[EXERCISE_PREFIX + name for name in names]]

    def ready(self, feed: str, audiences: Iterable[int], now_us: int) -> Rendered | None:
        """The present version, if it is made already. Never blocks for long.

        Raises:
            Refused: `not-found` for a name that is no feed.
        """
        _, exercise = self._named(feed)
        rights = self._rights(audiences, exercise=exercise)
        with self._lock:
            return self._current((feed, rights), now_us, exercise=exercise)

    def version(self, feed: str, audiences: Iterable[int], now_us: int) -> Rendered:
        """The present version, made now if need be: for a worker thread.

        Args:
            feed: a name of `feeds`.
            audiences: what the viewer may see, as `Ledger.rights` gives it. RED is left out:
                it is for the persons named, never for a feed.
            now_us: UTC microseconds.

        Raises:
            Refused: `not-found` for a name that is no feed.
        """
        format_, exercise = self._named(feed)
        rights = self._rights(audiences, exercise=exercise)
        key = (feed, rights)
        while True:
            with self._lock:
                found = self._current(key, now_us, exercise=exercise)
                if found is not None:
                    return found
                making = self._making.get(key)
                if making is None:
                    mine = self._making[key] = Future[Rendered]()
                    break
            # Another thread is making it; it may be for an earlier moment, so look again.
            making.result()
        try:
            made = self._make(feed, format_, rights, now_us, exercise=exercise)
        except BaseException as error:
            with self._lock:
                del self._making[key]
            mine.set_exception(error)
            raise
        with self._lock:
            self._keep(key, made)
            del self._making[key]
        mine.set_result(made)
        return made

    def refusal(self, feed: str, observable: Observable) -> tuple[str, str] | None:
        """How a feed would treat a value: None when it blocks it.

        Otherwise (`held` or `not-expressed`, the reason).

        Raises:
            Refused: `not-found` for a name that is no feed.
        """
        format_, exercise = self._named(feed)
        if observable.type not in format_.types:
            return "not-expressed", why_not(observable.type, format_.types)
        reason = self._never_block.reason(observable, exercise=exercise)
        if reason is not None:
            return "held", reason
        reason = format_.refusal(observable)
        return None if reason is None else ("not-expressed", reason)

    def blocked(
        self, feed: str, object_id: str, audiences: Iterable[int], now_us: int
    ) -> tuple[str, ...]:
        """The values that a feed blocks for these audiences because of one object, sorted.

        Raises:
            Refused: `not-found` for a name that is no feed.
        """
        _, exercise = self._named(feed)
        rights = self._rights(audiences, exercise=exercise)
        values = {
            item.value
            for standing in self._active.items_of(object_id, rights)
            if standing.exercise == exercise and standing.holds(now_us)
            for item in standing.items
            if self.refusal(feed, item) is None
        }
        return tuple(sorted(values))

    def listing(self, audiences: Iterable[int], now_us: int) -> list[dict[str, Any]]:
        """Every feed as these audiences see it, in the shape of `feed --list --json`."""
        audiences = tuple(audiences)
        rows = []
        for feed in self.feeds:
            found = self.version(feed, audiences, now_us)
            rows.append(
                {
                    "feed": feed,
                    "engine": self._named(feed)[0].engine,
                    "verified": False,
                    "items": found.items,
                    "size_bytes": len(found.body),
                    "held": msgspec.to_builtins(found.held),
                    "held_total": found.held_total,
                    "not_expressed": msgspec.to_builtins(found.not_expressed),
                    "not_expressed_total": found.not_expressed_total,
                }
            )
        return rows

    def _named(self, feed: str) -> tuple[Format, bool]:
        exercise = feed.startswith(EXERCISE_PREFIX)
        format_ = self._formats.get(feed.removeprefix(EXERCISE_PREFIX))
        if format_ is None:
            raise Refused("not-found", "There is no such feed", where="feed")
        return format_, exercise

    def _rights(self, audiences: Iterable[int], *, exercise: bool) -> tuple[int, ...]:
        known = self._active.known(audiences, exercise=exercise)
        return tuple([each for each in known if self._level_of(each) != "red"])

    def _level_of(self, audience: int) -> str:
        """The level of an audience, which never changes."""
        level = self._levels.get(audience)
        if level is None:
            level = self._levels[audience] = self._find_level(audience)
        return level

    def _current(
        self, key: tuple[str, tuple[int, ...]], now_us: int, *, exercise: bool
    ) -> Rendered | None:
        found = self._kept.get(key)
        if found is None or not found.boundary_us <= now_us < found.next_change_us:
            return None
        # The fold may commit before it tells, so what is kept may be ahead of it.
        if found.position < self._active.changed(key[1], exercise=exercise):
            return None
        self._kept.move_to_end(key)
        return found

    def _keep(self, key: tuple[str, tuple[int, ...]], made: Rendered) -> None:
        before = self._kept.pop(key, None)
        self._kept_bytes += len(made.body) - (len(before.body) if before else 0)
        self._kept[key] = made
        while len(self._kept) > 1 and (
            len(self._kept) > KEPT_LIMIT or self._kept_bytes > KEPT_LIMIT_BYTES
        ):
            _, dropped = self._kept.popitem(last=False)
            self._kept_bytes -= len(dropped.body)

    def _make(
        self, feed: str, format_: Format, rights: tuple[int, ...], now_us: int, *, exercise: bool
    ) -> Rendered:
        parts = Parted(format_, self._never_block, exercise=exercise)
        with self._active.view(rights, now_us, exercise=exercise) as view:
            parts.take(view)
        heading = Heading(
            feed=feed,
            exercise=exercise,
            level=strictest([self._level_of(each) for each in parts.audiences] or ["clear"]),
            cursor=self._seal(view.position),
            version=self._tag(feed, rights, view),
            changed_us=view.changed_us,
            items=len(parts.inside),
            held=parts.held_total,
            not_expressed=parts.not_expressed_total,
        )
        body = format_.render(parts.inside, heading)
        return Rendered(
            feed=feed,
            body=body,
            media_type=format_.media_type,
            digest=hashlib.sha256(body).hexdigest(),
            etag=heading.version,
            cursor=heading.cursor,
            level=heading.level,
            position=view.position,
            changed_us=view.changed_us,
            boundary_us=view.boundary_us,
            next_change_us=view.next_change_us,
            items=heading.items,
            held=tuple(parts.held),
            held_total=parts.held_total,
            not_expressed=tuple(parts.not_expressed),
            not_expressed_total=parts.not_expressed_total,
        )

    def _tag(self, feed: str, rights: tuple[int, ...], view: View) -> str:
        """An opaque name for (feed, rights, position, moment, policy); 32 characters."""
        text = repr((feed, rights, view.position, view.boundary_us, self._policy)).encode()
        tag = hmac.digest(self._secret, text, "sha256")[:24]
        return base64.urlsafe_b64encode(tag).decode()
