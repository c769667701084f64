"""Makes versions: drafts them from the active set, and has the engines look at them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from bayanihan.core import feed_delta
from bayanihan.core.marking import strictest
from bayanihan.core.observables import Observable
from bayanihan.core.signing import to_text
from bayanihan.errors import Refused, Unavailable
from bayanihan.readers.active import UNSTATED, Active, ActiveItem, Source
from bayanihan.readers.feeds import grammar
from bayanihan.readers.feeds.draft import Draft, drafted
from bayanihan.readers.feeds.format import EXERCISE_PREFIX, Format, Item, why_not
from bayanihan.readers.feeds.gate import Sifted, Verdict, sift
from bayanihan.readers.feeds.judge import Judge
from bayanihan.readers.feeds.parted import sayable
from bayanihan.readers.feeds.shelf import Key
from bayanihan.readers.feeds.stock import Stock, Store, stocked
from bayanihan.readers.feeds.version import Rendered
from bayanihan.readers.feeds.whose import ANYBODY, Whose

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
        self._stocking = threading.Lock()
        # What an engine refused once, by format: (type, value) -> what it said.
        self._poison: dict[str, dict[tuple[str, str], str]] = {}

    def forget(self) -> None:
        """Make every stock anew."""
        with self._stocking:
            self._stocks = Store()

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
        return Item(observable.type, observable.value, named.ids, mode=found.mode, why=found.reason)

    def _seen(self, rights: tuple[int, ...], *, exercise: bool) -> Callable[[Sequence[str]], int]:
        return partial(self._active.seen, audiences=rights, exercise=exercise)

    def published(self, key: Key, now_us: int) -> Rendered:
        """A version that the engine takes, with what it refuses held.

        Raises:
            Unavailable: `feed-refused` when it takes none, `stopping` when closed.
        """
        format_, _ = self.named(key[0])
        draft = self._draft(key, now_us)
        verdict = self._asked(format_, draft)
        if verdict.word == "refused":
            sifted = sift(draft.items, lambda items: self._asked(format_, draft.only(items)))
            self._remember(format_, sifted)
            draft = self._draft(key, now_us)
            verdict = self._asked(format_, draft)
        if verdict.word == "refused":
            message = f"{format_.engine} takes no version of {key[0]}: {verdict.why[:300]}"
            raise Unavailable("feed-refused", message, where=key[0])
        return self._rendered(draft, verdict)

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

    def _remember(self, format_: Format, sifted: Sifted) -> None:
        known = dict(self._poison.get(format_.name, {}))
        for item, why in sifted.poison:
            known[item.type, item.value] = f"{format_.engine} refuses it: {why[:300]}"
        self._poison[format_.name] = known

    def _asked(self, format_: Format, draft: Draft) -> Verdict:
        check = format_.check or partial(grammar.fault, format_.name)
        why = check(draft.body)
        if why is not None:
            return Verdict("refused", f"our own reader: {why}")
        return self._examine(format_.name, {format_.name: draft.body, **draft.pages})

    def _draft(self, key: Key, now_us: int) -> Draft:
        with self._rest:
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
        feed, rights, whose = key
        format_, exercise = self.named(feed)
        poison = self._poison.get(format_.name, {})
        stock = self._stock(rights, whose, now_us, exercise=exercise)
        return drafted(
            format_,
            stock,
            exercise=exercise,
            poison=poison,
            feed=feed,
            hub=self._hub,
            cursor=self._seal(stock.position),
            tag=self._tag((key, stock.position, stock.boundary_us, sorted(poison))),
        )

    def _stock(
        self, rights: tuple[int, ...], whose: Whose, now_us: int, *, exercise: bool
    ) -> Stock:
        """What these rights may carry now, walked through once for all feeds."""
        key = (rights, whose, exercise)
        with self._stocking:
            found = self._stocks.get(key)
            # The fold may commit before it tells, so what is kept may be ahead of it.
            if (
                found is not None
                and found.boundary_us <= now_us < found.next_change_us
                and found.position >= self._active.changed(rights, exercise=exercise)
            ):
                return found
            with self._active.view(rights, now_us, exercise=exercise) as view:
                judge = partial(
                    self.judge.decision,
                    now_us=now_us,
                    exercise=exercise,
                    whose=whose,
                    seen=self._seen(rights, exercise=exercise),
                )
                made = stocked(view, judge, exercise=exercise, level_of=self._strictest)
            self._stocks.put(key, made)
            return made

    def _rendered(self, draft: Draft, verdict: Verdict) -> Rendered:
        format_, _ = self.named(draft.heading.feed)
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
            signature=self.signed(heading.feed, cursor, f"sha-256={digest}"),
            pages=draft.pages,
            parts=draft.parts,
            head_lines=draft.head_lines,
            tail_lines=draft.tail_lines,
        )

    def _strictest(self, audiences: Iterable[int]) -> str:
        return strictest([self.level_of(each) for each in audiences] or ["clear"])

    def _tag(self, what: tuple[Any, ...]) -> str:
        """An opaque name for (feed, rights, position, moment, policy); 32 characters."""
        text = repr((what, self._policy)).encode()
        tag = hmac.digest(self._secret, text, "sha256")[:24]
        return base64.urlsafe_b64encode(tag).decode()
