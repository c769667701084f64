"""What a confirmed draft becomes: STIX objects that enter like anybody else's.

An incident with the AI involvement and the fingerprints, an indicator for each value, and a
report that holds them together. The evidence itself, its text and its subject stay home.

Source: STIX 2.1 sections 4.6, 4.7 and 4.16.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from bayanihan.core import ai, moment
from bayanihan.core.ai_involvement import Claim, extension
from bayanihan.core.fingerprint import EXTENSION_ID, as_extension
from bayanihan.intake.report import prints_of

Random = Callable[[int], bytes]


def objects_of(
    draft_id: str, content: Mapping[str, Any], now_us: int, random: Random
) -> list[dict[str, Any]]:
    """The objects of a draft.

    Args:
        draft_id: the incident's id is made of it, so that publishing twice is one incident.
        content: the draft's content.
        now_us: the hub's clock.
        random: gives so many random bytes.
    """
    at = moment.render(now_us)
    involvement = content["ai"]
    claims = (msgspec.convert(involvement[name], Claim) for name in ("reported", "estimated"))
    told = extension(content["vector"], *claims)
    incident_id = f"incident--{draft_id}"
    stamped = {"spec_version": "2.1", "created": at, "modified": at}
    incident: dict[str, Any] = {
        "type": "incident",
        "id": incident_id,
        **stamped,
        "name": _name(content),
        "extensions": {ai.EXTENSION_ID: told},
    }
    if content["note"]:
        incident["description"] = content["note"]
    if content["language"] != "und":
        incident["labels"] = [f"lang:{content['language']}"]
    prints = prints_of(content)
    if not prints.is_empty:
        incident["extensions"][EXTENSION_ID] = as_extension(prints)
    indicators = [
        {
            "type": "indicator",
            "id": f"indicator--{_random_id(random)}",
            **stamped,
            "name": each["value"],
            "description": each["why"],
            "pattern": each["pattern"],
            "pattern_type": "stix",
            "valid_from": at,
            "extensions": {
                ai.EXTENSION_ID: {
                    "extension_type": "property-extension",
                    "vector": content["vector"],
                }
            },
        }
        for each in content["indicators"]
        if each["pattern"]
    ]
    report = {
        "type": "report",
        "id": f"report--{_random_id(random)}",
        **stamped,
        "name": _name(content),
        "published": at,
        "object_refs": [incident_id, *(each["id"] for each in indicators)],
    }
    return [incident, *indicators, report]


def _name(content: Mapping[str, Any]) -> str:
    language = content["language"]
    told = f" ({language})" if language != "und" else ""
    return f"{content['vector']}: reported {content['kind']}{told}"


def _random_id(random: Random) -> str:
    return str(uuid.UUID(bytes=random(16), version=4))
