"""The four baselines that run in every trial. Their code runs isolated, and is never imported."""

from __future__ import annotations

from pathlib import Path

from bayanihan.sandbox.tool import Tool, load_tool

NAMES = ("always-allow", "always-block", "regex", "tfidf")


def baselines() -> list[Tool]:
    """The baselines as tools, in the order in which results list them."""
    return [load_tool(Path(__file__).parent / name.replace("-", "_")) for name in NAMES]
