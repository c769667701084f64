from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bayanihan.core.ai import VECTORS
from bayanihan.core.ai_involvement import (
    METHODS,
    UNKNOWN,
    Claim,
    claim_of,
    estimate,
    extension,
    schema,
)
from bayanihan.errors import Refused

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data" / "stix"


def test_the_published_schema_is_the_codes_and_holds_what_is_made() -> None:
    published = json.loads((ROOT / "docs" / "schemas" / "ai-involvement.json").read_text())
    assert published == schema()
    claim = Claim("generated", ("voice",), ("forensic-analysis",), "high", "a kit")
    for vector in VECTORS:
        jsonschema.validate(extension(vector, claim, UNKNOWN), published)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"extension_type": "property-extension", "vector": "x"}, published)


def test_unknown_is_the_default_and_both_words_stand_apart() -> None:
    body = extension("phishing", Claim("generated", ("text",)), UNKNOWN)
    assert body["reported"]["degree"] == "generated"
    assert body["estimated"] == {"degree": "unknown", "confidence": "unknown"}


@pytest.mark.parametrize(
    "given", [{"degree": "surely"}, {"role": ["mind"]}, {"other": 1}, [], {"note": "n" * 501}]
)
def test_a_claim_in_other_words_is_refused(given: Any) -> None:
    with pytest.raises(Refused) as caught:
        claim_of(given, "ai")
    assert caught.value.code == "bad-value"


def test_style_proves_nothing_and_what_a_model_left_does() -> None:
    fluent = "Dear customer, we kindly ask you to verify your account at your convenience."
    assert estimate([fluent]) == UNKNOWN
    left = estimate(["Here is the revised email: Dear [Your Name], ..."])
    assert (left.degree, left.evidence) == ("generated", ("prompt-residue",))


@pytest.mark.skipif(not SHARED.exists(), reason="the public data are not beside this checkout")
def test_every_technique_exists() -> None:
    known: set[str] = set()
    for name in (
        "atlas/stix-atlas.json.gz",
        "DISARM.json.gz",
        "attack/enterprise-attack-15.json.gz",
    ):
        for each in json.loads(gzip.decompress((SHARED / name).read_bytes()))["objects"]:
            known |= {ref.get("external_id", "") for ref in each.get("external_references", [])}
    for _, _, techniques in METHODS.values():
        assert set(techniques) <= known
