"""What a confirmed draft becomes: STIX objects that enter like anybody else's.

An incident with the AI involvement and the fingerprints, an indicator for each value, and a
report that holds them together. The evidence itself, its text and its subject stay home.

Source: STIX 2.1 sections 4.6, 4.7 and 4.16.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bayanihan.core import ai, moment
from bayanihan.core.ai_involvement import Claim, extension
from bayanihan.core.fingerprint import EXTENSION_ID, as_extension
from bayanihan.core.stix_id import random_id_from
from bayanihan.intake.report import prints_of


def objects_of(draft_id: str, content: Mapping[str, Any], at_us: int) -> list[dict[str, Any]]:
    """The objects of a draft: the same for the same draft and moment, byte for byte.

    Args:
        draft_id: every id is made of it, so that what is published twice enters once.
        content: the draft's content.
        at_us: when a person confirmed it.
    """
    at = moment.render(at_us)
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
            "id": random_id_from("indicator", f"{draft_id} {each['pattern']}".encode()),
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
        "id": random_id_from("report", draft_id.encode()),
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
