"""What an operator may set about feeds: how many voices it takes, when values fade, budgets."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

# Days without news after which a value of a type leaves the feeds; what is not named stays.
# An address changes hands within weeks, a page within months, a digest is the same for ever.
FADE_DAYS = {
    "ipv4": 30,
    "ipv6": 30,
    "cidr4": 30,
    "cidr6": 30,
    "url": 60,
    "domain": 180,
    "email": 180,
}


class FeedOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[feeds]` of hub.toml.

    Attributes:
        members_needed: member states that must name a value before it blocks on their word
            alone.
        reports_needed: member states whose false-positive reports suspend a block.
        fade_days: by type of value; replaces the days of the types that it names, 0: never.
        blocks_per_hour: new values of one member, for one audience, that block within an
            hour; what is beyond waits until somebody admits it.
        per_prefix: new values within 30 days on one /24 or /48, or pages of one host.
        budgets: `blocks_per_hour` for feeds that want another, by name.
        lookup_days: after how many days a look-up of a person's identifier is forgotten.
    """

    members_needed: int = 2
    reports_needed: int = 2
    fade_days: dict[str, int] = {}
    blocks_per_hour: int = 10_000
    per_prefix: int = 64
    budgets: dict[str, int] = {}
    lookup_days: int = 90

    def fading(self) -> Mapping[str, int]:
        """The days of every type that fades."""
        return {**FADE_DAYS, **self.fade_days}

    def fault(self) -> tuple[str, str] | None:
        """The first setting that cannot be, and why; None when all can."""
        least = {
            "members_needed": 1,
            "reports_needed": 1,
            "blocks_per_hour": 100,
            "per_prefix": 16,
            "lookup_days": 1,
        }
        for name, number in least.items():
            if getattr(self, name) < number:
                return name, f"{name} is a number, {number} or more"
        tables = (("fade_days", self.fade_days, 0), ("budgets", self.budgets, 100))
        for table, found, number in tables:
            for name, given in found.items():
                if given < number:
                    return f"{table}.{name}", f"{table}.{name} is a number, {number} or more"
        unknown = sorted(set(self.fade_days) - set(FADE_DAYS))
        if unknown:
            return f"fade_days.{unknown[0]}", f"only these fade: {', '.join(sorted(FADE_DAYS))}"
        return None
