"""`unbound.conf`: local zones for the Unbound resolver, to be included in its configuration.

Each listed name and all names below it answer NXDOMAIN. The canary is local data: a TXT
query for `canary.bayanihan` answers with the version.

Source: unbound.conf(5), `local-zone` and `local-data`.
"""

from __future__ import annotations

from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import NAMES, Format, Heading, Item, commented, name_refusal

CANARY = "canary.bayanihan"

_CANARY = f"a TXT query for {CANARY} answers with the version above"
_ABOUT = "For an `include:` line at the top level of unbound.conf."


def refusal(observable: Observable) -> str | None:
    """Why a name cannot be a local zone; None when it can."""
    name = observable.value
    if name == CANARY or name.endswith(f".{CANARY}"):
        return "The name is this file's own canary."
    if any(len(label) > 63 for label in name.split(".")) or len(name) > 253:
        return "The name is longer than names in the DNS can be."
    return name_refusal(observable)


def head(heading: Heading) -> list[str]:
    """The comments, the section and the canary."""
    return [
        *commented("#", heading, _CANARY, _ABOUT),
        "server:",
        f'local-zone: "{CANARY}." static',
        f"local-data: '{CANARY}. 60 IN TXT \"{heading.version}\"'",
    ]


def lines(item: Item) -> list[str]:
    """One local zone, which takes the names below along."""
    return [f'local-zone: "{item.value}." always_nxdomain']


UNBOUND = Format(
    name="unbound.conf",
    engine="unbound-checkconf",
    media_type="text/plain; charset=us-ascii",
    types=NAMES,
    refusal=refusal,
    head=head,
    lines=lines,
    canary=_CANARY,
    covers=True,
)
