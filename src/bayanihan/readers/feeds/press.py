"""The press: turns the active set into versions of feeds, each made once and kept.

A version is a pure function of (position, now, rights, policy): the audiences that the
viewer sees, where these last changed, the moment, and the never-block rules. It is kept
until its position or the time moves on, so most requests find it ready. Before a version is
published the engine that will load it is asked; while it is asked, the last good version is
served.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec

from bayanihan.core import feed_delta
from bayanihan.core.feed_delta import Delta
from bayanihan.core.marking import strictest
from bayanihan.core.never_block import NeverBlock
from bayanihan.core.observables import Observable
from bayanihan.core.signing import to_text
from bayanihan.errors import BayanihanError, Refused, Unavailable
from bayanihan.readers.active import Active
from bayanihan.readers.feeds.draft import Draft, drafted
from bayanihan.readers.feeds.format import EXERCISE_PREFIX, Format, why_not
from bayanihan.readers.feeds.gate import Sifted, Verdict, sift
from bayanihan.readers.feeds.history import History, Step
from bayanihan.readers.feeds.shelf import Key, Shelf
from bayanihan.readers.feeds.version import Rendered

logger = logging.getLogger(__name__)

Examine = Callable[[str, Mapping[str, bytes]], Verdict]


def _nobody(name: str, files: Mapping[str, bytes]) -> Verdict:
    return Verdict("unable", "engines are turned off")


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
        hub: the hub's name.
        examine: asks the engine of a format about the files of a version; may take long.
        sign: the hub's signature over some bytes; None where versions are not signed.
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
        hub: str = "bayanihan",
        examine: Examine = _nobody,
        sign: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._active = active
        self._formats = dict(formats)
        self._never_block = never_block
        self._policy = policy
        self._find_level = level_of
        self._levels: dict[int, str] = {}
        self._seal = seal
        self._secret = secret
        self._hub = hub
        self._examine = examine
        self._sign = sign
        self._lock = threading.Lock()
        self._good = Shelf()
        self._unproved = Shelf()
        self._histories: dict[Key, History] = {}
        self._making: dict[Key, Future[Rendered]] = {}
        self._provers = ThreadPoolExecutor(1, thread_name_prefix="prove")
        self._proving: set[Key] = set()
        self._drafting = 0
        self._closed = False
        self._rest = threading.Condition(self._lock)
        # What an engine refused once, by format: (type, value) -> what it said.
        self._poison: dict[str, dict[tuple[str, str], str]] = {}

    @property
    def feeds(self) -> list[str]:
        """Every name that is served, the exercise's last."""
        names = sorted(self._formats)
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

    def ready(self, feed: str, audiences: Iterable[int], now_us: int) -> Rendered | None:
        """The present version, if it is made and examined already. Never blocks for long.

        Raises:
            Refused: `not-found` for a name that is no feed.
        """
        key = self._key(feed, audiences)
        with self._lock:
            return self._current(self._good, key, now_us)

    def last_good(self, feed: str, audiences: Iterable[int], now_us: int) -> Rendered | None:
        """The last version that was published and from which time alone took nothing since."""
        key = self._key(feed, audiences)
        with self._lock:
            found = self._good.get(key)
        if found is None or not found.boundary_us <= now_us < found.next_change_us:
            return None
        return found

    def version(self, feed: str, audiences: Iterable[int], now_us: int) -> Rendered:
        """The present version, made and examined now if need be: for a worker thread.

        Args:
            feed: a name of `feeds`.
            audiences: what the viewer may see, as `Ledger.rights` gives it. RED is left out:
                it is for the persons named, never for a feed.
            now_us: UTC microseconds.

        Raises:
            Refused: `not-found` for a name that is no feed.
            Unavailable: `feed-refused` when the engine takes no version of it, and there is
                no good one from before.
        """
        key = self._key(feed, audiences)
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
            made = self._published(key, now_us)
        except BaseException as error:
            with self._lock:
                del self._making[key]
            mine.set_exception(error)
            raise
        with self._lock:
            self._note(key, made)
            self._good.put(key, made)
            self._unproved.drop(key)
            del self._making[key]
        mine.set_result(made)
        return made

    def delta(self, found: Rendered, audiences: Iterable[int], since: str) -> Delta | None:
        """What changed since a cursor, up to a version; None when that is not known.

        Args:
            found: the version to come to, as `ready` or `version` gave it.
            audiences: the viewer's, as for that version.
            since: the cursor that came with the version that the asker has.
        """
        if found.parts is None:
            return None
        with self._lock:
            history = self._histories.get(self._key(found.feed, audiences))
            good = self._good.get(self._key(found.feed, audiences))
            if good is not found:
                return None
            step = history.since(since) if history else None
        if step is None and since == found.cursor:
            step = Step(since, found.head_lines, found.tail_lines, (), ())
        if step is None:
            return None
        digest = found.parts.digest
        return Delta(
            feed=found.feed,
            since=since,
            cursor=found.cursor,
            etag=found.etag,
            digest=digest,
            signature=self._signed(found.feed, found.cursor, digest),
            items=found.items,
            head_lines=step.head_lines,
            tail_lines=step.tail_lines,
            head=tuple(found.parts.head.decode().split("\n")[:-1]),
            tail=tuple(found.parts.tail.decode().split("\n")[:-1]),
            added=step.added,
            removed=step.removed,
        )

    def refusal(self, feed: str, observable: Observable) -> tuple[str, str] | None:
        """How a feed would treat a value: None when it carries it.

        Otherwise (`held` or `not-expressed`, the reason).

        Raises:
            Refused: `not-found` for a name that is no feed.
        """
        format_, exercise = self._named(feed)
        if observable.type not in format_.types:
            return "not-expressed", why_not(observable.type, format_.types)
        reason = self._never_block.reason(observable, exercise=exercise)
        poison = self._poison.get(format_.name)
        if reason is None and poison:
            reason = poison.get((observable.type, observable.value))
        if reason is not None:
            return "held", reason
        reason = format_.refusal(observable)
        return None if reason is None else ("not-expressed", reason)

    def blocked(
        self, feed: str, object_id: str, audiences: Iterable[int], now_us: int
    ) -> tuple[str, ...]:
        """The values that a feed carries for these audiences because of one object, sorted.

        Raises:
            Refused: `not-found` for a name that is no feed.
        """
        self._named(feed)
        return self.carried(object_id, audiences, now_us).get(feed, ())

    def carried(
        self, object_id: str, audiences: Iterable[int], now_us: int
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
            prefix = EXERCISE_PREFIX if exercise else ""
            for feed in sorted(prefix + name for name in self._formats) if items else ():
                found[feed] = tuple(
                    sorted(item.value for item in items if self.refusal(feed, item) is None)
                )
        return {feed: values for feed, values in found.items() if values}

    def listing(self, audiences: Iterable[int], now_us: int) -> list[dict[str, Any]]:
        """Every feed as these audiences see it, in the shape of `feed --list --json`.

        Asks no engine: what was not examined yet is not verified.
        """
        audiences = tuple(audiences)
        return [self._row(self._listed(feed, audiences, now_us)) for feed in self.feeds]

    def prove(self, audiences: Iterable[int], now_us: Callable[[], int]) -> None:
        """Have the engines asked, one after the other, about what was not examined yet."""
        audiences = tuple(audiences)
        at_us = now_us()
        for feed in self.feeds:
            key = self._key(feed, audiences)
            with self._lock:
                known = key in self._proving or self._current(self._good, key, at_us)
                if known or self._closed:
                    continue
                self._proving.add(key)
            self._provers.submit(self._prove, key, now_us)

    def close(self) -> None:
        """Stop making versions, and wait for those that are being made."""
        with self._rest:
            self._closed = True
            self._rest.wait_for(lambda: not self._drafting)
        self._provers.shutdown(wait=True, cancel_futures=True)

    def _prove(self, key: Key, now_us: Callable[[], int]) -> None:
        try:
            self.version(*key, now_us())
        except BayanihanError as error:
            logger.warning("%s could not be made: %s", key[0], error)
        finally:
            with self._lock:
                self._proving.discard(key)

    def _row(self, found: Rendered) -> dict[str, Any]:
        return {
            "feed": found.feed,
            "engine": self._named(found.feed)[0].engine,
            "verified": found.verified,
            "checked": found.checked,
            "items": found.items,
            "size_bytes": len(found.body) + sum(map(len, found.pages.values())),
            "held": msgspec.to_builtins(found.held),
            "held_total": found.held_total,
            "not_expressed": msgspec.to_builtins(found.not_expressed),
            "not_expressed_total": found.not_expressed_total,
        }

    def _listed(self, feed: str, audiences: tuple[int, ...], now_us: int) -> Rendered:
        key = self._key(feed, audiences)
        with self._lock:
            found = self._current(self._good, key, now_us)
            found = found or self._current(self._unproved, key, now_us)
        if found is None:
            found = self._rendered(self._draft(key, now_us), Verdict("unable", "not asked yet"))
            with self._lock:
                self._unproved.put(key, found)
        return found

    def _named(self, feed: str) -> tuple[Format, bool]:
        exercise = feed.startswith(EXERCISE_PREFIX)
        format_ = self._formats.get(feed.removeprefix(EXERCISE_PREFIX))
        if format_ is None:
            raise Refused("not-found", "There is no such feed", where="feed")
        return format_, exercise

    def _key(self, feed: str, audiences: Iterable[int]) -> Key:
        _, exercise = self._named(feed)
        return feed, self._rights(audiences, exercise=exercise)

    def _rights(self, audiences: Iterable[int], *, exercise: bool) -> tuple[int, ...]:
        known = self._active.known(audiences, exercise=exercise)
        return tuple([each for each in known if self._level_of(each) != "red"])

    def _level_of(self, audience: int) -> str:
        """The level of an audience, which never changes."""
        level = self._levels.get(audience)
        if level is None:
            level = self._levels[audience] = self._find_level(audience)
        return level

    def _strictest(self, audiences: Iterable[int]) -> str:
        return strictest([self._level_of(each) for each in audiences] or ["clear"])

    def _current(self, shelf: Shelf, key: Key, now_us: int) -> Rendered | None:
        found = shelf.get(key)
        if found is None or not found.boundary_us <= now_us < found.next_change_us:
            return None
        # The fold may commit before it tells, so what is kept may be ahead of it.
        _, exercise = self._named(key[0])
        if found.position < self._active.changed(key[1], exercise=exercise):
            return None
        return found

    def _note(self, key: Key, made: Rendered) -> None:
        """Remember what changed from the version before."""
        before = self._good.get(key)
        if before is None or before.parts is None or made.parts is None:
            self._histories.pop(key, None)
            return
        added, removed = feed_delta.changes(before.parts, made.parts)
        step = Step(
            before.cursor, before.head_lines, before.tail_lines, tuple(added), tuple(removed)
        )
        self._histories.setdefault(key, History()).note(step)
        for old in self._histories.keys() - self._good.keys():
            del self._histories[old]

    def _published(self, key: Key, now_us: int) -> Rendered:
        """A version that the engine takes, or the last good one."""
        format_, _ = self._named(key[0])
        draft = self._draft(key, now_us)
        verdict = self._asked(format_, draft)
        if verdict.word != "refused":
            return self._rendered(draft, verdict)
        sifted = sift(draft.items, lambda items: self._asked(format_, draft.only(items)))
        self._remember(format_, sifted)
        draft = self._draft(key, now_us)
        verdict = self._asked(format_, draft)
        if verdict.word != "refused":
            return self._rendered(draft, verdict)
        with self._lock:
            kept = self._good.get(key)
        if kept is None:
            why = verdict.why[:300]
            message = f"{format_.engine} takes no version of {key[0]}: {why}"
            raise Unavailable("feed-refused", message, where=key[0])
        return msgspec.structs.replace(
            kept,
            checked=f"an older version: {format_.engine} refused the newest: {verdict.why[:300]}",
        )

    def _remember(self, format_: Format, sifted: Sifted) -> None:
        known = dict(self._poison.get(format_.name, {}))
        for item, why in sifted.poison:
            known[item.type, item.value] = f"{format_.engine} refuses it: {why[:300]}"
        self._poison[format_.name] = known

    def _asked(self, format_: Format, draft: Draft) -> Verdict:
        if format_.check is not None:
            why = format_.check(draft.body)
            if why is not None:
                return Verdict("refused", why)
        return self._examine(format_.name, {format_.name: draft.body, **draft.pages})

    def _draft(self, key: Key, now_us: int) -> Draft:
        with self._lock:
            if self._closed:
                raise Unavailable("stopping", "The hub is stopping", retry_after_s=5)
            self._drafting += 1
        try:
            return self._drafted(key, now_us)
        finally:
            with self._rest:
                self._drafting -= 1
                self._rest.notify_all()

    def _drafted(self, key: Key, now_us: int) -> Draft:
        feed, rights = key
        format_, exercise = self._named(feed)
        poison = self._poison.get(format_.name, {})
        with self._active.view(rights, now_us, exercise=exercise) as view:
            return drafted(
                format_,
                view,
                never_block=self._never_block,
                exercise=exercise,
                level_of=self._strictest,
                poison=poison,
                feed=feed,
                hub=self._hub,
                cursor=self._seal(view.position),
                tag=self._tag((key, view.position, view.boundary_us, sorted(poison))),
            )

    def _rendered(self, draft: Draft, verdict: Verdict) -> Rendered:
        format_, _ = self._named(draft.heading.feed)
        digest = hashlib.sha256(draft.body).hexdigest()
        accepted = verdict.word == "accepted"
        heading, cursor = draft.heading, draft.heading.cursor
        return Rendered(
            feed=heading.feed,
            body=draft.body,
            media_type=format_.media_type,
            digest=digest,
            etag=heading.version,
            cursor=cursor,
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
            verified=accepted,
            checked=f"{format_.engine} loaded it" if accepted else f"not verified: {verdict.why}",
            signature=self._signed(heading.feed, cursor, f"sha-256={digest}"),
            pages=draft.pages,
            parts=draft.parts,
            head_lines=draft.head_lines,
            tail_lines=draft.tail_lines,
        )

    def _signed(self, feed: str, cursor: str, digest: str) -> str:
        if self._sign is None:
            return ""
        return to_text(self._sign(feed_delta.signed_text(feed, cursor, digest)))

    def _tag(self, what: tuple[Any, ...]) -> str:
        """An opaque name for (feed, rights, position, moment, policy); 32 characters."""
        text = repr((what, self._policy)).encode()
        tag = hmac.digest(self._secret, text, "sha256")[:24]
        return base64.urlsafe_b64encode(tag).decode()
