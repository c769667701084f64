"""The search: candidates by keys and distances, each verified, each kind by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bayanihan.core import chromaprint, fingerprint, moment, pdq, tlsh
from bayanihan.core.fingerprint import Fingerprints
from bayanihan.core.lure import likeness
from bayanihan.readers.alike.projection import (
    KEY_LIMIT,
    Alike,
    Case,
    key_of,
    structure_keys,
)

# Set on Thai and English messages that no test text comes from; see docs/bench.md.
TEXT_LEAST = 0.4
STRUCTURE_LEAST = 0.75
TLSH_MOST = 50
CHROMAPRINT_MOST = 0.15
MATCH_LIMIT = 50
FOLD_WAIT_S = 1.0
_SHAPES_AT_ONCE = 500


class Evidence(msgspec.Struct, frozen=True):
    """One kind of likeness, from 0 to 1; `on` names what two cases share, where it may."""

    kind: str
    score: float
    on: tuple[str, ...] = ()


class Match(msgspec.Struct, frozen=True):
    """A case that is alike, since when the viewer may see it, and by what."""

    id: str
    since: str
    evidence: tuple[Evidence, ...]
    language: str = ""
    exercise: bool = False


class Search:
    """Looks evidence up among the cases that a viewer may see.

    Args:
        alike: the projection.
        never: whether a `type:value` is shared by strangers and so connects nothing.
    """

    def __init__(self, alike: Alike, never: Callable[[str], bool]) -> None:
        self._alike = alike
        self._never = never
        self._lock = threading.Lock()
        self._last = 0
        self._values: dict[str, list[bytes]] = {"pdq": [], "tlsh": [], "chromaprint": []}
        self._places: dict[str, list[int]] = {"pdq": [], "tlsh": [], "chromaprint": []}
        self._rows: dict[str, Any] = {}

    def like(
        self, prints: Fingerprints, audiences: Sequence[int], *, exercise: bool = False
    ) -> list[Match]:
        """The cases that are alike, the likest first. Blocks: it belongs on a worker thread."""
        shared = {key_of("file", each): "" for each in prints.files}
        connecting = [each for each in prints.infrastructure if not self._never(each)]
        shared |= {key_of("infrastructure", each): each for each in connecting}
        bands = [
            band
            for text in prints.text[:4]
            for band in fingerprint.bands(fingerprint.unpacked(text))
        ]
        keys = [*shared, *bands, *structure_keys(prints)]
        places, full = self._alike.found(keys, audiences, exercise=exercise)
        near = self._near(prints)
        cases = self._alike.cases({*places, *near}, audiences, exercise=exercise)
        found: dict[str, tuple[Case, list[Evidence]]] = {}
        for case in cases:
            keys_met = {key for key in places.get(case.position, set()) if key not in full}
            evidence = _evidence(prints, case, {key: shared[key] for key in keys_met & {*shared}})
            evidence += near.get(case.position, [])
            if evidence:
                before = found.get(case.object_id)
                first = case if before is None or case.stamp_us < before[0].stamp_us else before[0]
                found[case.object_id] = (first, evidence + (before[1] if before else []))
        matches = [
            Match(
                case.object_id,
                moment.render(case.stamp_us),
                _best(evidence),
                case.language,
                exercise,
            )
            for case, evidence in found.values()
        ]
        return sorted(matches, key=_rank)[:MATCH_LIMIT]

    def catch_up(self, length: int) -> None:
        """Wait a moment for what was published before the question. Blocks, never for long."""
        until_s = time.monotonic() + FOLD_WAIT_S
        while self._alike.position < length and time.monotonic() < until_s:
            time.sleep(0.01)

    def crowded(
        self, values: Sequence[str], audiences: Sequence[int], *, exercise: bool = False
    ) -> list[str]:
        """Those of `type:value` that are in more than `KEY_LIMIT` cases and connect nothing."""
        keys = {key_of("infrastructure", each): each for each in values}
        _, full = self._alike.found(keys, audiences, exercise=exercise)
        return sorted(keys[key] for key in full)

    def _near(self, prints: Fingerprints) -> dict[int, list[Evidence]]:
        """Cases whose pictures, files or sounds are near, by position; rights come after."""
        found: dict[int, list[Evidence]] = {}
        if not (prints.pdq or prints.tlsh or prints.chromaprint):
            return found
        with self._lock:
            self._load()
            rows, places = dict(self._rows), {kind: list(at) for kind, at in self._places.items()}
        for each in prints.pdq:
            if "pdq" in rows:
                far = pdq.apart(pdq.words([each])[0], rows["pdq"])
                for at in (far <= pdq.BITS_APART).nonzero()[0][:_SHAPES_AT_ONCE]:
                    score = round(1 - float(far[at]) / 256, 3)
                    found.setdefault(places["pdq"][at], []).append(Evidence("pdq", score))
        for each in prints.tlsh:
            if "tlsh" in rows:
                far = tlsh.distances(tlsh.rows([each])[0], rows["tlsh"])
                for at in (far <= TLSH_MOST).nonzero()[0][:_SHAPES_AT_ONCE]:
                    score = round(1 - float(far[at]) / 300, 3)
                    found.setdefault(places["tlsh"][at], []).append(Evidence("tlsh", score))
        for each in prints.chromaprint:
            code = fingerprint.unpacked(each)
            for value, at in zip(self._values["chromaprint"], places["chromaprint"], strict=False):
                errors = chromaprint.error_rate(code, value)
                if errors <= CHROMAPRINT_MOST:
                    told = Evidence("chromaprint", round(1 - errors, 3))
                    found.setdefault(at, []).append(told)
        return found

    def _load(self) -> None:
        """Take in what was folded since, and make the rows anew where it changed anything."""
        changed: set[str] = set()
        for number, kind, value, position in self._alike.shapes(self._last):
            self._last = number
            self._values[kind].append(value)
            self._places[kind].append(position)
            changed.add(kind)
        if "pdq" in changed:
            self._rows["pdq"] = pdq.words([each.hex() for each in self._values["pdq"]])
        if "tlsh" in changed:
            self._rows["tlsh"] = tlsh.rows([each.hex() for each in self._values["tlsh"]])


def _evidence(prints: Fingerprints, case: Case, shared: dict[int, str]) -> list[Evidence]:
    found = []
    if set(prints.files) & set(case.prints.files):
        found.append(Evidence("exact", 1.0))
    on = tuple(sorted(each for each in shared.values() if each))
    if on:
        found.append(Evidence("infrastructure", round(min(1.0, 0.5 + 0.25 * len(on)), 3), on))
    others = [fingerprint.unpacked(each) for each in case.prints.text]
    for text in prints.text:
        score = max(fingerprint.resemblance(fingerprint.unpacked(text), others), default=0.0)
        if score >= TEXT_LEAST:
            found.append(Evidence("text", round(score, 3)))
    alike = likeness(prints.structure, case.prints.structure)
    if alike >= STRUCTURE_LEAST:
        found.append(Evidence("structure", round(alike, 3)))
    return found


def _best(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    best: dict[str, Evidence] = {}
    for each in evidence:
        if each.kind not in best or each.score > best[each.kind].score:
            best[each.kind] = each
    return tuple(sorted(best.values(), key=lambda each: (-each.score, each.kind)))


def _rank(match: Match) -> tuple[int, float, str]:
    return (-len(match.evidence), -match.evidence[0].score, match.since)


__all__ = ["KEY_LIMIT", "Evidence", "Match", "Search"]
