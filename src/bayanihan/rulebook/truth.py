"""Three-valued truth, and truth as a function of the date.

A fact that nobody gave is *unknown*, and unknown is never "no" (Kleene's strong logic). Law
begins and ends on days, so what a rule yields is not one truth but a `Timeline`: the truth
on every day, kept as the days on which it changes.

Days are ISO texts (`2026-08-02`): they compare in date order and print as they are.
"""

from __future__ import annotations

from collections.abc import Callable

from bayanihan.errors import Refused

NO, UNKNOWN, YES = 0, 1, 2

NAMES = ("no", "unknown", "yes")

# (first day, truth from that day on); the first pair starts before every day.
Timeline = tuple[tuple[str, int], ...]

NEVER: Timeline = (("", NO),)
OPEN: Timeline = (("", UNKNOWN),)
ALWAYS: Timeline = (("", YES),)
CONSTANT: tuple[Timeline, Timeline, Timeline] = (NEVER, OPEN, ALWAYS)

_END = "~"  # after every ISO day in text order

_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def check_day(text: object, where: str) -> str:
    """Return `text` if it is a day of the calendar in ISO form.

    Args:
        text: the candidate, `YYYY-MM-DD`.
        where: file and line, or the parameter, for the error.

    Raises:
        Refused: `bad-value` when it is not such a day.
    """
    day = text if isinstance(text, str) else str(text)
    parts = day.split("-")
    if [len(part) for part in parts] == [4, 2, 2] and day.replace("-", "").isdecimal():
        year, month, number = (int(part) for part in parts)
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        longest = 28 if month == 2 and not leap else _MONTH_DAYS[month - 1] if month <= 12 else 0
        if year > 0 and 1 <= month <= 12 and 1 <= number <= longest and day.isascii():
            return day
    raise Refused("bad-value", f"{day!r} is not a day such as 2026-08-02.", where=where)


def interval(start: str, end: str) -> Timeline:
    """True from `start` (included) to `end` (excluded); "" leaves a side open."""
    if not end:
        return ((("", NO), (start, YES))) if start else ALWAYS
    if not start:
        return (("", YES), (end, NO))
    return (("", NO), (start, YES), (end, NO)) if start < end else NEVER


def both(left: Timeline, right: Timeline) -> Timeline:
    """Kleene AND, day by day."""
    if len(left) == 1:
        truth = left[0][1]
        if truth != UNKNOWN:
            return right if truth == YES else NEVER
    if len(right) == 1:
        truth = right[0][1]
        if truth != UNKNOWN:
            return left if truth == YES else NEVER
    return _merge(left, right, min)


def either(left: Timeline, right: Timeline) -> Timeline:
    """Kleene OR, day by day."""
    if len(left) == 1:
        truth = left[0][1]
        if truth != UNKNOWN:
            return right if truth == NO else ALWAYS
    if len(right) == 1:
        truth = right[0][1]
        if truth != UNKNOWN:
            return left if truth == NO else ALWAYS
    return _merge(left, right, max)


def negate(line: Timeline) -> Timeline:
    """Kleene NOT, day by day."""
    if len(line) == 1:
        return CONSTANT[YES - line[0][1]]
    return tuple([(day, YES - truth) for day, truth in line])


def at(line: Timeline, day: str) -> int:
    """The truth on one day."""
    truth = NO
    for start, value in line:
        if start > day:
            break
        truth = value
    return truth


def next_start(line: Timeline, day: str, truth: int = YES) -> str:
    """The first day after `day` from which `truth` holds; "" when there is none."""
    for start, value in line:
        if start > day and value == truth:
            return start
    return ""


def since(line: Timeline, day: str) -> str:
    """The first day of the run of equal truth that `day` lies in; "" for "ever"."""
    begun = ""
    for start, _ in line:
        if start > day:
            break
        begun = start
    return begun


def was(line: Timeline, day: str) -> bool:
    """True when the timeline was YES on some earlier day and no longer is."""
    return any(start < day and value == YES for start, value in line) and at(line, day) == NO


def _merge(left: Timeline, right: Timeline, pick: Callable[[int, int], int]) -> Timeline:
    here, there = left[0][1], right[0][1]
    merged = [("", pick(here, there))]
    i = j = 1
    while i < len(left) or j < len(right):
        day_left = left[i][0] if i < len(left) else _END
        day_right = right[j][0] if j < len(right) else _END
        day = min(day_left, day_right)
        if day_left == day:
            here = left[i][1]
            i += 1
        if day_right == day:
            there = right[j][1]
            j += 1
        truth = pick(here, there)
        if truth != merged[-1][1]:
            merged.append((day, truth))
    return tuple(merged)
