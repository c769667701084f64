"""How AI is involved in an attack, as a STIX property extension.

    "extensions": {"extension-definition--df1453b7-...": {
        "extension_type": "property-extension", "vector": "phishing"}}

Vectors in `INFORM_ONLY` are there to inform people: they never enter a blocking feed, a
match list or a takedown notice.
"""

from __future__ import annotations

from typing import Any

from bayanihan.errors import Refused

EXTENSION_ID = "extension-definition--df1453b7-8580-45e3-880a-3d7a4cd48b90"

VECTORS = (
    "phishing",
    "malware",
    "identity-theft",
    "reconnaissance",
    "attack-on-ai",
    "information-manipulation",
    "data-misuse",
)
INFORM_ONLY = frozenset({"information-manipulation", "data-misuse"})


def vector_of(extensions: dict[str, Any] | None) -> str | None:
    """The vector that an object's `extensions` state, or None where they state none.

    Raises:
        Refused: `missing-property` or `bad-value`, with the JSON path from the object.
    """
    body = extensions.get(EXTENSION_ID) if extensions else None
    if body is None:
        return None
    if isinstance(body, dict) and body.get("extension_type") == "property-extension":
        vector = body.get("vector")
        if vector in VECTORS:
            return str(vector)
    raise _refused(body)


def _refused(body: Any) -> Refused:
    place = f"$.extensions.{EXTENSION_ID}"
    if not isinstance(body, dict):
        return Refused("bad-value", "The AI extension is not a JSON object.", where=place)
    for name in ("extension_type", "vector"):
        if name not in body:
            message = f"The AI extension has no `{name}`."
            return Refused("missing-property", message, where=f"{place}.{name}")
    if body["extension_type"] != "property-extension":
        message = "The AI extension is a `property-extension`."
        return Refused("bad-value", message, where=f"{place}.extension_type")
    message = f"The vector is none of {', '.join(VECTORS)}."
    return Refused("bad-value", message, where=f"{place}.vector")
