"""What a page says of an object: read leniently from its bytes, whatever they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from bayanihan.core.ai import EXTENSION_ID, vector_of
from bayanihan.errors import Refused

_LABELS = {
    "indicator": "Indicator",
    "incident": "Incident",
    "report": "Report",
    "sighting": "Sighting",
    "identity": "Identity",
    "malware": "Malware",
    "campaign": "Campaign",
    "intrusion-set": "Intrusion set",
    "threat-actor": "Threat actor",
    "attack-pattern": "Attack pattern",
    "course-of-action": "Course of action",
    "marking-definition": "Marking",
    "ipv4-addr": "IPv4 address",
    "ipv6-addr": "IPv6 address",
    "domain-name": "Domain name",
    "url": "URL",
    "email-addr": "Mail address",
    "x509-certificate": "Certificate",
}
# A vector alone says nothing of how far an AI was involved; these degrees do.
_INVOLVED = ("assisted", "generated", "autonomous")


class Facts(msgspec.Struct, frozen=True):
    """An object in a few words. Every text is as hostile as the object itself."""

    type: str
    label: str
    title: str
    pattern: str = ""
    description: str = ""
    vector: str = ""


def facts_of(object_id: str, body: bytes | None, name_of: Callable[[str], str]) -> Facts:
    """The facts of an object.

    Args:
        object_id: its id, which names the type.
        body: its bytes; None where they are too many to read for a page.
        name_of: what another object that it refers to is called.
    """
    kind = object_id.partition("--")[0]
    label = _LABELS.get(kind) or kind.replace("-", " ").capitalize()
    value = _decoded(body)
    pattern = _text(value, "pattern")
    return Facts(
        kind,
        label,
        _title(kind, value, name_of) or pattern or object_id,
        pattern,
        _text(value, "description"),
        _vector(value),
    )


def _decoded(body: bytes | None) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def name_in(body: bytes) -> str:
    """What an object calls itself; "" when it has no name."""
    return _name(_decoded(body))


def _title(kind: str, value: dict[str, Any], name_of: Callable[[str], str]) -> str:
    if kind == "sighting":
        return f"Sighting of {_quoted(name_of(_text(value, 'sighting_of_ref')))}"
    if kind == "relationship":
        ends = [_quoted(name_of(_text(value, end))) for end in ("source_ref", "target_ref")]
        return f" {_text(value, 'relationship_type')} ".join(ends)
    return _name(value)


def _quoted(name: str) -> str:
    return f"\u201c{name}\u201d"


def _name(value: dict[str, Any]) -> str:
    return next(filter(None, (_text(value, name) for name in ("name", "value", "abstract"))), "")


def _vector(value: dict[str, Any]) -> str:
    """The vector, and how far an AI was involved where somebody said so or the hub estimates it."""
    extensions = value.get("extensions")
    try:
        vector = vector_of(extensions if isinstance(extensions, dict) else None)
    except Refused:
        return ""
    if not vector:
        return ""
    word, told = vector.replace("-", " ").replace(" ai", " AI"), value["extensions"][EXTENSION_ID]
    for name, origin in (("reported", ""), ("estimated", " (estimate)")):
        claim = told.get(name)
        degree = claim.get("degree") if isinstance(claim, dict) else None
        if degree in _INVOLVED:
            return f"{word}, AI {degree}{origin}"
    return word
