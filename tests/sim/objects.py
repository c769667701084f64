"""STIX objects of our own making, each with names that nothing else in a run uses."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any


def accepted(answer: Mapping[str, Any]) -> bool:
    """Whether all that was submitted was accepted."""
    return bool(answer["accepted"]) and not answer["duplicate"] and not answer["refused"]


_count = 0


def domain() -> str:
    """A name that nothing else in this run uses."""
    global _count
    _count += 1
    return f"n{_count}-{uuid.uuid4().hex[:8]}.example"


def indicator(*, value: str = "", **more: Any) -> dict[str, Any]:
    """An indicator of a domain name, with an id and a name of its own unless given."""
    value = value or domain()
    stix_id = f"indicator--{uuid.uuid4()}"
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": stix_id,
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "name": value,
        "indicator_types": ["malicious-activity"],
        "pattern": f"[domain-name:value = '{value}']",
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        **more,
    }


def statement(**more: Any) -> dict[str, Any]:
    """A marking that restricts nothing."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": f"marking-definition--{uuid.uuid4()}",
        "created": "2026-01-01T00:00:00.000Z",
        "definition_type": "statement",
        "definition": {"statement": "Example Press, 2026"},
        **more,
    }
