"""`nftables.nft`: sets and chains for the Linux packet filter, loaded with `nft -f`.

A table of its own (`bayanihan`, or `bayanihan_exercise`) is made anew in one transaction, so
that nothing of the machine's own rules is touched. Traffic to and from what is listed is
dropped and counted. Single addresses and ranges have sets of their own: a set of single
addresses is a hash table, which takes a million.

Source: nft(8), sets and transactions.
"""

from __future__ import annotations

from bayanihan.readers.feeds.format import (
    ADDRESSES,
    CANARY_ADDRESS,
    Format,
    Heading,
    Item,
    address_refusal,
    commented,
)

SETS = {"ipv4": "hosts4", "ipv6": "hosts6", "cidr4": "ranges4", "cidr6": "ranges6"}

_CANARY = f"{CANARY_ADDRESS} is an element of the set hosts4"
_ABOUT = "For `nft -f`. It makes its own table anew and touches no other."
_RULES = [
    f"{family} {end} @{place}{number} counter drop"
    for family, number in (("ip", 4), ("ip6", 6))
    for end in ("saddr", "daddr")
    for place in ("hosts", "ranges")
]


def head(heading: Heading) -> list[str]:
    """The comments, the table with its sets and chains, and the canary."""
    table = _table(exercise=heading.exercise)
    lines = [
        *commented("#", heading, _CANARY, _ABOUT),
        f"table {table} {{}}",
        f"delete table {table}",
        f"table {table} {{",
        f'  comment "version {heading.version}"',
    ]
    for type_, name in SETS.items():
        kind = "ipv4_addr" if type_.endswith("4") else "ipv6_addr"
        interval = " flags interval; auto-merge;" if type_.startswith("cidr") else ""
        lines.append(f"  set {name} {{ type {kind};{interval} }}")
    for hook in ("input", "forward", "output"):
        lines.append(f"  chain {hook} {{")
        lines.append(f"    type filter hook {hook} priority -10; policy accept;")
        lines += [f"    {rule}" for rule in _RULES]
        lines.append("  }")
    return [*lines, "}", f"add element {table} hosts4 {{ {CANARY_ADDRESS} }}"]


def lines(item: Item) -> list[str]:
    """One element of the set of its kind."""
    table = _table(exercise=item.exercise)
    return [f"add element {table} {SETS[item.type]} {{ {item.value} }}"]


def _table(*, exercise: bool) -> str:
    return "inet bayanihan_exercise" if exercise else "inet bayanihan"


NFTABLES = Format(
    name="nftables.nft",
    engine="nft -c",
    media_type="text/plain; charset=us-ascii",
    types=ADDRESSES,
    refusal=address_refusal,
    head=head,
    lines=lines,
    canary=_CANARY,
)
