"""The one rule that says what a feed does with a value, and why.

Four modes, from the strongest to the weakest:

* `block`: engines stop it;
* `alert`: it is in the feeds that can say "tell somebody", and in no other;
* `shadow`: it is listed, and no engine acts on it;
* `held`: it is kept out on purpose.

A value may block when somebody answers for it: an accountable source that does not itself
doubt it, `members_needed` member states that named it independently, or a person who
confirmed it. What then speaks against it takes it down again, and nothing takes it up:
a wrong block is worse than none. Times are part of the answer, so that nobody has to watch a
clock: a decision says since when it holds and until when.

Source: STIX 2.1 appendix A (confidence: below 30 is "low", 70 and above is "high").
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bayanihan.core import moment
from bayanihan.core.marking import house_of
from bayanihan.errors import Refused

MODES = ("block", "alert", "shadow", "held")
FOREVER_US = (1 << 63) - 1

# Who loads a feed. A mail filter loses what nobody then misses; a control network must not
# stop because of a list.
PROFILES = ("office", "mail", "control-network")

UNSTATED = -1
LOW = 30
HIGH = 70

_DAY_US = 86_400_000_000


class Told(msgspec.Struct, frozen=True, gc=False):
    """One telling of a value: by whose origin, how sure, when, and whether they answer for it."""

    origin: str
    accountable: bool
    confidence: int
    stamp_us: int

    @property
    def state(self) -> str:
        """The member state behind the origin; a constituent is no other voice than its member."""
        return self.origin.partition("/")[0]


class Words(msgspec.Struct, frozen=True, gc=False):
    """What people said about a value itself. "" and () where nobody did.

    `confirmed_by` says that it is bad, until `confirmed_until_us`; `reported_by` are the
    origins that call it a false positive since; `claimed_by` is the member whose own it is,
    until `claimed_until_us`; `insisted_by` is the viewer's own member, which blocks it at
    home all the same; `admitted` says that it need not wait though a budget is spent.
    `said_us` is when the last of this was said.
    """

    confirmed_by: str = ""
    confirmed_until_us: int = FOREVER_US
    reported_by: tuple[str, ...] = ()
    claimed_by: str = ""
    claimed_until_us: int = 0
    insisted_by: str = ""
    admitted: bool = False
    said_us: int = 0


NOBODY = Words()


class Case(msgspec.Struct, frozen=True, gc=False):
    """Everything that is known of one value, for one class of viewers.

    `never` is why the hub's own list holds it, `kept_out` why the viewer's member does.
    `dated` says that its author gave an end, so that it does not fade by itself; `seen_us`
    is when it was last seen at work.
    """

    type: str
    told: tuple[Told, ...]
    words: Words = NOBODY
    never: str = ""
    kept_out: str = ""
    dated: bool = False
    seen_us: int = 0


class Bounds(msgspec.Struct, frozen=True):
    """How many voices it takes, and after how many days without news a value fades.

    `fade_days` is by type of value; 0, or a type that is not there, never fades.
    """

    members_needed: int = 2
    reports_needed: int = 2
    fade_days: Mapping[str, int] = {}


class Decision(msgspec.Struct, frozen=True, gc=False):
    """A mode and the reason in a sentence, since a moment and until before another.

    `since_us` is 0 where no clock had a part in it, `until_us` `FOREVER_US` where none will.
    `in_hour` and `in_place` are its numbers for the change budget, 0 where it need not wait.
    """

    mode: str
    reason: str
    since_us: int = 0
    until_us: int = FOREVER_US
    in_hour: int = 0
    in_place: int = 0


def checked_profile(profile: str) -> str:
    """A profile's name, or "" for none. Raises `Refused("bad-parameter")`."""
    if profile and profile not in PROFILES:
        message = f"The profiles are {', '.join(PROFILES)}"
        raise Refused("bad-parameter", message, where="profile")
    return profile


def decide(case: Case, profile: str, now_us: int, bounds: Bounds) -> Decision:
    """What becomes of a value, for consumers of a profile at a moment. Pure."""
    if case.never:
        return Decision("held", case.never)
    if case.kept_out:
        return Decision("held", case.kept_out)
    since_us, until_us = _times(case, now_us, bounds)
    if now_us >= _fades_us(case, bounds):
        days = bounds.fade_days[case.type]
        why = f"It faded: for {days} days nobody told or saw it again."
        return Decision("held", why, since_us, until_us)
    insisted = case.words.insisted_by
    if insisted:
        mode, reason = "block", f"{insisted} blocks it at home."
    else:
        mode, reason = _told(case, now_us, bounds)
    if mode == "block":
        lower = _against(case, profile, now_us, bounds)
        mode, reason = ("alert", lower) if lower else (mode, reason)
    return Decision(mode, reason, since_us, until_us)


def _against(case: Case, profile: str, now_us: int, bounds: Bounds) -> str | None:
    """Why what may block only alerts; None where nothing speaks against it."""
    if profile == "control-network":
        return "A control network blocks nothing by itself."
    if case.words.insisted_by:
        return None
    against = _claimed(case.words, now_us) or _reported(case, bounds)
    if against is None and profile == "mail":
        return _doubted(case, now_us)
    return against


def _fades_us(case: Case, bounds: Bounds) -> int:
    """When it fades: never where a person, or else its author, gave it a time."""
    days = bounds.fade_days.get(case.type, 0)
    if not days or case.dated or case.words.confirmed_by or case.words.insisted_by:
        return FOREVER_US
    last_us = max([case.seen_us, *(each.stamp_us for each in case.told)])
    return last_us + days * _DAY_US


def _times(case: Case, now_us: int, bounds: Bounds) -> tuple[int, int]:
    """The last moment that passed at which the clock may have changed the answer, and the next."""
    moments = [_fades_us(case, bounds), case.words.claimed_until_us, case.words.said_us]
    if case.words.confirmed_by:
        moments.append(case.words.confirmed_until_us)
    passed = [each for each in moments if each <= now_us]
    coming = [each for each in moments if each > now_us]
    return max(passed, default=0), min(coming, default=FOREVER_US)


def _claimed(words: Words, now_us: int) -> str | None:
    if not words.claimed_by or now_us >= words.claimed_until_us:
        return None
    until = moment.render(words.claimed_until_us)
    return f"{words.claimed_by} says it is theirs and looks into it, until {until}."


def _reported(case: Case, bounds: Bounds) -> str | None:
    told = {each.origin for each in case.told}
    own = [each for each in case.words.reported_by if each in told]
    if own:
        return f"{house_of(own[0])}, which told of it, now calls it a false positive."
    states = sorted({house_of(each) for each in case.words.reported_by})
    if len(states) < bounds.reports_needed:
        return None
    return f"{' and '.join(states)} call it a false positive."


def _doubted(case: Case, now_us: int) -> str | None:
    """Why a mail filter waits: one source, which is not highly confident."""
    if _confirmed(case, now_us) or len({each.state for each in case.told}) > 1:
        return None
    stated = [each.confidence for each in case.told if each.confidence != UNSTATED]
    if not stated or max(stated) >= HIGH:
        return None
    return "Mail is lost for good, and its one source is not highly confident."


def _confirmed(case: Case, now_us: int) -> bool:
    return bool(case.words.confirmed_by) and now_us < case.words.confirmed_until_us


def _told(case: Case, now_us: int, bounds: Bounds) -> tuple[str, str]:
    """What it is worth by who told of it."""
    if _confirmed(case, now_us):
        return "block", f"A person at {case.words.confirmed_by} confirmed it."
    # The operator is no member state, so its voice is none of several.
    states = sorted({each.state for each in case.told} - {"HUB"})
    if len(states) >= bounds.members_needed:
        return "block", f"{' and '.join(states)} named it independently."
    sure = max([each.confidence for each in case.told if each.confidence != UNSTATED], default=HIGH)
    if any(each.accountable and not 0 <= each.confidence < LOW for each in case.told):
        return "block", "A source that answers for it named it."
    if sure == 0:
        return "shadow", "Its source has no confidence in it."
    accountable = any(each.accountable for each in case.told)
    if accountable:
        return "alert", f"Its source's confidence is low ({sure} of 100), and nobody confirmed it."
    if sure < LOW:
        return "shadow", f"Nobody answers for it, and its confidence is low ({sure} of 100)."
    return "alert", "No accountable source named it, and nobody confirmed it."
