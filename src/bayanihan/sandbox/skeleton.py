"""What `trial init` writes: a tool that works at once, with the contract in its comments."""

from __future__ import annotations

import json
from pathlib import Path

from bayanihan.errors import Refused
from bayanihan.sandbox.manifest import MANIFEST_FILE

_CODE = '''"""A tool for `bayanihan trial`: it reads one item a line and answers on one line.

Say {"ready":1} once, when you have loaded your model. Then answer item after item, in their order
and at once: never wait for the next one. The item: {"id","medium","text"} and, for mail, "sender"
and "subject". The answer: {"id","verdict"} with the verdict "malicious" or "benign", and if you
like "score" from 0 to 1 and "reason". What you write to standard error is shown to you when the
tool fails.
"""

import json
import sys


def judge(item):
    """Replace this with your model."""
    return "malicious" if "password" in item["text"].lower() else "benign"


print(json.dumps({"ready": 1}), flush=True)
for line in sys.stdin:
    item = json.loads(line)
    print(json.dumps({"id": item["id"], "verdict": judge(item)}), flush=True)
'''


def write_skeleton(folder: Path) -> None:
    """Write a tool into a new folder. Raises `Refused` when there is something already."""
    name = "".join(c for c in folder.name.lower() if c.isascii() and (c.isalnum() or c in "._-"))
    manifest = {
        "id": name.lstrip("._-")[:64] or "my-tool",
        "version": "0.1",
        "vendor": "put your name here",
        "vectors": ["phishing"],
        "languages": ["en"],
        "command": ["python", "tool.py"],
    }
    try:
        folder.mkdir(parents=True)
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2) + "\n")
        (folder / "tool.py").write_text(_CODE)
    except FileExistsError:
        raise Refused(
            "cannot-write",
            "This folder is there already",
            where=str(folder),
            next_step="Name a folder that does not exist yet.",
        ) from None
    except OSError as error:
        raise Refused("cannot-write", error.strerror or str(error), where=str(folder)) from None
