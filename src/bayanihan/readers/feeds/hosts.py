"""`hosts.txt`: names that lead nowhere, in the shape of /etc/hosts.

A hosts file knows exact names only: names below a listed one are not blocked.

Source: hosts(5).
"""

from __future__ import annotations

from bayanihan.readers.feeds.format import (
    CANARY_NAME,
    NAMES,
    Format,
    Heading,
    Item,
    commented,
    name_refusal,
)

_CANARY = f"the name {CANARY_NAME} leads to 0.0.0.0"
_ABOUT = "Each name leads to 0.0.0.0 and ::. Names below a listed one are not blocked by it."


def head(heading: Heading) -> list[str]:
    """The comments and the canary."""
    return [
        *commented("#", heading, _CANARY, _ABOUT),
        f"0.0.0.0 {CANARY_NAME}",
        f":: {CANARY_NAME}",
    ]


def lines(item: Item) -> list[str]:
    """The name for each of the two families of addresses."""
    return [f"0.0.0.0 {item.value}", f":: {item.value}"]


HOSTS = Format(
    name="hosts.txt",
    engine="any resolver that reads hosts files",
    media_type="text/plain; charset=us-ascii",
    types=NAMES,
    refusal=name_refusal,
    head=head,
    lines=lines,
    canary=_CANARY,
)
