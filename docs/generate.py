"""Writes what the reference takes from the code: `make docs`, or `--check` to compare only.

A generated part stands between two marker lines of its page; what is around it is written
by hand and stays. `PARTS` names each part with the page that holds it.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec
from cyclopts import App
from litestar import Litestar

from bayanihan import cli
from bayanihan.app import handlers
from bayanihan.config import Settings
from bayanihan.errors import CODES
from bayanihan.hub import Hub
from bayanihan.sandbox.answer import Answer, Question
from bayanihan.sandbox.attest import Predicate
from bayanihan.sandbox.corpus import Card, Item
from bayanihan.sandbox.gate import Gate
from bayanihan.sandbox.isolate import Limits
from bayanihan.sandbox.manifest import Manifest
from bayanihan.sandbox.offer import (
    Answered,
    Batch,
    Cost,
    Found,
    Lease,
    Offer,
    Said,
    Share,
    Standing,
)
from bayanihan.sandbox.result import Honesty, Laboratory, Performance, Score
from bayanihan.sandbox.seal import Commitment

# A path parameter as the framework writes it, with its type.
_PARAMETER = re.compile(r"\{(\w+):\w+\}")

REFERENCE = Path(__file__).resolve().parent / "reference"
_FAMILIES = {
    "refused": "What was sent is at fault: mend it and send it again.",
    "unavailable": "The hub cannot take it now: wait and send the same again.",
    "broken": "The hub's own record, disk or set-up is at fault: its operator must act.",
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; bars inside cells are escaped."""
    names = list(head)
    lines = [names, ["---"] * len(names), *(list(row) for row in rows)]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def errors() -> str:
    """One table a family, each code with its status and its next step."""
    parts = []
    for family, meaning in _FAMILIES.items():
        rows = [
            (f"`{name}`", str(code.status), code.next_step)
            for name, code in CODES.items()
            if code.family == family
        ]
        heading = f"## {family.capitalize()}\n\n{meaning}\n\n"
        parts.append(heading + table(("Code", "Status", "Next step"), rows))
    return "\n".join(parts)


def verbs() -> dict[str, str]:
    """Every command as it is typed -> the first sentence of its help."""
    found: dict[str, str] = {}
    for name, place in cli.COMMANDS.items():
        module, _, attribute = place.partition(":")
        verb = getattr(importlib.import_module(module), attribute)
        if not isinstance(verb, App):
            found[name] = _first_line(verb.__doc__)
            continue
        found.update(_verbs_of(name, verb))
    return found


def _verbs_of(name: str, verb: App) -> dict[str, str]:
    found: dict[str, str] = {}
    for sub in [sub for sub in verb if not sub.startswith("-")]:
        command = verb[sub].default_command
        if command is None:
            found.update(_verbs_of(f"{name} {sub}", verb[sub]))
        else:
            found[f"{name} {sub}"] = _first_line(command.__doc__)
    return found


def endpoints() -> dict[str, str]:
    """Every address with its method -> the first sentence of what it does."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(Path(folder))
        try:
            routes = Litestar(handlers(hub), openapi_config=None).routes
        finally:
            hub.close()
    for route in routes:
        made = route.route_handlers if hasattr(route, "route_handlers") else [route.route_handler]
        for handler in made:
            for method in sorted(getattr(handler, "http_methods", {"GET"}) - {"HEAD", "OPTIONS"}):
                address = _PARAMETER.sub(r"{\1}", route.path)
                found[f"{method} {address}"] = _first_line(handler.fn.__doc__)
    return dict(sorted(found.items(), key=lambda item: item[0].split()[::-1]))


def settings() -> dict[str, str]:
    """Every setting of hub.toml -> its default, as TOML writes it."""
    found, whole = {}, Settings()
    for name in Settings.__struct_fields__:
        value = getattr(whole, name)
        found[name] = msgspec.json.encode(value).decode()
        if name in ("limits", "proxy", "tls"):
            for inner in value.__struct_fields__:
                told = msgspec.json.encode(getattr(value, inner)).decode()
                found[f"{name}.{inner}"] = told
    return found


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _listed(head: str, names: Mapping[str, str]) -> str:
    return table((head, "What"), [(f"`{name}`", about) for name, about in names.items()])


# What the sandbox reads and writes: the name in front of its fields -> the struct.
SANDBOX: dict[str, type[msgspec.Struct]] = {
    "tool": Manifest,
    "item": Question,
    "answer": Answer,
    "corpus": Card,
    "items": Item,
    "limits": Limits,
    "score": Score,
    "gate": Gate,
    "performance": Performance,
    "honesty": Honesty,
    "laboratory": Laboratory,
    "offer": Offer,
    "said": Said,
    "lease": Lease,
    "batch": Batch,
    "row": Answered,
    "cost": Cost,
    "standing": Standing,
    "share": Share,
    "found": Found,
    "predicate": Predicate,
    "commitment": Commitment,
}


def sandbox() -> dict[str, str]:
    """Every field of what the sandbox reads and writes -> what its struct says of it."""
    found: dict[str, str] = {}
    for prefix, struct in SANDBOX.items():
        told = _attributes(struct.__doc__ or "")
        for field in msgspec.structs.fields(struct):
            found[f"{prefix}.{field.encode_name}"] = told[field.encode_name]
    return found


def _attributes(docstring: str) -> dict[str, str]:
    """The `Attributes` of a docstring; several names may share a line."""
    _, _, listed = docstring.partition("Attributes:\n")
    found: dict[str, str] = {}
    for entry in re.split(r"\n {8}(?=\S)", "\n" + listed.rstrip()):
        names, _, text = " ".join(entry.split()).partition(": ")
        found |= dict.fromkeys(names.split(", "), text)
    return found


# page -> what is generated into it
PARTS: dict[str, Callable[[], str]] = {
    "errors.md": errors,
    "commands.md": lambda: _listed("Command", verbs()),
    "endpoints.md": lambda: _listed("Address", endpoints()),
    "sandbox.md": lambda: _listed("Field", sandbox()),
}


def filled(page: str, name: str, text: str) -> str:
    """The page with the part `name` replaced by `text`.

    Raises:
        ValueError: the page lacks the part's marker lines.
    """
    start, end = f"<!-- generated: {name} -->\n", f"<!-- end: {name} -->\n"
    before, opened, rest = page.partition(start)
    _, closed, after = rest.partition(end)
    if not (opened and closed):
        raise ValueError(f"the page has no lines {start.strip()} and {end.strip()}")
    return f"{before}{start}\n{text}\n{end}{after}"


def stale(folder: Path) -> dict[Path, str]:
    """The pages that differ from what the code says now, with their new text."""
    found = {}
    for name, generate in PARTS.items():
        path = folder / name
        if not path.exists():
            continue
        old = path.read_text(encoding="utf-8")
        new = filled(old, name.removesuffix(".md"), generate())
        if new != old:
            found[path] = new
    return found


def main(arguments: list[str]) -> int:
    """Write the stale pages, or with `--check` name them and answer 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args(arguments).check
    pages = stale(REFERENCE)
    for path, text in pages.items():
        sys.stdout.write(f"{'differs' if check else 'written'}: {path.name}\n")
        if not check:
            path.write_text(text, encoding="utf-8")
    return int(check and bool(pages))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
