"""How much one key, or one address without a key, may ask: rate, requests at hand, size.

Each has a place: one number says when the requests it has had would be paid for at its rate
(a leaky bucket kept as a time), another how many it has at hand. Nothing is counted for
others, so whoever is over a limit slows nobody else. Memory is bounded: keys are as many as
the registry has, and of addresses the oldest that rest are forgotten.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from bayanihan.core.entrance_order import Limits
from bayanihan.errors import Refused, Unavailable

ADDRESS_LIMIT = 10_000
# Answers that one place has not taken in yet, and all together, before more are refused.
UNREAD_LIMIT_BYTES = 64 * 1024 * 1024
ALL_UNREAD_LIMIT_BYTES = 512 * 1024 * 1024
_BUSY_RETRY_S = 1


class Place:
    """What one key or address has at hand, and when its requests are paid for."""

    __slots__ = ("body_bytes", "burst_s", "due_s", "in_flight", "interval_s", "open", "unread")

    def __init__(self, limits: Limits, burst_s: float) -> None:
        self.due_s = 0.0
        self.open = 0
        self.unread = 0
        self.burst_s = burst_s
        self.set(limits)

    def set(self, limits: Limits) -> None:
        """Hold it to limits from now on."""
        self.interval_s = 1 / limits.requests_per_s
        self.in_flight = limits.in_flight
        self.body_bytes = limits.body_bytes

    def rests(self, now_s: float) -> bool:
        """Whether forgetting it would make no difference."""
        return not self.open and self.due_s <= now_s


class Limiter:
    """Lets requests in, or says when to come again.

    Args:
        limits_of: the limits of a key's id, in full; raises `Refused` when it has ended.
        of_addresses: those of an address that comes without a key, in full.
        burst_s: how many seconds' worth of requests may come at once.
    """

    def __init__(
        self, limits_of: Callable[[str], Limits], of_addresses: Limits, burst_s: float
    ) -> None:
        self._limits_of = limits_of
        self._of_addresses = of_addresses
        self._burst_s = burst_s
        self._keys: dict[str, Place] = {}
        self._addresses: OrderedDict[str, Place] = OrderedDict()
        self.unread = 0
        self.refused = 0

    def __len__(self) -> int:
        return len(self._keys) + len(self._addresses)

    def enter(self, key: str, address: str, now_s: float, *, endless: bool = False) -> Place:
        """Let one request in; `leave` its place when it is done.

        Args:
            key: the key's id, "" for none.
            address: where it came from, see `source_of`; looked at without a key alone.
            now_s: on any clock that never jumps.
            endless: it stays open by nature, and is counted elsewhere.

        Raises:
            Unavailable: `too-many`, with the seconds to wait.
        """
        place = self._keys.get(key) if key else self._addresses.get(address)
        if place is None:
            place = self._begin(key, address, now_s)
        due_s = max(place.due_s, now_s)
        if due_s - now_s > place.burst_s:
            raise self._too_many("requests in a short time", due_s - now_s - place.burst_s)
        if endless:
            place.due_s = due_s + place.interval_s
            return place
        if place.open >= place.in_flight:
            raise self._too_many("requests at the same time", _BUSY_RETRY_S)
        if place.unread > UNREAD_LIMIT_BYTES or (
            place.unread and self.unread > ALL_UNREAD_LIMIT_BYTES
        ):
            raise self._too_many("answers that were not taken in yet", _BUSY_RETRY_S)
        place.due_s = due_s + place.interval_s
        place.open += 1
        return place

    def _too_many(self, what: str, wait_s: float) -> Unavailable:
        self.refused += 1
        return Unavailable("too-many", f"Too many {what}", retry_after_s=max(1, math.ceil(wait_s)))

    def _begin(self, key: str, address: str, now_s: float) -> Place:
        if key:
            place = self._keys[key] = Place(self._limits_of(key), self._burst_s)
            return place
        if len(self._addresses) >= ADDRESS_LIMIT:
            self._forget_one(now_s)
        place = self._addresses[address] = Place(self._of_addresses, self._burst_s)
        return place

    def _forget_one(self, now_s: float) -> None:
        """Forget the address that came first of those looked at, sooner one that rests."""
        for _ in range(8):
            address, place = self._addresses.popitem(last=False)
            if place.rests(now_s):
                return
            self._addresses[address] = place
        self._addresses.popitem(last=False)

    def review(self) -> None:
        """Take up what the registry says now: other limits, and keys that ended."""
        for key, place in list(self._keys.items()):
            try:
                place.set(self._limits_of(key))
            except Refused:
                del self._keys[key]
