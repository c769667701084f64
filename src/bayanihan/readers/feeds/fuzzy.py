"""`fuzzy.csv`: fingerprints of files that are alike, with the distance up to which they count.

It only ever alerts: a fingerprint names a neighbourhood, not a file.

Source: the TLSH paper (Oliver, Cheng, Chen 2013): distances up to some 30 rarely join what is
unlike; the digest is 70 hexadecimal digits behind `T1`.
"""

from __future__ import annotations

import re

from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import ALERTING, Format, Heading, Item, commented

THRESHOLD = 30

_SHAPE = re.compile(r"T1[0-9A-F]{70}")
_CANARY = "the number of rows below the row of names is the number of items above"
_ABOUT = "Alert, never block: a file within `threshold` of a digest resembles a reported one."


def refusal(observable: Observable) -> str | None:
    """Why it is no fingerprint that can be compared; None when it is."""
    return None if _SHAPE.fullmatch(observable.value) else "It is not a TLSH digest, version 1."


def head(heading: Heading) -> list[str]:
    """The comments and the row of names."""
    return [*commented("#", heading, _CANARY, _ABOUT), "kind,digest,threshold,mode,tlp,objects"]


def lines(item: Item) -> list[str]:
    """One row."""
    return [f"tlsh,{item.value},{THRESHOLD},alert,{item.level},{' '.join(item.ids)}"]


FUZZY = Format(
    name="fuzzy.csv",
    engine="any program that compares TLSH",
    media_type="text/csv; charset=utf-8",
    types=frozenset({"tlsh"}),
    refusal=refusal,
    head=head,
    lines=lines,
    canary=_CANARY,
    modes=ALERTING,
)
