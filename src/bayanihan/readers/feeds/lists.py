"""`addresses.txt`, `urls.txt`, `hashes.txt`: one value a line, for whatever takes a list."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from bayanihan.core.observables import HASH_DIGITS, Observable
from bayanihan.readers.feeds.format import (
    ADDRESSES,
    CANARY_ADDRESS,
    CANARY_URL,
    Format,
    Heading,
    Item,
    address_refusal,
    commented,
    text_refusal,
)

# The digest of these bytes is on every list of hashes: a scanner that finds a file of them
# has loaded it.
CANARY_FILE = b"This file is the canary of a Bayanihan feed. It harms nothing.\n"
CANARY_HASH = hashlib.sha256(CANARY_FILE).hexdigest()


def lines(item: Item) -> list[str]:
    """The value by itself."""
    return [item.value]


def hash_refusal(observable: Observable) -> str | None:
    """Why a digest cannot stand on a line; None when it can."""
    if observable.value == CANARY_HASH:
        return "The digest is this list's own canary."
    return text_refusal(observable)


def _head(about: str, canary: str, value: str) -> Callable[[Heading], list[str]]:
    def head(heading: Heading) -> list[str]:
        return [*commented("#", heading, canary, about), value]

    return head


def _list(
    name: str,
    types: frozenset[str],
    refusal: Callable[[Observable], str | None],
    about: str,
    canary: str,
) -> Format:
    said = f"{canary} is on the list"
    return Format(
        name=name,
        engine="any list",
        media_type="text/plain; charset=us-ascii",
        types=types,
        refusal=refusal,
        head=_head(f"{about} Lines that begin with # are comments.", said, canary),
        lines=lines,
        canary=said,
    )


ADDRESS_LIST = _list(
    "addresses.txt",
    ADDRESSES,
    address_refusal,
    "One address or range (CIDR) a line, IPv4 and IPv6.",
    CANARY_ADDRESS,
)
URLS = _list("urls.txt", frozenset({"url"}), text_refusal, "One URL a line, in full.", CANARY_URL)
HASHES = _list(
    "hashes.txt",
    frozenset(HASH_DIGITS),
    hash_refusal,
    "One digest of a file a line, in hexadecimal; its length tells the algorithm.",
    CANARY_HASH,
)
