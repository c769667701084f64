"""What is claimed about AI's part in an attack: by whom, how far, on what evidence.

"AI-made" is a graded claim and "unknown" is where it starts: of 454 "deepfake cases" that one
country counted, 3 were. What the reporter says and what the hub estimates are kept apart, and
neither overwrites the other. The fields are those of the extension in `core.ai`.

Source: MITRE ATLAS 5.6, MITRE ATT&CK 15 and DISARM 1.6 for the ids of techniques.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from bayanihan.core.ai import VECTORS
from bayanihan.errors import Refused

ROLES = (
    "text",
    "voice",
    "face",
    "video",
    "image",
    "code-mutation",
    "data-synthesis",
    "reconnaissance",
    "orchestration",
    "target",
)
DEGREES = ("unknown", "none", "assisted", "generated", "autonomous")
CONFIDENCES = ("unknown", "low", "medium", "high")
EVIDENCE = (
    "reporter-statement",
    "forensic-analysis",
    "detector-output",
    "content-credentials",
    "prompt-residue",
    "tool-artefact",
    "request-cadence",
    "confession",
    "vendor-report",
)
_TEXT_LIMIT = 500

# For each vector: how it was done before, how AI does it, and the techniques' ids.
METHODS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "phishing": (
        "mass mail from a template, with tell-tale faults of language",
        "a personal lure in the victim's own language, a cloned voice or face as a pretext",
        ("AML.T0052", "AML.T0088", "T1566", "T1598"),
    ),
    "malware": (
        "packed or hand-made variants of one family",
        "code rewritten for each victim, or at run time by a model that it asks",
        ("AML.T0102", "T1027", "T1059"),
    ),
    "identity-theft": (
        "stolen documents, a recorded voice",
        "synthetic faces and voices against identity checks, invented persons",
        ("AML.T0073", "AML.T0088", "T1656"),
    ),
    "reconnaissance": (
        "scanners with a fixed list",
        "agents that choose what to ask next, at a machine's pace and with breadth",
        ("AML.T0006", "T1595", "T1590"),
    ),
    "attack-on-ai": (
        "input that breaks a program",
        "injected prompts, poisoned data, stolen models",
        ("AML.T0051", "AML.T0020", "AML.T0024"),
    ),
    "information-manipulation": (
        "edited pictures, paid comments",
        "synthetic video and voice of persons, text at volume",
        ("AML.T0048", "T0086.002", "T0087.001", "T0088.001"),
    ),
    "data-misuse": (
        "sale of leaked records",
        "profiles drawn from leaked records, data made out of them",
        ("AML.T0057", "AML.T0035"),
    ),
}

# Left behind where an answer was pasted with what the model said around it.
_RESIDUE = re.compile(
    r"(?i)as an ai (?:language )?model|i cannot assist with"
    r"|here(?:'s| is) (?:a|the) (?:revised|rewritten|persuasive) (?:email|message|version)"
    r"|\[(?:your|insert|recipient'?s?) (?:name|bank|company)[^\]]*\]|sebagai model bahasa"
    r"|ในฐานะโมเดลภาษา|là một mô hình ngôn ngữ|作为一个?(?:人工智能|ai)?语言模型"
)


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One party's word about AI's part. Everything is unknown until somebody says more."""

    degree: str = "unknown"
    role: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    confidence: str = "unknown"
    kit: str = ""
    note: str = ""


UNKNOWN = Claim()


def claim_of(given: Any, where: str) -> Claim:
    """A claim as somebody wrote it.

    Raises:
        Refused: `bad-value` for a word that is none of the lists', with its place.
    """
    try:
        claim = msgspec.convert(given, Claim)
    except msgspec.ValidationError as error:
        raise Refused("bad-value", f"This is no claim about AI: {error}", where=where) from None
    for name, values, known in (
        ("degree", (claim.degree,), DEGREES),
        ("confidence", (claim.confidence,), CONFIDENCES),
        ("role", claim.role, ROLES),
        ("evidence", claim.evidence, EVIDENCE),
    ):
        for value in values:
            if value not in known:
                message = f"`{value[:40]}` is none of {', '.join(known)}"
                raise Refused("bad-value", message, where=f"{where}.{name}")
    if max(len(claim.kit), len(claim.note)) > _TEXT_LIMIT:
        raise Refused("bad-value", f"A note has {_TEXT_LIMIT} characters at most", where=where)
    return claim


def estimate(texts: Sequence[str], *, has_credentials: bool = False) -> Claim:
    """What the hub itself can tell from evidence: nearly always nothing.

    A well-written lure proves no model, and a clumsy one excludes none; style is not judged.
    """
    if any(_RESIDUE.search(text) for text in texts):
        return Claim("generated", ("text",), ("prompt-residue",), "medium")
    if has_credentials:
        return Claim(evidence=("content-credentials",))
    return UNKNOWN


def extension(vector: str, reported: Claim, estimated: Claim) -> dict[str, Any]:
    """The body of the extension: the vector, both claims apart, and the techniques' ids."""
    body: dict[str, Any] = {"extension_type": "property-extension", "vector": vector}
    body["reported"] = _plain(reported)
    body["estimated"] = _plain(estimated)
    body["techniques"] = list(METHODS[vector][2])
    return body


def _plain(claim: Claim) -> dict[str, Any]:
    given: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(claim))
    kept = ("degree", "confidence")
    return {name: value for name, value in given.items() if value or name in kept}


def schema() -> dict[str, Any]:
    """The extension as a JSON Schema (draft 2020-12)."""
    words = {"type": "array", "uniqueItems": True}
    claim = {
        "type": "object",
        "required": ["degree"],
        "additionalProperties": False,
        "properties": {
            "degree": {"enum": list(DEGREES), "default": "unknown"},
            "confidence": {"enum": list(CONFIDENCES), "default": "unknown"},
            "role": {**words, "items": {"enum": list(ROLES)}},
            "evidence": {**words, "items": {"enum": list(EVIDENCE)}},
            "kit": {"type": "string", "maxLength": _TEXT_LIMIT},
            "note": {"type": "string", "maxLength": _TEXT_LIMIT},
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "AI involvement",
        "type": "object",
        "required": ["extension_type", "vector"],
        "properties": {
            "extension_type": {"const": "property-extension"},
            "vector": {"enum": list(VECTORS)},
            "reported": claim,
            "estimated": claim,
            "techniques": {**words, "items": {"type": "string"}},
        },
    }
