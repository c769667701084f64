"""Reads `docs/promises.md`: one line a promise, with the test or command that shows it."""

from __future__ import annotations

import ast
import functools
import re
from dataclasses import dataclass
from pathlib import Path

PENDING = "pending"
_LINE = re.compile(r"^\| (?P<id>[A-Z]-\d{2,3}) \| (?P<text>.+?) \| (?P<shown>[^|]+) \|$")
_LOOKS_LIKE_ONE = re.compile(r"^\|\s*[A-Z]+-?\d")


@dataclass(frozen=True)
class Promise:
    """One line of the table. `shown` holds references: tests, commands, or `pending`."""

    id: str
    text: str
    shown: tuple[str, ...]

    @property
    def issue(self) -> str:
        """The issue's letter."""
        return self.id.split("-", 1)[0]

    @property
    def number(self) -> int:
        """The promise's number within its issue."""
        return int(self.id.split("-", 1)[1])

    @property
    def is_pending(self) -> bool:
        """Whether nothing shows it yet."""
        return PENDING in self.shown


def read(page: str) -> list[Promise]:
    """The promises of a page, in order. A line that nearly is one raises ValueError."""
    found = []
    for number, line in enumerate(page.splitlines(), 1):
        match = _LINE.match(line)
        if match:
            shown = tuple(
                part.strip() for part in re.split(r",\s(?![^`]*`(?:,|$))", match["shown"])
            )
            found.append(Promise(match["id"], match["text"].strip(), shown))
        elif _LOOKS_LIKE_ONE.match(line):
            raise ValueError(f"line {number} is not `| A-01 | what | shown by |`: {line}")
    return found


def order_faults(promises: list[Promise]) -> list[str]:
    """Ids that are used twice or do not ascend within their issue."""
    faults = []
    last: dict[str, int] = {}
    for promise in promises:
        if promise.number <= last.get(promise.issue, 0):
            faults.append(f"{promise.id} comes after {promise.issue}-{last[promise.issue]:02}")
        last[promise.issue] = max(promise.number, last.get(promise.issue, 0))
    return faults


def _names(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    return {
        node.name: node
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


@functools.cache
def _parsed(text: str) -> ast.Module:
    """Many promises name tests of one file."""
    return ast.parse(text)


def case_fault(reference: str, root: Path) -> str:
    """Why `path::[Class::]test` is not a test of this checkout; "" when it is."""
    path, *names = reference.split("::")
    file = root / path
    if not path.startswith("tests/") or not names or not file.is_file():
        return f"{reference}: no such test file"
    body = _parsed(file.read_text(encoding="utf-8")).body
    for name in names:
        node = _names(body).get(name)
        if node is None:
            return f"{reference}: no {name} there"
        body = node.body if isinstance(node, ast.ClassDef) else []
    if not names[-1].startswith("test"):
        return f"{reference}: {names[-1]} is not collected as a test"
    return ""


def command_fault(command: str, verbs: set[str]) -> str:
    """Why a command cannot be run here; "" when it can.

    Args:
        command: without the backquotes.
        verbs: the targets of the Makefile.
    """
    words = command.split()
    if words[:1] == ["make"]:
        unknown = [word for word in words[1:] if word not in verbs]
        return f"{command}: make knows no {unknown[0]}" if unknown else ""
    ours = words[:1] in (["bayanihan"], [".venv/bin/bayanihan"])
    if ours or words[:3] in (["python", "-m", "bench"], ["python", "-m", "tests.soak"]):
        return ""
    return f"{command}: starts with none of make, bayanihan, python -m bench or tests.soak"


def reference_faults(promises: list[Promise], root: Path, verbs: set[str]) -> list[str]:
    """References that lead nowhere."""
    faults = []
    for promise in promises:
        if promise.is_pending and len(promise.shown) > 1:
            faults.append(f"{promise.id}: pending beside something that shows it")
        for reference in promise.shown:
            fault = ""
            if reference.startswith("`") and reference.endswith("`"):
                fault = command_fault(reference.strip("`"), verbs)
            elif reference != PENDING:
                fault = case_fault(reference, root)
            if fault:
                faults.append(f"{promise.id}: {fault}")
    return faults


def lost(before: list[Promise], now: list[Promise]) -> list[str]:
    """Ids that an earlier version of the page had and this one has not."""
    kept = {promise.id for promise in now}
    return [promise.id for promise in before if promise.id not in kept]


def withdrawn(before: list[Promise], now: list[Promise]) -> list[str]:
    """Ids that were shown and are pending again."""
    kept = {promise.id: promise for promise in now}
    return [
        promise.id
        for promise in before
        if promise.id in kept and kept[promise.id].is_pending and not promise.is_pending
    ]


def unresolved(promises: list[Promise], resolved: list[str]) -> list[str]:
    """Ids of pending promises of issues that are called resolved."""
    return [promise.id for promise in promises if promise.is_pending and promise.issue in resolved]
