"""`domains.txt`: one name a line, for whatever takes a list of names.

The names are A-labels in lower case, sorted. Whether names below a listed one are blocked
as well is up to the program that loads the list. The canary is a name that can never be
registered: a resolver that blocks it has loaded a version of this list.
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

CANARY = CANARY_NAME

_CANARY = f"the name {CANARY} is on the list"
_ABOUT = "One name a line, as A-labels. Lines that begin with # are comments."


def head(heading: Heading) -> list[str]:
    """The comments and the canary."""
    return [*commented("#", heading, _CANARY, _ABOUT), CANARY]


def lines(item: Item) -> list[str]:
    """The name by itself."""
    return [item.value]


DOMAINS = Format(
    name="domains.txt",
    engine="any list of names",
    media_type="text/plain; charset=us-ascii",
    types=NAMES,
    refusal=name_refusal,
    head=head,
    lines=lines,
    canary=_CANARY,
)
