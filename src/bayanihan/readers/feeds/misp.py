"""`misp/manifest.json`: a MISP feed, with its events and `misp/hashes.csv` beside it.

An event has what became valid on one day; a day with more than `EVENT_LIMIT` values has
several, parted by a hash, so that no event outgrows what MISP can take. Events and
attributes keep their ids as long as they say the same. MISP keeps attributes that an event
no longer has: `indicators.csv` with "delta merge" lets it drop them.

Source: the MISP core format and the MISP feed layout (manifest, events, `hashes.csv`).
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from bayanihan.core import moment
from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import ALERTING, Format, Heading, Item
from bayanihan.readers.feeds.stix_bundle import NAMESPACE

EVENT_LIMIT = 5_000
FOLDER = "misp/"

_US = 1_000_000
_TYPES = {
    "domain": ("Network activity", "domain"),
    "ipv4": ("Network activity", "ip-dst"),
    "ipv6": ("Network activity", "ip-dst"),
    "cidr4": ("Network activity", "ip-dst"),
    "cidr6": ("Network activity", "ip-dst"),
    "url": ("Network activity", "url"),
    "email": ("Payload delivery", "email-src"),
    "tlsh": ("Payload delivery", "tlsh"),
    **{
        name: ("Payload delivery", name)
        for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3-224")
    },
    **{name: ("Payload delivery", name) for name in ("sha3-256", "sha3-384", "sha3-512")},
}
_CANARY = "the manifest's key `bayanihan` in each entry says the version"


def refusal(observable: Observable) -> str | None:
    """Why it cannot be an attribute; None when it can."""
    return None if observable.value.isprintable() else "The value has no plain spelling."


def head(heading: Heading) -> list[str]:
    """Nothing: the manifest is made as a whole."""
    return []


def events(items: Sequence[Item], heading: Heading) -> Iterator[dict[str, Any]]:
    """The events of the feed, in order of day and part."""
    days: dict[str, list[Item]] = {}
    for item in items:
        days.setdefault(moment.render(item.valid_from_us)[:10], []).append(item)
    for day in sorted(days):
        for part, members in sorted(_parts(days[day]).items()):
            yield _event(day, part, members, heading)


def pages(items: Sequence[Item], heading: Heading) -> dict[str, bytes]:
    """Every file of the feed by its name; the manifest is the one the feed is named after."""
    found: dict[str, bytes] = {}
    manifest: dict[str, Any] = {}
    hashes: list[str] = []
    for event in events(items, heading):
        name = event["uuid"]
        found[f"{FOLDER}{name}.json"] = msgspec.json.encode({"Event": event})
        entry = {key: event[key] for key in _IN_MANIFEST}
        manifest[name] = {**entry, "timestamp": int(event["timestamp"])}
        manifest[name]["bayanihan"] = {"version": heading.version, "items": heading.items}
        for attribute in event["Attribute"]:
            digest = hashlib.md5(attribute["value"].encode(), usedforsecurity=False).hexdigest()
            hashes.append(f"{digest},{name}")
    found[f"{FOLDER}hashes.csv"] = "".join(line + "\n" for line in sorted(set(hashes))).encode()
    found[f"{FOLDER}manifest.json"] = msgspec.json.encode(manifest)
    return found


def check(body: bytes) -> str | None:
    """What a strict reader finds wrong with the manifest; None if nothing."""
    for name, entry in json.loads(body).items():
        if str(uuid.UUID(name)) != name or not entry["timestamp"]:
            return "an entry has no id or no time"
    return None


_IN_MANIFEST = ("Orgc", "Tag", "info", "date", "analysis", "threat_level_id", "timestamp")


def _parts(items: list[Item]) -> dict[int, list[Item]]:
    """The items of a day, parted by a hash into as many parts as keep each one small."""
    count = 1
    while len(items) > count * EVENT_LIMIT // 2 and count < 4_096:
        count *= 2
    parts: dict[int, list[Item]] = {}
    for item in items:
        digest = hashlib.sha256(f"{item.type}:{item.value}".encode()).digest()
        parts.setdefault(int.from_bytes(digest[:2], "big") % count, []).append(item)
    return parts


def _event(day: str, part: int, items: list[Item], heading: Heading) -> dict[str, Any]:
    exercise = "EXERCISE EXERCISE EXERCISE: " if heading.exercise else ""
    tags = [{"name": f"tlp:{heading.level}", "exportable": True}]
    if heading.exercise:
        tags.append({"name": "exercise:generic", "exportable": True})
    stamp = str(max(1, heading.changed_us // _US))
    return {
        "uuid": str(uuid.uuid5(NAMESPACE, f"misp {heading.hub} {heading.feed} {day} {part}")),
        "info": f"{exercise}Bayanihan: what may be blocked since {day}",
        "date": day,
        "timestamp": stamp,
        "publish_timestamp": stamp,
        "published": True,
        "analysis": "2",
        "threat_level_id": "4",
        "distribution": "0",
        "Orgc": {"uuid": str(uuid.uuid5(NAMESPACE, heading.hub)), "name": heading.hub},
        "Tag": tags,
        "Attribute": [_attribute(item) for item in items],
    }


def _attribute(item: Item) -> dict[str, Any]:
    category, type_ = _TYPES[item.type]
    return {
        "uuid": str(uuid.uuid5(NAMESPACE, f"attribute {item.type} {item.value}")),
        "category": category,
        "type": type_,
        "value": item.value,
        "to_ids": item.mode == "block" and item.type != "tlsh",
        "timestamp": str(max(1, item.valid_from_us // _US)),
        "comment": " ".join(item.ids),
        "Tag": [{"name": f"tlp:{item.level}", "exportable": True}],
    }


MISP = Format(
    name=f"{FOLDER}manifest.json",
    engine="MISP",
    media_type="application/json",
    types=frozenset(_TYPES),
    refusal=refusal,
    head=head,
    lines=lambda item: [],
    pages=pages,
    canary=_CANARY,
    check=check,
    modes=ALERTING,
)
