"""Written consents: which member serves another as its named proxy, and from when until when."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from bayanihan.registry.changes import ConsentEnded, ConsentGiven, MemberLeft


class Consent(msgspec.Struct, frozen=True):
    """That `proxy` serves `member`. Times are in microseconds; `ended_us` 0: not before `until_us`.

    `title`, `signed` and `sha256` name the paper; `by` recorded it, `ended_by` ended it.
    """

    member: str
    proxy: str
    title: str
    signed: str
    sha256: str
    since_us: int
    until_us: int
    by: str
    ended_us: int = 0
    ended_by: str = ""

    @property
    def over_us(self) -> int:
        """When it ended, or will by itself."""
        return min(self.ended_us or self.until_us, self.until_us)

    def holds(self, now_us: int) -> bool:
        """Whether it is in force."""
        return self.since_us <= now_us < self.over_us


class Consents:
    """All consents, by the member that gave them. Read from any thread; the registry changes it."""

    def __init__(self) -> None:
        self._given: dict[str, tuple[Consent, ...]] = {}
        # Members that are taking their affairs back at this moment.
        self.ending: frozenset[str] = frozenset()

    def apply(self, change: ConsentGiven | ConsentEnded | MemberLeft) -> None:
        """Take a change in. Whoever leaves serves nobody and is served by nobody."""
        if isinstance(change, ConsentGiven):
            given = Consent(
                change.code,
                change.proxy,
                change.title,
                change.signed,
                change.sha256,
                change.since_us,
                change.until_us,
                change.by,
            )
            if not self._is_free(given, change.at_us):
                return  # of two at the same moment the first in the record holds
            self._given[change.code] = (*self.of(change.code), given)
            return
        left, by = isinstance(change, MemberLeft), getattr(change, "by", "HUB")
        for code, given_ in self._given.items():
            self._given[code] = tuple(
                replace(each, ended_us=change.at_us, ended_by=by)
                if not each.ended_us
                and each.until_us > change.at_us
                and (code == change.code or (left and each.proxy == change.code))
                else each
                for each in given_
            )

    def _is_free(self, given: Consent, now_us: int) -> bool:
        return not any(
            each.member == given.proxy
            or each.proxy == given.member
            or (
                each.member == given.member
                and each.since_us < given.until_us
                and given.since_us < each.over_us
            )
            for each in self.standing(now_us)
        )

    def of(self, code: str) -> tuple[Consent, ...]:
        """A member's consents, the latest last."""
        return self._given.get(code, ())

    def standing(self, now_us: int) -> list[Consent]:
        """All that hold, or will: whatever is not over."""
        every = (each for given in self._given.values() for each in given)
        return [each for each in every if each.over_us > now_us]

    def holding(self, code: str, now_us: int) -> Consent | None:
        """The consent of a member that is in force, or None."""
        return next((each for each in self.of(code) if each.holds(now_us)), None)
