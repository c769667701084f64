"""Tools for tests: their code is a few lines, and they run as any tool does."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bayanihan.sandbox.isolate import LEVELS, Isolator
from bayanihan.sandbox.manifest import read_manifest
from bayanihan.sandbox.tool import Tool, ToolFile, digest_of

READY = "import json, os, sys, time\nprint('{\"ready\":1}', flush=True)\n"
EACH = READY + "for line in sys.stdin:\n    item = json.loads(line)\n"


def answering(verdict: str = "'benign'", before: str = "pass") -> str:
    """The code of a tool that answers each item; `before` runs for each, `item` is at hand."""
    answer = f"print(json.dumps({{'id': item['id'], 'verdict': {verdict}}}), flush=True)"
    return f"{EACH}    {before}\n    {answer}\n"


def manifest_of(**changes: Any) -> dict[str, Any]:
    """A manifest that is good, with changes."""
    return {
        "id": "probe",
        "version": "1",
        "vendor": "tests",
        "vectors": ["phishing"],
        "languages": ["en"],
        "command": ["python", "tool.py"],
        **changes,
    }


def tool_of(code: str, **changes: Any) -> Tool:
    """A tool of this code."""
    files = files_of(code, **changes)
    return Tool(read_manifest(files["tool.json"].data), files, digest_of(files))


def files_of(code: str, **changes: Any) -> dict[str, ToolFile]:
    """The files of a tool of this code."""
    return {
        "tool.json": ToolFile(json.dumps(manifest_of(**changes)).encode(), False),
        "tool.py": ToolFile(code.encode(), False),
    }


def write_tool(folder: Path, code: str, **changes: Any) -> Path:
    """A tool of this code as a folder."""
    folder.mkdir(parents=True)
    for name, file in files_of(code, **changes).items():
        (folder / name).write_bytes(file.data)
    return folder


@contextmanager
def no_more_than(size_bytes: int) -> Iterator[None]:
    """No file grows beyond a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def isolator_or_skip(level: str) -> Isolator:
    """The isolator of a level; the test is skipped where this machine lacks it, except in CI."""
    found = LEVELS[level]()
    why = found.missing()
    if why and not os.environ.get("CI"):
        pytest.skip(f"isolation {level}: {why}")
    assert not why
    return found
