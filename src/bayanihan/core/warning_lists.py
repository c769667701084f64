"""Warning lists, compiled: hundreds of thousands of values that no feed may block.

A list either holds (`LISTS` says how) or informs, and then it is left out: a cloud's ranges or
a scanner's addresses may well be where an attack comes from. The compiled form is read in
a tenth of a second. Digests are kept as 64-bit hashes, so that one in 10^14 strange ones is
held by chance; IPv6 is kept by the /64, which is one network.

Source: MISP warning lists, CC0-1.0. `python -m bayanihan.commands.warning_lists` compiles.
"""

from __future__ import annotations

import hashlib
import ipaddress
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bayanihan.core.observables import HASH_DIGITS, domain
from bayanihan.errors import Broken, Refused

MAGIC = b"bayanihan-lists-1\n"
RULES = ("never", "pages", "shared", "above")

# How the entries of each list are held, by the list's file. `never`: a name with all below it;
# `pages`: a site on which many publish, one page of it may be listed; `shared`: the name alone,
# since names below it may be anybody's; `range` and `digest` are what they say; `inform`: not
# held at all. Lists that are not here are not compiled: somebody must judge them first.
LISTS: dict[str, str] = {
    **dict.fromkeys(
        "bank-website captive-portals crl-hostname google microsoft microsoft-office365 "
        "microsoft-win10-connection-endpoints dax30".split(),
        "never",
    ),
    **dict.fromkeys(
        "automated-malware-analysis link-in-bio lots-project public-ipfs-gateways "
        "security-provider-blogpost university_domains url-shortener".split(),
        "pages",
    ),
    **dict.fromkeys(
        "alexa cisco_top1000 cisco_top5k cisco_top10k cloudflare-top200 cloudflare-top1k "
        "cloudflare-top2k cloudflare-top5k cloudflare-top10k dynamic-dns findip-host "
        "majestic_million moz-top500 public-dns-hostname tranco10k umbrella-blockpage-hostname "
        "whats-my-ip microsoft-mdca-proxy".split(),
        "shared",
    ),
    **dict.fromkeys(
        "akamai apple bunny-net cloudflare crl-ip fastly google-gmail-sending-ips googlebot "
        "icloud-private-relay microsoft-office365-cn microsoft-office365-ip public-dns-v4 "
        "public-dns-v6 smtp-receiving-ips smtp-sending-ips stackpath telegram-ips "
        "umbrella-blockpage-v4 umbrella-blockpage-v6 wikimedia zscaler".split(),
        "range",
    ),
    **dict.fromkeys(
        "common-ioc-false-positive eicar.com empty-hashes mozilla-CA mozilla-IntermediateCA "
        "ti-falsepositives".split(),
        "digest",
    ),
    **dict.fromkeys(
        "amazon-aws check-host-net cisco_top20k cloudflare-top20k cloudflare-top50k "
        "cloudflare-top100k common-contact-emails covid covid-19-cyber-threat-coalition-whitelist "
        "covid-19-krassi-whitelist digitalside disposable-email github google-gcp ipv6-linklocal "
        "microsoft-attack-simulator microsoft-azure microsoft-azure-appid microsoft-azure-china "
        "microsoft-azure-germany microsoft-azure-us-gov multicast openai-gptbot oracle-oci "
        "ovh-cluster parking-domain parking-domain-ns phone_numbers rfc1918 rfc3849 rfc5735 "
        "rfc6598 rfc6761 second-level-tlds sinkholes tlds vpn-ipv4 vpn-ipv6".split(),
        "inform",
    ),
}


class Held(msgspec.Struct, frozen=True):
    """What a list holds: the rule, the entry that fits, and the list's own name."""

    rule: str
    entry: str
    list: str


class _Names(msgspec.Struct):
    """The small part of the compiled form: the lists' names, and how long each part is."""

    lists: list[str]
    names: int
    text: int
    digests: int
    v4: int
    v6: int


def number_of(value: str) -> int:
    """The 64-bit hash that stands for a digest."""
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "big")


class WarningLists:
    """The compiled lists. Safe to share between threads.

    Args:
        data: what `compiled` made; b"" holds nothing.

    Raises:
        Broken: `record-damaged` for other bytes.
    """

    def __init__(self, data: bytes = b"") -> None:
        head, at = _Names([], 0, 0, 0, 0, 0), len(MAGIC)
        if data:
            if not data.startswith(MAGIC):
                raise Broken("record-damaged", "The compiled warning lists cannot be read")
            size = int.from_bytes(data[at : at + 4], "big")
            try:
                head = msgspec.json.decode(data[at + 4 : at + 4 + size], type=_Names)
            except msgspec.DecodeError:
                message = "The compiled warning lists cannot be read"
                raise Broken("record-damaged", message) from None
            at += 4 + size
        self._lists = head.lists
        reader = _Reader(data, at)
        names = reader.octets(head.text).decode().split("\n") if head.names else []
        codes = zip(reader.octets(head.names), reader.octets(head.names), strict=True)
        self._names = dict(zip(names, codes, strict=True))
        self._digests, self._digests_of = reader.numbers(head.digests), reader.octets(head.digests)
        self._spans = [
            (reader.numbers(count), reader.numbers(count), reader.octets(count))
            for count in (head.v4, head.v6)
        ]

    def __len__(self) -> int:
        return len(self._names) + len(self._digests) + sum(len(each[0]) for each in self._spans)

    def named(self, name: str) -> Held | None:
        """The rule for exactly this name, if a list has one."""
        found = self._names.get(name)
        return Held(RULES[found[0]], name, self._lists[found[1]]) if found else None

    def digest(self, value: str) -> str | None:
        """The list that a digest of a file is on."""
        wanted = number_of(value)
        index = bisect_left(self._digests, wanted)
        if index == len(self._digests) or self._digests[index] != wanted:
            return None
        return self._lists[self._digests_of[index]]

    def overlapping(self, version: int, first: int, last: int) -> str | None:
        """The list that a range overlaps, whichever of the two is the wider.

        Args:
            version: 4 or 6.
            first: the number of the range's first address.
            last: that of its last one.
        """
        starts, ends, of = self._spans[0 if version == 4 else 1]
        if version == 6:
            first, last = first >> 64, last >> 64
        index = bisect_right(starts, last) - 1
        if index < 0 or ends[index] < first:
            return None
        return self._lists[of[index]]


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def numbers(self, count: int) -> array[int]:
        found = array("Q", self._taken(8 * count))
        if sys.byteorder == "little":
            found.byteswap()
        return found

    def octets(self, count: int) -> bytes:
        return self._taken(count)

    def _taken(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) != size:
            raise Broken("record-damaged", "The compiled warning lists are cut short")
        self._at += size
        return part


class Source(msgspec.Struct, frozen=True):
    """One list as it comes: its file's stem, its own name, and its entries."""

    stem: str
    name: str
    entries: Sequence[str]


class Compiled(msgspec.Struct, frozen=True):
    """The compiled form, how many entries each list gave, and the lists nobody judged yet."""

    data: bytes
    counts: Mapping[str, int]
    unjudged: tuple[str, ...]


def compiled(sources: Iterable[Source]) -> Compiled:
    """The lists as one file of bytes, the same for the same lists."""
    names: dict[str, tuple[int, int]] = {}
    digests: dict[int, int] = {}
    spans: dict[int, list[tuple[int, int, int]]] = {4: [], 6: []}
    titles: list[str] = []
    counts: dict[str, int] = {}
    unjudged: list[str] = []
    order = {rule: number for number, rule in enumerate((*RULES, "range", "digest"))}
    for source in sorted(
        sources, key=lambda each: (order.get(LISTS.get(each.stem, ""), 9), each.stem)
    ):
        how = LISTS.get(source.stem)
        if how is None and not source.stem.endswith(("-scanning", "-scanner")):
            unjudged.append(source.stem)
        if how is None or how == "inform" or len(titles) > 255:
            continue
        titles.append(source.name)
        counts[source.stem] = _take(source, how, len(titles) - 1, names, digests, spans)
    return Compiled(_written(titles, _with_above(names), digests, spans), counts, tuple(unjudged))


def _take(
    source: Source,
    how: str,
    number: int,
    names: dict[str, tuple[int, int]],
    digests: dict[int, int],
    spans: dict[int, list[tuple[int, int, int]]],
) -> int:
    """Take one list in; how many of its entries could be read."""
    count = 0
    for entry in source.entries:
        text = entry.strip().lower().removeprefix("*.").strip(".")
        if how == "digest":
            if len(text) in HASH_DIGITS.values():
                digests.setdefault(number_of(text), number)
                count += 1
        elif how == "range":
            count += _take_range(text, number, spans)
        else:
            count += _take_name(text, how, number, names)
    return count


def _take_name(text: str, how: str, number: int, names: dict[str, tuple[int, int]]) -> bool:
    try:
        name = domain(text.partition("/")[0]).value
    except Refused:
        return False
    # The first rule that is told stays: the stricter lists come first.
    names.setdefault(name, (RULES.index(how), number))
    return True


def _with_above(names: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """The names, with those above them that no list has itself."""
    found = dict(names)
    for name, (_, number) in names.items():
        above = name.partition(".")[2]
        while "." in above:
            found.setdefault(above, (RULES.index("above"), number))
            above = above.partition(".")[2]
    return found


def _take_range(text: str, number: int, spans: dict[int, list[tuple[int, int, int]]]) -> bool:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    shift = 0 if network.version == 4 else 64
    first, last = int(network.network_address) >> shift, int(network.broadcast_address) >> shift
    spans[network.version].append((first, last, number))
    return True


def _written(
    titles: list[str],
    names: dict[str, tuple[int, int]],
    digests: dict[int, int],
    spans: dict[int, list[tuple[int, int, int]]],
) -> bytes:
    merged = [_merged(spans[version]) for version in (4, 6)]
    ordered = sorted(names.items())
    text = "\n".join([name for name, _ in ordered]).encode()
    head = msgspec.json.encode(
        _Names(titles, len(names), len(text), len(digests), len(merged[0]), len(merged[1]))
    )
    parts = [
        MAGIC + len(head).to_bytes(4, "big") + head,
        text,
        bytes([rule for _, (rule, _) in ordered]),
        bytes([number for _, (_, number) in ordered]),
        _numbers(sorted(digests)),
        bytes([digests[each] for each in sorted(digests)]),
    ]
    for part in merged:
        parts += [_numbers([each[index] for each in part]) for index in (0, 1)]
        parts.append(bytes([each[2] for each in part]))
    return b"".join(parts)


def _merged(spans: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Spans without overlap, in order; where two overlap the first list's name stays."""
    found: list[tuple[int, int, int]] = []
    for first, last, number in sorted(spans):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]), found[-1][2])
        else:
            found.append((first, last, number))
    return found


def _numbers(values: Sequence[int]) -> bytes:
    return b"".join([value.to_bytes(8, "big") for value in values])
