"""`clamav.hsb` and `clamav.ndb`: signatures for the ClamAV scanner.

`clamav.hsb` has digests of whole files of any size; `clamav.ndb` finds URLs inside mails and
documents, with what may stand after a URL behind them, so that no longer URL is hit.

Source: the ClamAV manual, "Signatures": file hashes (`.hsb`) and extended (`.ndb`).
"""

from __future__ import annotations

from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import (
    CANARY_URL,
    Format,
    Heading,
    Item,
    commented,
    tag_of,
    text_refusal,
)
from bayanihan.readers.feeds.lists import CANARY_FILE, CANARY_HASH, hash_refusal

# The level of the engine from which digests of files of any size are read.
_LEVEL = 73
# White space, quotes, brackets and tags end a URL.
_ENDS = "(20|09|0a|0d|22|27|3c|3e|29|5d|7d)"
# A shorter sequence would be found by chance.
_SHORTEST = 12
_LONGEST = 1_000
_CANARY_HSB = f"a file whose SHA-256 is {CANARY_HASH} is found"
_CANARY_NDB = f"a file with the URL {CANARY_URL} and a line's end is found"


def head_hsb(heading: Heading) -> list[str]:
    """The comments and the canary."""
    about = f"The file of the canary is the {len(CANARY_FILE)} bytes that the manual shows."
    return [
        *commented("#", heading, _CANARY_HSB, about),
        f"{CANARY_HASH}:*:Bayanihan.Canary:{_LEVEL}",
    ]


def lines_hsb(item: Item) -> list[str]:
    """One digest, of a file of any size."""
    return [f"{item.value}:*:{_named('File', item)}:{_LEVEL}"]


def refusal_ndb(observable: Observable) -> str | None:
    """Why a URL cannot be a sequence that is looked for; None when it can."""
    if not _SHORTEST <= len(observable.value) <= _LONGEST:
        return f"A sequence has {_SHORTEST} to {_LONGEST} characters, and this has not."
    if observable.value.count("/") == 3 and observable.value.endswith("/"):
        return "It names a whole site; the address of a site is often written without the `/`."
    return text_refusal(observable)


def head_ndb(heading: Heading) -> list[str]:
    """The comments and the canary."""
    return [
        *commented("#", heading, _CANARY_NDB, "Finds URLs in what is scanned."),
        f"Bayanihan.Canary.Url:0:*:{CANARY_URL.encode().hex()}{_ENDS}",
    ]


def lines_ndb(item: Item) -> list[str]:
    """One URL with what may stand after it."""
    return [f"{_named('Url', item)}:0:*:{item.value.encode().hex()}{_ENDS}"]


def _named(kind: str, item: Item) -> str:
    return f"Bayanihan.{'Exercise.' if item.exercise else ''}{kind}.{tag_of(item)}"


HSB = Format(
    name="clamav.hsb",
    engine="clamscan -d",
    media_type="text/plain; charset=us-ascii",
    types=frozenset({"md5", "sha1", "sha256"}),
    refusal=hash_refusal,
    head=head_hsb,
    lines=lines_hsb,
    canary=_CANARY_HSB,
)
NDB = Format(
    name="clamav.ndb",
    engine="clamscan -d",
    media_type="text/plain; charset=us-ascii",
    types=frozenset({"url"}),
    refusal=refusal_ndb,
    head=head_ndb,
    lines=lines_ndb,
    canary=_CANARY_NDB,
)
