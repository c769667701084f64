"""Reads the STIX vectors of our own writing, and what stands beside the checkout."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).resolve().parents[1] / "vectors/stix"
SHARED = Path(__file__).resolve().parents[2] / "../shared"

VALID: dict[str, dict[str, Any]] = {
    item["type"]: item for item in json.loads((VECTORS / "valid.json").read_text("utf-8"))
}


def load(name: str) -> list[dict[str, Any]]:
    """A vector file of changes to `VALID` objects."""
    found: list[dict[str, Any]] = json.loads((VECTORS / name).read_text("utf-8"))
    return found


def changed(vector: dict[str, Any]) -> bytes:
    """The bytes of the valid object of a vector's type with the vector's changes."""
    value = {**VALID[vector["type"]], **vector.get("set", {})}
    for name in vector.get("drop", ()):
        del value[name]
    return compact(value)


def compact(value: Any) -> bytes:
    """JSON as the quick road likes it: no white space, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def shared(path: str) -> Path:
    """A file beside the checkout; skips the test where it is absent."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"needs {path} in a folder `shared` beside the checkout")
    return found


def shared_bytes(path: str) -> bytes:
    """The content of a file beside the checkout, unpacked."""
    data = shared(path).read_bytes()
    return gzip.decompress(data) if path.endswith(".gz") else data
