"""`bundle.json`: a STIX 2.1 bundle with one indicator for each value that may be blocked.

The objects as their authors wrote them are at `/api/objects` and over TAXII; an author's
object may name several values, and some of these may be held. So this bundle has indicators
of the hub's own, one for each value that passed, each with a reference to the objects that
name it. An indicator's id follows from all it says: what says something else is another one.

Source: OASIS STIX 2.1 sections 3, 4.7, 7.2 and 8.
"""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import msgspec

from bayanihan.core import moment
from bayanihan.core.marking import TLP_2_IDS
from bayanihan.core.observables import HASH_DIGITS, Observable
from bayanihan.readers.active import FOREVER_US
from bayanihan.readers.feeds.format import (
    ADDRESSES,
    NAMES,
    Format,
    Heading,
    Item,
)

# Ours, fixed for ever: the namespace of the ids of what the hub makes itself.
NAMESPACE = uuid.UUID("5d1f2a36-0a0c-5a4b-9d43-5f9e7b6a1c02")

_HASH_NAMES = {
    "md5": "MD5",
    "sha1": "SHA-1",
    "sha256": "SHA-256",
    "sha512": "SHA-512",
    "sha3-256": "SHA3-256",
    "sha3-512": "SHA3-512",
}
_PATHS = {
    "domain": "domain-name:value",
    "url": "url:value",
    "email": "email-addr:value",
    "ipv4": "ipv4-addr:value",
    "cidr4": "ipv4-addr:value",
    "ipv6": "ipv6-addr:value",
    "cidr6": "ipv6-addr:value",
    **{type_: f"file:hashes.'{name}'" for type_, name in _HASH_NAMES.items()},
}
_CANARY = "the identity named `Bayanihan feed` says the version in its description"


def refusal(observable: Observable) -> str | None:
    """Why no pattern can name it; None when one can."""
    if not observable.value.isprintable():
        return "The value has no plain spelling."
    return None


def head(heading: Heading) -> list[str]:
    """The bundle's own beginning."""
    bundle = f"bundle--{uuid.uuid5(NAMESPACE, heading.version)}"
    return [f'{{"type":"bundle","id":"{bundle}","objects":[']


def lines(item: Item) -> list[str]:
    """One indicator, with the comma behind it."""
    operator = "ISSUBSET" if item.type in {"cidr4", "cidr6"} else "="
    value = item.value.replace("\\", "\\\\").replace("'", "\\'")
    from_ = moment.render(item.valid_from_us)
    document: dict[str, Any] = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": "",
        "created": from_,
        "modified": from_,
        "name": item.value,
        "pattern": f"[{_PATHS[item.type]} {operator} '{value}']",
        "pattern_type": "stix",
        "valid_from": from_,
        "object_marking_refs": [TLP_2_IDS[item.level]],
        "external_references": [
            {"source_name": "bayanihan", "external_id": object_id} for object_id in item.ids
        ],
    }
    if item.valid_until_us != FOREVER_US:
        document["valid_until"] = moment.render(item.valid_until_us)
    if item.exercise:
        document["labels"] = ["exercise"]
    if not item.ids:
        del document["external_references"]
    name = uuid.uuid5(NAMESPACE, msgspec.json.encode(document).decode())
    document["id"] = f"indicator--{name}"
    return [msgspec.json.encode(document).decode() + ","]


def tail(heading: Heading) -> list[str]:
    """An identity that says what the bundle is, and the bundle's end."""
    at = moment.render(heading.changed_us)
    exercise = "EXERCISE EXERCISE EXERCISE: nothing here is a real threat. "
    document = {
        "type": "identity",
        "spec_version": "2.1",
        "id": f"identity--{uuid.uuid5(NAMESPACE, heading.hub)}",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": at if heading.changed_us else "2026-01-01T00:00:00.000Z",
        "name": "Bayanihan feed",
        "description": (
            f"{exercise if heading.exercise else ''}{heading.feed}, "
            f"TLP:{heading.level.upper()}, version: {heading.version}, "
            f"cursor: {heading.cursor}, items: {heading.items}, held: {heading.held}, "
            f"not expressed: {heading.not_expressed}"
        ),
        "identity_class": "system",
        "object_marking_refs": [TLP_2_IDS[heading.level]],
    }
    return [msgspec.json.encode(document).decode(), "]}"]


class _Named(msgspec.Struct):
    id: str


class _Bundle(msgspec.Struct):
    type: str
    id: str
    objects: list[_Named]


_read = msgspec.json.Decoder(_Bundle).decode


def check(body: bytes) -> str | None:
    """What a strict reader finds wrong with a file; None if nothing.

    It is read as a whole for its shape and for ids, and line by line for all else: a large
    bundle would take many times its size as objects.
    """
    try:
        ids = [each.id for each in _read(body).objects]
        for line in io.BytesIO(body):
            text = line.rstrip(b",\n")
            if text.startswith(b"{") and text.endswith(b"}"):
                json.loads(text)
    except ValueError as error:
        return f"it is not JSON: {error}"
    if len(set(ids)) != len(ids):
        return "an id comes twice"
    return None


BUNDLE = Format(
    name="bundle.json",
    engine="any program that reads STIX 2.1",
    media_type="application/stix+json;version=2.1",
    types=NAMES | ADDRESSES | {"url", "email", *(_HASH_NAMES.keys() & HASH_DIGITS.keys())},
    refusal=refusal,
    head=head,
    lines=lines,
    tail=tail,
    canary=_CANARY,
    check=check,
)
