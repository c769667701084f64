"""`zeek.intel`: a table for Zeek's Intelligence Framework. No Zeek could be had to check it.

Source: the Zeek manual, Intelligence Framework: tab-separated, `#fields` names the columns.
"""

from __future__ import annotations

import re

from bayanihan.core.observables import HASH_DIGITS, Observable
from bayanihan.readers.feeds.format import (
    ADDRESSES,
    ALERTING,
    CANARY_NAME,
    NAMES,
    Format,
    Heading,
    Item,
    commented,
    refusal_by_type,
)

_URL = re.compile(r"[a-z0-9+.-]+://[^/@]+/.*")
_TYPES = {
    "domain": "Intel::DOMAIN",
    "ipv4": "Intel::ADDR",
    "ipv6": "Intel::ADDR",
    "cidr4": "Intel::SUBNET",
    "cidr6": "Intel::SUBNET",
    "url": "Intel::URL",
    "email": "Intel::EMAIL",
    **dict.fromkeys(("md5", "sha1", "sha256"), "Intel::FILE_HASH"),
}
_CANARY = f"{CANARY_NAME} is an Intel::DOMAIN"
_ABOUT = "For Intel::read_files. Names match as they are, not the names below them."
_COLUMNS = ("indicator", "indicator_type", "meta.source", "meta.desc")


def refusal(observable: Observable) -> str | None:
    """Why it cannot be a row; None when it can."""
    if observable.type == "url" and _URL.fullmatch(observable.value) is None:
        return "A URL with a user's name cannot be seen: that name never travels."
    return refusal_by_type(observable)


def head(heading: Heading) -> list[str]:
    """The comments, the columns and the canary."""
    return [
        *commented("#", heading, _CANARY, _ABOUT),
        "\t".join(("#fields", *_COLUMNS)),
        f"{CANARY_NAME}\tIntel::DOMAIN\tbayanihan\tcanary",
    ]


def lines(item: Item) -> list[str]:
    """One row. A URL stands without its scheme, as Zeek has it."""
    value = item.value.partition("://")[2] if item.type == "url" else item.value
    told = f"{'EXERCISE ' if item.exercise else ''}TLP:{item.level.upper()} {' '.join(item.ids)}"
    return [f"{value}\t{_TYPES[item.type]}\tbayanihan\t{told}"]


ZEEK = Format(
    name="zeek.intel",
    engine="Zeek",
    media_type="text/tab-separated-values; charset=utf-8",
    types=frozenset(_TYPES),
    refusal=refusal,
    head=head,
    lines=lines,
    canary=_CANARY,
    modes=ALERTING,
)
assert ADDRESSES | NAMES <= ZEEK.types <= ADDRESSES | NAMES | {"url", "email", *HASH_DIGITS}
