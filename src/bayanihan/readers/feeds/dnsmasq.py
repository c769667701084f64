"""`dnsmasq.conf`: names that dnsmasq answers itself, to be read with `conf-file=`.

`local=/name/` without a server answers NXDOMAIN for the name and all names below it. The
canary is a TXT record that answers with the version.

Source: dnsmasq(8), `--local` and `--txt-record`.
"""

from __future__ import annotations

from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import NAMES, Format, Heading, Item, commented, name_refusal

CANARY = "canary.bayanihan"

_CANARY = f"a TXT query for {CANARY} answers with the version above"
_ABOUT = "For a `conf-file=` line of dnsmasq.conf."


def refusal(observable: Observable) -> str | None:
    """Why dnsmasq cannot answer for a name; None when it can."""
    name = observable.value
    if name == CANARY or name.endswith(f".{CANARY}"):
        return "The name is this file's own canary."
    if any(len(label) > 63 for label in name.split(".")) or len(name) > 253:
        return "The name is longer than names in the DNS can be."
    return name_refusal(observable)


def head(heading: Heading) -> list[str]:
    """The comments and the canary."""
    return [
        *commented("#", heading, _CANARY, _ABOUT),
        f'txt-record={CANARY},"{heading.version}"',
    ]


def lines(item: Item) -> list[str]:
    """One name, which takes the names below along."""
    return [f"local=/{item.value}/"]


DNSMASQ = Format(
    name="dnsmasq.conf",
    engine="dnsmasq --test",
    media_type="text/plain; charset=us-ascii",
    types=NAMES,
    refusal=refusal,
    head=head,
    lines=lines,
    canary=_CANARY,
    covers=True,
)
