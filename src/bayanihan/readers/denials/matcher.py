"""Which denials are about a piece of evidence, or a case: the same, or nearly the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bayanihan.core import chromaprint, fingerprint, pdq, tlsh
from bayanihan.core.fingerprint import Fingerprints
from bayanihan.readers.denials.projection import Standing

# As strict as what joins cases to a campaign: a denial beside another's recording would mislead.
TEXT_LEAST = 0.6
TLSH_MOST = 30
CHROMAPRINT_MOST = 0.15


class Matcher:
    """Finds the denials that some evidence falls under. Its cost is a row of each denial.

    Args:
        standing: the denials that one viewer may see.
    """

    def __init__(self, standing: Sequence[Standing]) -> None:
        self._standing = standing
        self._by_name: dict[str, list[int]] = {}
        self._values: dict[str, list[tuple[str, int]]] = {}
        for number, each in enumerate(standing):
            prints = each.denial.prints
            for name in (*prints.files, *each.denial.cases):
                self._by_name.setdefault(name, []).append(number)
            for kind in ("pdq", "tlsh", "chromaprint", "text"):
                values = [(value, number) for value in getattr(prints, kind)]
                self._values.setdefault(kind, []).extend(values)
        self._rows = (
            {
                "pdq": pdq.words([value for value, _ in self._values.get("pdq", [])]),
                "tlsh": tlsh.rows([value[-70:] for value, _ in self._values.get("tlsh", [])]),
                "text": [fingerprint.unpacked(value) for value, _ in self._values.get("text", [])],
                "chromaprint": [
                    fingerprint.unpacked(value) for value, _ in self._values.get("chromaprint", [])
                ],
            }
            if standing
            else {}
        )

    def about(
        self, prints: Fingerprints, case: str = ""
    ) -> list[tuple[Standing, list[tuple[str, float]]]]:
        """The denials about evidence or a case, each with its kinds of likeness and scores."""
        found: dict[int, dict[str, float]] = {}
        if not self._standing:
            return []
        for name in (*prints.files, case):
            for number in self._by_name.get(name, []):
                found.setdefault(number, {})["exact"] = 1.0
        for kind, at, score in self._near(prints):
            number = self._values[kind][at][1]
            kinds = found.setdefault(number, {})
            kinds[kind] = max(kinds.get(kind, 0.0), round(score, 3))
        return [(self._standing[at], sorted(found[at].items())) for at in sorted(found)]

    def _near(self, prints: Fingerprints) -> list[tuple[str, int, float]]:
        found: list[tuple[str, int, float]] = []
        for each in prints.pdq:
            far = pdq.apart(pdq.words([each])[0], self._rows["pdq"])
            found += [("pdq", at, 1 - far[at] / 256) for at in _at_most(far, pdq.BITS_APART)]
        for each in prints.tlsh:
            far = tlsh.distances(tlsh.rows([each[-70:]])[0], self._rows["tlsh"])
            found += [("tlsh", at, 1 - far[at] / 300) for at in _at_most(far, TLSH_MOST)]
        for each in prints.text[:4]:
            shares = fingerprint.resemblance(fingerprint.unpacked(each), self._rows["text"])
            found += [("text", at, s) for at, s in enumerate(shares) if s >= TEXT_LEAST]
        for each in prints.chromaprint:
            code = fingerprint.unpacked(each)
            for at, other in enumerate(self._rows["chromaprint"]):
                errors = chromaprint.error_rate(code, other)
                if errors <= CHROMAPRINT_MOST:
                    found.append(("chromaprint", at, 1 - errors))
        return found


def _at_most(far: Any, most: int) -> list[int]:
    return [int(at) for at in (far <= most).nonzero()[0]]
