from __future__ import annotations

from typing import Any

import pytest

from bayanihan.core.ai import EXTENSION_ID, INFORM_ONLY, VECTORS, vector_of
from bayanihan.errors import Refused


def body(**extra: Any) -> dict[str, Any]:
    return {EXTENSION_ID: {"extension_type": "property-extension", **extra}}


@pytest.mark.parametrize("vector", VECTORS)
def test_each_vector_is_read(vector: str) -> None:
    assert vector_of(body(vector=vector, degree="likely")) == vector


def test_no_extension_is_no_vector() -> None:
    assert vector_of(None) is None
    assert vector_of({}) is None
    assert vector_of({"other-ext": {"vector": "phishing"}}) is None


def test_what_informs_is_a_vector() -> None:
    assert set(VECTORS) > INFORM_ONLY == {"information-manipulation", "data-misuse"}


@pytest.mark.parametrize(
    ("extensions", "code", "end"),
    [
        (body(), "missing-property", ".vector"),
        (body(vector="telepathy"), "bad-value", ".vector"),
        (body(vector=["phishing"]), "bad-value", ".vector"),
        (body(vector=None), "bad-value", ".vector"),
        ({EXTENSION_ID: {"vector": "phishing"}}, "missing-property", ".extension_type"),
        (body(vector="phishing") | {EXTENSION_ID: []}, "bad-value", EXTENSION_ID),
        (
            {EXTENSION_ID: {"extension_type": "new-sdo", "vector": "phishing"}},
            "bad-value",
            ".extension_type",
        ),
    ],
)
def test_a_fault_is_refused_with_its_path(extensions: Any, code: str, end: str) -> None:
    with pytest.raises(Refused) as caught:
        vector_of(extensions)
    assert caught.value.code == code
    assert caught.value.where.startswith("$.extensions.")
    assert caught.value.where.endswith(end)
