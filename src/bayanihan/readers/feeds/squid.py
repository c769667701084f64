"""`squid.acl`: names for a `dstdomain` list of the web proxy Squid.

A leading dot takes the names below along. A name below a listed one is left out: Squid
calls it a mistake.

Source: the Squid configuration reference, `acl ... dstdomain "file"`.
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

_CANARY = f"a request for http://{CANARY_NAME}/ is denied"
_ABOUT = 'For `acl bayanihan dstdomain "FILE"` and `http_access deny bayanihan`.'


def head(heading: Heading) -> list[str]:
    """The comments and the canary."""
    return [*commented("#", heading, _CANARY, _ABOUT), f".{CANARY_NAME}"]


def lines(item: Item) -> list[str]:
    """The name with all below it."""
    return [f".{item.value}"]


SQUID = Format(
    name="squid.acl",
    engine="squid -k parse",
    media_type="text/plain; charset=us-ascii",
    types=NAMES,
    refusal=name_refusal,
    head=head,
    lines=lines,
    canary=_CANARY,
    covers=True,
)
