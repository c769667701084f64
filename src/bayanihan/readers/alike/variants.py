"""Which cases are variants of one another: a rule over fingerprints, whatever order they came in.

Each kind of likeness parts the cases by itself; what any kind joins is one group. A value that
strangers share, or that is in more than `VALUE_LIMIT` cases, joins nothing and is listed: a URL
shortener would make one campaign of everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from bayanihan.core import fingerprint, pdq, tlsh
from bayanihan.core.fingerprint import Fingerprints

VALUE_LIMIT = 200
# Stricter than what a look-up shows: here each step leads on to the next.
TEXT_LEAST = 0.6
TLSH_MOST = 30
# Beyond so many different pictures, or files, only equal digests join.
SHAPES_LIMIT = 2_000
# In a longer run of texts with a piece in common, so many are compared with all others.
RUN_LIMIT = 64
LEADERS = 16

STRANGERS = "strangers share it"
TOO_MANY = f"it is in more than {VALUE_LIMIT} cases"


class Shared(msgspec.Struct, frozen=True):
    """A `type:value` that joins cases of one group, and how many."""

    value: str
    cases: int


class Crowded(msgspec.Struct, frozen=True):
    """What joins nothing: which value, in how many cases, and why."""

    kind: str
    value: str
    cases: int
    why: str


class Group(msgspec.Struct, frozen=True):
    """Cases that belong together, by their numbers, and what joins them."""

    cases: tuple[int, ...]
    kinds: tuple[tuple[str, int], ...]
    shared: tuple[Shared, ...]


class Parts:
    """Things parted into groups, each of its own until joined."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def of(self, one: int) -> int:
        """The one that stands for a thing's group."""
        above = self._above
        while above[one] != one:
            above[one] = above[above[one]]
            one = above[one]
        return one

    def join(self, every: Iterable[int]) -> None:
        """Make one group of the groups of these."""
        found = sorted({self.of(each) for each in every})
        for each in found[1:]:
            self._above[each] = found[0]

    def groups(self) -> Iterator[list[int]]:
        """The groups of two and more, each ascending."""
        found: dict[int, list[int]] = {}
        for each in range(len(self._above)):
            found.setdefault(self.of(each), []).append(each)
        return (group for group in found.values() if len(group) > 1)


def grouped(
    prints: Sequence[Fingerprints], never: Callable[[str], bool]
) -> tuple[list[Group], list[Crowded]]:
    """The groups of two and more cases, and what joined nothing.

    Args:
        prints: the cases' fingerprints.
        never: whether a `type:value` is shared by strangers.
    """
    crowded: list[Crowded] = []
    hosts = _holders(prints, lambda each: each.infrastructure)
    hosts = {value: held for value, held in hosts.items() if not _is_shared(value, held, never)}
    crowded += _strangers(prints, never)
    parted = {
        "infrastructure": _by_value("infrastructure", hosts, len(prints), crowded),
        "exact": _by_value(
            "exact", _holders(prints, lambda each: each.files), len(prints), crowded
        ),
        "chromaprint": _by_value(
            "chromaprint", _holders(prints, lambda each: each.chromaprint), len(prints), crowded
        ),
        "pdq": _by_shape("pdq", _holders(prints, lambda e: e.pdq), len(prints), crowded),
        "tlsh": _by_shape("tlsh", _holders(prints, lambda e: e.tlsh), len(prints), crowded),
        "text": _by_text(_holders(prints, lambda each: each.text[:4]), len(prints)),
    }
    whole = Parts(len(prints))
    alike: dict[str, set[int]] = {}
    for kind, parts in parted.items():
        for group in parts.groups():
            whole.join(group)
            alike.setdefault(kind, set()).update(group)
    groups = [_group(group, alike, hosts) for group in whole.groups()]
    return sorted(groups, key=lambda each: each.cases), sorted(
        crowded, key=lambda each: (-each.cases, each.kind, each.value)
    )


def _group(cases: list[int], alike: dict[str, set[int]], hosts: dict[str, list[int]]) -> Group:
    inside = set(cases)
    kinds = {kind: len(inside & found) for kind, found in alike.items()}
    shared = [
        Shared(value, len(held))
        for value, held in hosts.items()
        if 1 < len(held) <= VALUE_LIMIT and held[0] in inside
    ]
    return Group(
        tuple(cases),
        tuple(sorted((kind, count) for kind, count in kinds.items() if count)),
        tuple(sorted(shared, key=lambda each: (-each.cases, each.value))),
    )


def _holders(
    prints: Sequence[Fingerprints], values: Callable[[Fingerprints], Iterable[str]]
) -> dict[str, list[int]]:
    """Each value with the cases that hold it, ascending."""
    found: dict[str, list[int]] = {}
    for number, each in enumerate(prints):
        for value in dict.fromkeys(values(each)):
            found.setdefault(value, []).append(number)
    return found


def _is_shared(value: str, held: list[int], never: Callable[[str], bool]) -> bool:
    return len(held) > 1 and never(value)


def _strangers(prints: Sequence[Fingerprints], never: Callable[[str], bool]) -> list[Crowded]:
    hosts = _holders(prints, lambda each: each.infrastructure)
    return [
        Crowded("infrastructure", value, len(held), STRANGERS)
        for value, held in hosts.items()
        if _is_shared(value, held, never)
    ]


def _by_value(
    kind: str, holders: dict[str, list[int]], count: int, crowded: list[Crowded]
) -> Parts:
    parts = Parts(count)
    for value, held in holders.items():
        if len(held) > VALUE_LIMIT:
            crowded.append(Crowded(kind, value, len(held), TOO_MANY))
        else:
            parts.join(held)
    return parts


def _by_shape(
    kind: str, holders: dict[str, list[int]], count: int, crowded: list[Crowded]
) -> Parts:
    """Digests that are near; one that is near too many joins nothing."""
    digests = sorted(holders)
    if not digests or len(digests) > SHAPES_LIMIT:
        return _by_value(kind, holders, count, crowded)
    rows = pdq.words(digests) if kind == "pdq" else tlsh.rows([each[-70:] for each in digests])
    near = {}
    for at, digest in enumerate(digests):
        one = rows[at]
        far = pdq.apart(one, rows) if kind == "pdq" else tlsh.distances(one, rows)
        most = pdq.BITS_SURE if kind == "pdq" else TLSH_MOST
        near[digest] = [digests[other] for other in (far <= most).nonzero()[0]]
    reach = {one: {c for other in near[one] for c in holders[other]} for one in digests}
    free = {one for one in digests if len(reach[one]) <= VALUE_LIMIT}
    crowded += [Crowded(kind, one, len(reach[one]), TOO_MANY) for one in digests if one not in free]
    parts = Parts(count)
    for one in sorted(free):
        parts.join(case for other in near[one] if other in free for case in holders[other])
    return parts


def _by_text(holders: dict[str, list[int]], count: int) -> Parts:
    """Texts with a piece in common that are alike.

    Here a crowd is no reason to join nothing, since each step is measured: a kit that words
    every message anew makes thousands of variants.
    """
    import numpy

    parts = Parts(count)
    texts = sorted(holders)
    for held in holders.values():
        parts.join(held)
    if len(texts) < 2:
        return parts
    raw = b"".join(fingerprint.unpacked(text) for text in texts)
    signs = numpy.frombuffer(raw, dtype="<u2").reshape(len(texts), fingerprint.HASHES)
    bands = numpy.frombuffer(raw, dtype="<u8").reshape(len(texts), fingerprint.BANDS)
    first = [holders[text][0] for text in texts]
    for band in range(fingerprint.BANDS):
        order = numpy.argsort(bands[:, band], kind="stable")
        ends = (numpy.diff(bands[order, band]) != 0).nonzero()[0] + 1
        for run in numpy.split(order, ends):
            if len(run) > 1:
                _join_alike(run.tolist(), signs, first, parts)
    return parts


def _join_alike(run: list[int], signs: Any, first: list[int], parts: Parts) -> None:
    """Join those of a run of texts that are alike; who is joined already is not compared.

    In a run of more than `RUN_LIMIT` only `LEADERS` are compared, each with all others.
    """
    if len(run) > RUN_LIMIT:
        for at in _leaders(run, first, parts):
            same = (signs[run] == signs[at]).mean(axis=1)
            parts.join(first[run[each]] for each in (same >= TEXT_LEAST).nonzero()[0])
        return
    for at in run[:-1]:
        own = parts.of(first[at])
        others = [each for each in run if parts.of(first[each]) != own]
        if others:
            same = (signs[others] == signs[at]).mean(axis=1)
            alike = (same >= TEXT_LEAST).nonzero()[0]
            parts.join([first[at], *(first[others[each]] for each in alike)])


def _leaders(run: list[int], first: list[int], parts: Parts) -> Iterator[int]:
    """The first of a run, then the next that was joined to none of those before."""
    led: list[int] = []
    for at in run:
        if parts.of(first[at]) not in {parts.of(first[each]) for each in led}:
            led.append(at)
            yield at
        if len(led) == LEADERS:
            return
