"""External lists of commercial firewalls: one value a line, capped at what the device takes.

What a device cannot take it leaves out without a word, so the cut is made here, where it can
be listed: the newest stay. The caps are those of the smallest models.

Source: PAN-OS administrator's guide, "External Dynamic List" (50,000 addresses, names and
URLs each on the smallest); FortiGate administration guide, "Threat feeds" (131,072 entries
or 10 MB before 7.4.4).
"""

from __future__ import annotations

from collections.abc import Callable

from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import (
    ADDRESSES,
    CANARY_ADDRESS,
    CANARY_NAME,
    NAMES,
    Format,
    Heading,
    Item,
    commented,
    refusal_by_type,
)

PALO_ALTO_LIMIT = 50_000
FORTINET_LIMIT = 131_072

_URL_LIMIT = 255


def url_refusal(observable: Observable) -> str | None:
    """Why a list of URLs cannot have it; None when it can."""
    bare = _bare(observable.value)
    if len(bare) > _URL_LIMIT:
        return f"The URL is longer than {_URL_LIMIT} characters."
    if any(sign in bare for sign in "*^@"):
        return "The list reads `*` and `^` as wildcards, and no user's name."
    return refusal_by_type(observable)


def _bare(value: str) -> str:
    """As PAN-OS has it: without the scheme, which it takes for a part of the host."""
    return value.partition("://")[2]


def _url_lines(item: Item) -> list[str]:
    return [_bare(item.value)]


def _value_lines(item: Item) -> list[str]:
    return [item.value]


def _profile(
    name: str,
    engine: str,
    types: frozenset[str],
    limit: int,
    canary: str,
    refusal: Callable[[Observable], str | None] = refusal_by_type,
    lines: Callable[[Item], list[str]] = _value_lines,
) -> Format:
    said = f"{canary} is on the list"

    def head(heading: Heading) -> list[str]:
        return [*commented("#", heading, said, f"At most {limit} items; the newest stay."), canary]

    return Format(
        name=name,
        engine=engine,
        media_type="text/plain; charset=us-ascii",
        types=types,
        refusal=refusal,
        head=head,
        lines=lines,
        canary=said,
        # The canary takes one place.
        limit=limit - 1,
    )


EXTERNAL_LISTS = (
    _profile("paloalto-ip.edl", "PAN-OS", ADDRESSES, PALO_ALTO_LIMIT, CANARY_ADDRESS),
    _profile("paloalto-domain.edl", "PAN-OS", NAMES, PALO_ALTO_LIMIT, CANARY_NAME),
    _profile(
        "paloalto-url.edl",
        "PAN-OS",
        frozenset({"url"}),
        PALO_ALTO_LIMIT,
        f"{CANARY_NAME}/",
        url_refusal,
        _url_lines,
    ),
    _profile("fortinet-ip.txt", "FortiGate", ADDRESSES, FORTINET_LIMIT, CANARY_ADDRESS),
    _profile("fortinet-domain.txt", "FortiGate", NAMES, FORTINET_LIMIT, CANARY_NAME),
)
