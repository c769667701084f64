"""`misp/manifest.json`: a MISP feed, with its events and `misp/hashes.csv` beside it.

An event has what became valid on one day; a day with more than `EVENT_LIMIT` values has several,
see `misp_events`. Events and attributes keep their ids as long as they say the same, and an event
has a new time only when something in it is new, so that MISP fetches these alone. MISP keeps
attributes that an event no longer has: `indicators.csv` with "delta merge" lets it drop them.

Source: the MISP core format and the MISP feed layout (manifest, events, `hashes.csv`).
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from bayanihan.core import moment
from bayanihan.core.marking import strictest
from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import (
    ALERTING,
    EXERCISE_PREFIX,
    Around,
    Format,
    Heading,
    Item,
    Writer,
)
from bayanihan.readers.feeds.lines import Elements, File, Lines, Shared, ended
from bayanihan.readers.feeds.misp_events import Event, Events
from bayanihan.readers.feeds.stix_bundle import NAMESPACE

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
_CANARY = "the event whose name begins with `Bayanihan feed` says the version"


def refusal(observable: Observable) -> str | None:
    """Why it cannot be an attribute; None when it can."""
    return None if observable.value.isprintable() else "The value has no plain spelling."


def head(heading: Heading) -> list[str]:
    """The beginning of the manifest."""
    return ["{"]


def tail(heading: Heading) -> list[str]:
    """The canary's entry, and the manifest's end."""
    name, entry = _canary(heading)
    return [f"{_json(name)}:{_json(_listed(entry))}", "}"]


def check(body: bytes) -> str | None:
    """What a strict reader finds wrong with the manifest; None if nothing."""
    for name, entry in json.loads(body).items():
        if str(uuid.UUID(name)) != name or not entry["timestamp"]:
            return "an entry has no id or no time"
    return None


class Folder(Writer):
    """The manifest's lines, and the events and hashes beside it. See `Writer`."""

    def __init__(self, hub: str, feed: str) -> None:
        super().__init__()
        self._hub = hub
        self._feed = feed
        self._exercise = feed.startswith(EXERCISE_PREFIX)
        self._walked: list[tuple[str, bytes]] = []
        self._net: dict[tuple[str, bytes], int] = {}
        self.clear()

    def clear(self) -> None:
        """See `Writer`."""
        super().clear()
        self._walked, self._net = [], {}
        self._events = Events()
        self._entries: dict[Event, bytes] = {}
        self._files: dict[Event, File] = {}
        self._hashes, self._shared = Lines(), Shared()

    def walk(self, item: Item) -> None:
        """See `Writer`."""
        self._walked.append((_day(item), _attribute(item)))

    def walked(self) -> list[bytes]:
        """See `Writer`."""
        walked, self._walked = self._walked, []
        self._events.fill(walked)
        hashes: list[bytes] = []
        for event in self._events.every():
            self._write(event)
            name = self._id(event)
            for chunk in self._events.lines(event).chunks:
                hashes += [_hash_line(line, name) for line in chunk.lines()]
        self._hashes = Lines(self._shared.unique(hashes))
        return sorted(self._entries.values())

    def note(self, item: Item, more: int) -> None:
        """See `Writer`."""
        key = (_day(item), _attribute(item))
        self._net[key] = self._net.get(key, 0) + more

    def settled(self, around: Around, has: Callable[[bytes], bool]) -> dict[bytes, bool]:
        """See `Writer`."""
        net, self._net = self._net, {}
        change = self._events.change({key: more > 0 for key, more in net.items() if more})
        hashes: Counter[bytes] = Counter()
        for event, line, more in change.moves:
            hashes[_hash_line(line, self._id(event))] += more
        self._hashes.edit(self._shared.want(hashes, self._hashes.has))
        want: dict[bytes, bool] = {}
        for event in change.events & self._entries.keys():
            want[self._entries.pop(event)] = False
            del self._files[event]
        there = [event for event in change.events if self._events.size(event)]
        return want | {self._write(event): True for event in there}

    def pages(self, heading: Heading) -> Mapping[str, File]:
        """See `Writer`."""
        found = {f"{FOLDER}{self._id(event)}.json": file for event, file in self._files.items()}
        name, canary = _canary(heading)
        found[f"{FOLDER}{name}.json"] = File(_json({"Event": canary}).encode(), (), b"")
        found[f"{FOLDER}hashes.csv"] = File(b"", tuple(self._hashes.chunks), b"")
        return found

    def content(self) -> bytes:
        """See `Writer`."""
        digests = [self._files[event].tree_digest for event in sorted(self._files)]
        return hashlib.sha256("".join(digests).encode()).digest()

    @property
    def kept_bytes(self) -> int:
        """See `Writer`."""
        return self._hashes.kept_bytes + sum([file.kept_bytes for file in self._files.values()])

    def _write(self, event: Event) -> bytes:
        """Make an event's file; its line in the manifest."""
        head = self._head(event)
        beginning = _json({"Event": head}).removesuffix("}}")
        chunks = tuple(self._events.lines(event).chunks)
        opening = ended([f'{beginning},"Attribute":['])
        self._files[event] = Elements(opening, chunks, ended(["]}}"]))
        self._entries[event] = f"{_json(head['uuid'])}:{_json(_listed(head))},".encode()
        return self._entries[event]

    def _id(self, event: Event) -> str:
        part = f"{event.day} {event.bits} {event.start}"
        return str(uuid.uuid5(NAMESPACE, f"misp {self._hub} {self._feed} {part}"))

    def _head(self, event: Event) -> dict[str, Any]:
        """An event without its attributes."""
        stamp_s, levels = self._events.stamp_s(event), self._events.levels(event)
        info = f"Bayanihan: what may be blocked since {event.day}"
        return _event(self._id(event), event.day, info, stamp_s, self._hub, levels, self._exercise)


_IN_MANIFEST = ("Orgc", "Tag", "info", "date", "analysis", "threat_level_id", "timestamp")


def _json(document: Any) -> str:
    return msgspec.json.encode(document).decode()


def _listed(event: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest says of an event."""
    entry = {key: event[key] for key in _IN_MANIFEST}
    return entry | {"timestamp": int(event["timestamp"])}


def _hash_line(line: bytes, event_id: str) -> bytes:
    value = msgspec.json.decode(line[:-1], type=_Value).value
    return f"{hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()},{event_id}".encode()


class _Value(msgspec.Struct):
    value: str


def _event(
    name: str,
    day: str,
    info: str,
    stamp_s: int,
    hub: str,
    levels: Iterable[str],
    exercise: bool,
) -> dict[str, Any]:
    tags = [{"name": f"tlp:{strictest(set(levels) or {'clear'})}", "exportable": True}]
    if exercise:
        tags.append({"name": "exercise:generic", "exportable": True})
    return {
        "uuid": name,
        "info": f"EXERCISE EXERCISE EXERCISE: {info}" if exercise else info,
        "date": day,
        "timestamp": str(max(1, stamp_s)),
        "publish_timestamp": str(max(1, stamp_s)),
        "published": True,
        "analysis": "2",
        "threat_level_id": "4",
        "distribution": "0",
        "Orgc": {"uuid": str(uuid.uuid5(NAMESPACE, hub)), "name": hub},
        "Tag": tags,
    }


def _canary(heading: Heading) -> tuple[str, dict[str, Any]]:
    """The event that says what the feed is, under its id."""
    name = str(uuid.uuid5(NAMESPACE, f"misp {heading.hub} {heading.feed} canary"))
    info = (
        f"Bayanihan feed {heading.feed}, version: {heading.version}, cursor: {heading.cursor}, "
        f"items: {heading.items}, held: {heading.held}, not expressed: {heading.not_expressed}"
    )
    stamp_s = heading.changed_us // _US
    day = moment.render(heading.changed_us)[:10]
    event = _event(name, day, info, stamp_s, heading.hub, [heading.level], heading.exercise)
    return name, {**event, "Attribute": []}


def _day(item: Item) -> str:
    return moment.render(item.valid_from_us)[:10]


def _attribute(item: Item) -> bytes:
    """The line of an item: its id first, which begins with a hash of what it names."""
    category, type_ = _TYPES[item.type]
    attribute = {
        "uuid": str(uuid.uuid5(NAMESPACE, f"attribute {item.type} {item.value}")),
        "timestamp": str(max(1, item.since_us // _US)),
        "Tag": [{"name": f"tlp:{item.level}", "exportable": True}],
        "category": category,
        "type": type_,
        "value": item.value,
        "to_ids": item.mode == "block" and item.type != "tlsh",
        "comment": " ".join(item.ids),
    }
    return msgspec.json.encode(attribute) + b","


MISP = Format(
    name=f"{FOLDER}manifest.json",
    engine="MISP",
    media_type="application/json",
    types=frozenset(_TYPES),
    refusal=refusal,
    head=head,
    lines=lambda item: [],
    tail=tail,
    writer=Folder,
    canary=_CANARY,
    check=check,
    modes=ALERTING,
)
