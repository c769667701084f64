"""`rpz.zone`: a response policy zone, for the resolver that people already run.

The file names no zone: owners are relative and the apex is `@`, so it loads under whatever
name the resolver's configuration gives it, up to `ZONE_OCTETS` long. Each blocked name and
all names below it answer NXDOMAIN. A name below another listed one has no record of its own:
it would make the names between the two exist, and the wildcard above would not reach these
(RFC 4592 section 2.2.2).

The serial is the moment of the content's last change in tenths of a second since 1970,
modulo 2^32, so it grows in the sense of RFC 1982 and tells nothing of positions.

The canary is local data: a resolver that has loaded this very version answers a TXT query
for `canary.bayanihan` with the version that the header names.

Source: RFC 1035 section 5 (master files); RFC 1982 (serials); RFC 4592 (wildcards);
draft-vixie-dnsop-dns-rpz-00 sections 3 and 4 (actions, triggers); RFC 4027 (`text/dns`).
"""

from __future__ import annotations

from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import NAMES, Format, Heading, Item, commented, name_refusal

CANARY = "canary.bayanihan"
ZONE_OCTETS = 64
TTL_S = 60

_OWNER_OCTETS = 255
# A name on the wire has a length octet before each label; `*.` takes two octets more.
_NAME_LIMIT = _OWNER_OCTETS - ZONE_OCTETS - 2 - 1
_TENTH_US = 100_000
_CANARY = f"a TXT query for {CANARY} answers with the version above"
_ABOUT = (
    "A response policy zone (RPZ): the resolver's configuration gives the zone its name.",
    f"The zone's name may take up to {ZONE_OCTETS} octets. In BIND, `qname-wait-recurse no`",
    "answers for what is listed, and for the canary, without asking the Internet first.",
)


def refusal(observable: Observable) -> str | None:
    """Why a name cannot be an owner in the zone; None when it can."""
    name = observable.value
    reason = name_refusal(observable)
    if reason is not None:
        return reason
    if len(name) > _NAME_LIMIT:
        return f"The name is longer than {_NAME_LIMIT} characters, which no policy zone holds."
    # Such a last label would make the owner a trigger on addresses or name servers.
    if name.rpartition(".")[2].startswith("rpz-"):
        return "The name ends in a word that policy zones read as a directive."
    if name == CANARY or name.endswith(f".{CANARY}"):
        return "The name is this zone's own canary."
    return None


def head(heading: Heading) -> list[str]:
    """The comments, the apex and the canary."""
    serial = heading.changed_us // _TENTH_US % (1 << 32)
    return [
        *commented(";", heading, _CANARY, *_ABOUT),
        f"$TTL {TTL_S}",
        f"@ SOA localhost. hostmaster.localhost. {serial} {TTL_S} {TTL_S} 432000 {TTL_S}",
        "@ NS localhost.",
        f'{CANARY} TXT "{heading.version}"',
    ]


def lines(item: Item) -> list[str]:
    """The name, and all names below it."""
    return [f"{item.value} CNAME .", f"*.{item.value} CNAME ."]


RPZ = Format(
    name="rpz.zone",
    engine="named-checkzone",
    media_type="text/dns",
    types=NAMES,
    refusal=refusal,
    head=head,
    lines=lines,
    canary=_CANARY,
    covers=True,
)
