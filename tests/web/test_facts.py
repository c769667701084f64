"""What a page says of an object in a few words, hostile ones included."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bayanihan.core.ai import EXTENSION_ID, VECTORS
from bayanihan.web.facts import facts_of


def told(extension: Any) -> str:
    body = {"type": "indicator", "name": "x", "extensions": {EXTENSION_ID: extension}}
    return facts_of("indicator--x", json.dumps(body).encode(), lambda _: "").vector


def with_claims(**claims: Any) -> dict[str, Any]:
    return {"extension_type": "property-extension", "vector": "phishing", **claims}


@pytest.mark.parametrize("vector", VECTORS)
def test_a_vector_alone_says_of_no_attack_that_an_ai_made_it(vector: str) -> None:
    said = told({"extension_type": "property-extension", "vector": vector})
    assert said == {"attack-on-ai": "attack on AI"}.get(vector, vector.replace("-", " "))


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"reported": {"degree": "unknown"}, "estimated": {"degree": "unknown"}}, "phishing"),
        ({"reported": {"degree": "none"}}, "phishing"),
        ({"reported": {"degree": "generated"}}, "phishing, AI generated"),
        ({"estimated": {"degree": "assisted"}}, "phishing, AI assisted (estimate)"),
        (
            {"reported": {"degree": "autonomous"}, "estimated": {"degree": "assisted"}},
            "phishing, AI autonomous",
        ),
        ({"reported": [], "estimated": {"degree": ["generated"]}}, "phishing"),
        ({"reported": {"degree": "<b>"}, "estimated": 7}, "phishing"),
    ],
)
def test_how_far_an_ai_was_involved_is_said_where_it_is_known(
    claims: dict[str, Any], said: str
) -> None:
    assert told(with_claims(**claims)) == said


@pytest.mark.parametrize("extension", [None, [], "phishing", {"vector": "phishing"}, {}])
def test_a_garbled_extension_says_nothing(extension: Any) -> None:
    assert told(extension) == ""
