"""The search: candidates by keys and distances, each verified, each kind by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from bayanihan.core import fingerprint, moment
from bayanihan.core.fingerprint import Fingerprints
from bayanihan.core.lure import likeness
from bayanihan.readers.alike.match import Evidence, Match
from bayanihan.readers.alike.projection import (
    Alike,
    Case,
    key_of,
    structure_keys,
)
from bayanihan.readers.alike.shapes import Shapes

# Set on one half of the public Thai and English messages, measured on the other: see ADR 47.
TEXT_LEAST = 0.4
STRUCTURE_LEAST = 0.75
STRUCTURE_CANDIDATE = 0.5
MATCH_LIMIT = 50
# So many cases are read and verified, those with the most in common first.
CANDIDATE_LIMIT = 400
FOLD_WAIT_S = 1.0


class Search:
    """Looks evidence up among the cases that a viewer may see.

    Args:
        alike: the projection.
        never: whether a `type:value` is shared by strangers and so connects nothing.
    """

    def __init__(self, alike: Alike, never: Callable[[str], bool]) -> None:
        self._alike = alike
        self._never = never
        self._shapes = Shapes(alike)

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
        near = self._shapes.near(prints, audiences, exercise=exercise)
        likely = sorted(places, key=lambda at: (-_weight(places[at], shared), -at))
        wanted = {*likely[:CANDIDATE_LIMIT], *near}
        cases = self._alike.cases(wanted, audiences, exercise=exercise)
        texts = _texts_alike(prints, cases)
        found: dict[str, tuple[Case, list[Evidence]]] = {}
        for case in cases:
            keys_met = {key for key in places.get(case.position, set()) if key not in full}
            on = {key: shared[key] for key in keys_met & {*shared}}
            evidence = _evidence(prints, case, on, texts.get(case.position, 0.0))
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


def _weight(keys: set[int], shared: dict[int, str]) -> int:
    """How much a case promises before it is read: a value in common more than a band of text."""
    return sum(fingerprint.BANDS if key in shared else 1 for key in keys)


def _texts_alike(prints: Fingerprints, cases: Sequence[Case]) -> dict[int, float]:
    """How alike the texts of each case are to what is looked up, the likest, by position."""
    told = [(case.position, code) for case in cases for code in case.prints.text]
    others = [fingerprint.unpacked(code) for _, code in told]
    best: dict[int, float] = {}
    for code in prints.text:
        scores = fingerprint.resemblance(fingerprint.unpacked(code), others)
        for (position, _), score in zip(told, scores, strict=True):
            best[position] = max(score, best.get(position, 0.0))
    return best


def _evidence(
    prints: Fingerprints, case: Case, shared: dict[int, str], text: float
) -> list[Evidence]:
    found = []
    if set(prints.files) & set(case.prints.files):
        found.append(Evidence("exact", 1.0))
    on = tuple(sorted(each for each in shared.values() if each))
    if on:
        found.append(Evidence("infrastructure", round(min(1.0, 0.5 + 0.25 * len(on)), 3), on))
    if text >= TEXT_LEAST:
        found.append(Evidence("text", round(text, 3)))
    alike = likeness(prints.structure, case.prints.structure)
    if alike >= STRUCTURE_CANDIDATE:
        candidate = alike < STRUCTURE_LEAST
        found.append(Evidence("structure", round(alike, 3), candidate=candidate))
    return found


def _best(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    best: dict[str, Evidence] = {}
    for each in evidence:
        if each.kind not in best or each.score > best[each.kind].score:
            best[each.kind] = each
    return tuple(sorted(best.values(), key=lambda each: (each.candidate, -each.score, each.kind)))


def _rank(match: Match) -> tuple[bool, int, float, str]:
    sure = sum(not each.candidate for each in match.evidence)
    return (match.is_candidate, -sure, -match.evidence[0].score, match.since)
