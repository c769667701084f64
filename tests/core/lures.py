"""The frozen lures, and what the extractor is given beside a text."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import msgspec
from publicsuffixlist import PublicSuffixList

FOLDER = Path(__file__).parent.parent / "vectors" / "lures"
_RESERVED = frozenset({"example", "invalid", "test"})


@functools.cache
def suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)


def endings(label: str) -> bool:
    return label in _RESERVED or suffixes().publicsuffix(f"x.{label}") is not None


@functools.cache
def records() -> list[dict[str, Any]]:
    lines = (FOLDER / "texts.jsonl").read_text(encoding="utf-8").splitlines()
    return [msgspec.json.decode(line) for line in lines]
