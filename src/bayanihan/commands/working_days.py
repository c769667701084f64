"""On which days a member works. Apart from the verbs: a hub asks too, and starts without them."""

from __future__ import annotations

from datetime import date
from functools import cache


@cache
def _holidays(member: str, year: int) -> frozenset[date]:
    """The public holidays of a member; the European Union's are those of its institutions' seat."""
    import holidays

    country = "BE" if member == "EU" else member
    return frozenset(holidays.country_holidays(country, years=year))


def is_working_day(member: str, day: date) -> bool:
    """True on Monday to Friday outside the member's public holidays."""
    return day.weekday() < 5 and day not in _holidays(member, day.year)
