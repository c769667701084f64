"""STIX 2.0 objects as STIX 2.1, the same bytes for the same input.

Nothing is lost: a label becomes a type where the 2.1 vocabulary has the word, and stays a
label where it has not; properties that 2.1 dropped stay as custom ones. One object gives
one object, but for observed data, whose inner observables become objects of their own
(`observables_20`). What comes out is meant for `stix.check`, which has the last word.

Source: OASIS STIX 2.1 appendix on changes since 2.0; STIX 2.0 parts 1 to 5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from bayanihan.core import json_bytes, pattern
from bayanihan.core.marking import TLP_1_IDS
from bayanihan.core.stix_vocab import VOCABULARIES
from bayanihan.errors import Refused
from bayanihan.intake.observables_20 import split_observed

_encode = msgspec.json.Encoder().encode

# Type in 2.0 -> the property that takes its labels in 2.1, and that property's vocabulary.
_LABELS = {
    "indicator": ("indicator_types", "indicator-type"),
    "malware": ("malware_types", "malware-type"),
    "report": ("report_types", "report-type"),
    "threat-actor": ("threat_actor_types", "actor-type"),
    "tool": ("tool_types", "tool-type"),
}
_TLP_WORDS = {
    ref: "WHITE" if level == "clear" else level.upper() for level, ref in TLP_1_IDS.items()
}


def upgrade(raw: bytes) -> list[bytes]:
    """The STIX 2.1 objects that one STIX 2.0 object amounts to, the main one first.

    Args:
        raw: the 2.0 object as submitted; an object of 2.1 is given back as it is.

    Raises:
        Refused: what `json_bytes.strict` refuses, and `bad-value` or `missing-property`
            with the path of what cannot be upgraded.
    """
    value = json_bytes.decode(raw)
    if not isinstance(value, dict):
        raise Refused("bad-value", "A STIX object is a JSON object.", where="$")
    if value.get("spec_version") not in (None, "2.0"):
        return [raw]
    kind = value.get("type")
    if not isinstance(kind, str):
        raise Refused("missing-property", "The object has no `type`.", where="$.type")
    _move_labels(kind, value)
    change = _CHANGES.get(kind)
    if change is not None:
        change(value)
    if kind == "observed-data" and "objects" in value:
        return [_encode(_dated(item)) for item in _split(value)]
    return [_encode(_dated(value))]


def _split(value: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        return split_observed(value)
    except RecursionError:
        message = "The observables refer to each other over too many steps."
        raise Refused("too-deep", message, where="$.objects") from None


def _dated(value: dict[str, Any]) -> dict[str, Any]:
    """`value` with its version of STIX in second place."""
    kind = value.pop("type")
    value.pop("spec_version", None)
    return {"type": kind, "spec_version": "2.1", **value}


def _move_labels(kind: str, value: dict[str, Any]) -> None:
    if kind not in _LABELS or "labels" not in value:
        return
    target, vocabulary = _LABELS[kind]
    labels = _texts(value, "labels")
    known = VOCABULARIES[vocabulary]
    terms = [label for label in labels if label in known]
    if not terms or target in value:
        return
    rest = [label for label in labels if label not in known]
    value[target] = terms
    if rest:
        value["labels"] = rest
    else:
        del value["labels"]


def _texts(value: dict[str, Any], name: str) -> list[str]:
    found = value[name]
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise Refused("bad-value", f"`{name}` is not a list of strings.", where=f"$.{name}")
    return found


def _indicator(value: dict[str, Any]) -> None:
    kind = value.setdefault("pattern_type", "stix")
    text = value.get("pattern")
    if not isinstance(text, str):
        raise Refused("missing-property", "The indicator has no pattern.", where="$.pattern")
    if kind != "stix":
        return
    try:
        value["pattern"] = pattern.upgrade_20(text)
    except Refused as fault:
        where = f"$.pattern {fault.where}".rstrip()
        raise Refused(fault.code, fault.message, where=where) from None


def _malware(value: dict[str, Any]) -> None:
    # 2.0 does not say whether it means a family or one sample; a family would need a name.
    value.setdefault("is_family", False)


def _identity(value: dict[str, Any]) -> None:
    """In 2.0 the labels of an identity are its roles."""
    if "labels" in value and "roles" not in value:
        value["roles"] = _texts(value, "labels")
        del value["labels"]


def _marking_definition(value: dict[str, Any]) -> None:
    if value.get("definition_type") == "tlp" and value.get("id") in _TLP_WORDS:
        value.setdefault("name", f"TLP:{_TLP_WORDS[value['id']]}")


_CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "indicator": _indicator,
    "malware": _malware,
    "identity": _identity,
    "marking-definition": _marking_definition,
}
