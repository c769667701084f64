"""What an engine can be asked about: the names in a feed's file, and its canary.

A file is read line by line, in either of two shapes: a response policy zone
(`name CNAME .`), or one value a line. Comments begin with `#` or `;`; one of those at the
top says how many items there are. The canary is a name of the hub's own that every version
blocks or answers, so that it can be asked for; where it is a TXT record, its text names
the version.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

CANARIES = frozenset({b"canary.bayanihan", b"canary.bayanihan.invalid"})
_ITEMS = re.compile(rb"[#;][ \t]*items: (\d{1,12})\b")
_RECORD = re.compile(
    rb"(?P<name>[^\s;@\"]+)[ \t]+(?:\d+[ \t]+)?(?:IN[ \t]+)?"
    rb"(?:CNAME[ \t]+(?P<target>\.)|TXT[ \t]+\"(?P<text>[^\"\\]*)\")[ \t]*(?:;.*)?",
    re.IGNORECASE,
)
# What begins otherwise could be taken for an option of the command that asks.
_VALUE = re.compile(rb"[A-Za-z0-9_][!-~]{0,2047}")


class Subject(msgspec.Struct, frozen=True):
    """What to ask about a version.

    `canary` is its canary and `expect` the text it answers with, "" where it has none.
    `item` is a value that this version is the first to have, "" when there is none.
    `covers_control` says that the control name is blocked by this version.
    """

    canary: str
    expect: str
    item: str
    covers_control: bool


def names(lines: Iterable[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
    """Each name that a file blocks, with its text where it is a TXT record, else None.

    A wildcard stands for the name below it and is left out.
    """
    for line in lines:
        line = line.strip()
        if line[:1] in b"#;$@*":  # also an empty line
            continue
        record = _RECORD.fullmatch(line)
        if record:
            name, text = record["name"], record["text"]
        elif _VALUE.fullmatch(line):
            name, text = line, None
        else:
            continue
        if _VALUE.fullmatch(name):
            yield name, text


def count(path: Path) -> int:
    """How many items a file says that it holds, or else how many values it blocks."""
    with path.open("rb") as file:
        for line in itertools.takewhile(lambda line: line[:1] in b"#;", file):
            if said := _ITEMS.match(line):
                return int(said[1])
    with path.open("rb") as file:
        return sum(name not in CANARIES for name, _ in names(file))


def subject(path: Path, before: Path | None, control: str, choose: Callable[[int], int]) -> Subject:
    """What to ask about the version in `path`.

    Args:
        path: the file in its place.
        before: the version before it, if there was one.
        control: the name that must not be blocked.
        choose: a random number below its argument.
    """
    old: set[int] = set()
    if before is not None and before.exists():
        with before.open("rb") as file:
            old = {hash(name) for name, _ in names(file)}
    parents = _self_and_parents(control.lower().encode())
    canary, expect, item = b"", b"", b""
    covers, new = False, 0
    with path.open("rb") as file:
        for name, text in names(file):
            covers = covers or name.lower() in parents
            if name in CANARIES:
                canary, expect = (name, text or b"") if not canary else (canary, expect)
            elif text is None and hash(name) not in old:
                new += 1
                item = name if choose(new) == 0 else item
    return Subject(canary.decode(), expect.decode(), item.decode(), covers)


def _self_and_parents(name: bytes) -> set[bytes]:
    labels = name.rstrip(b".").split(b".")
    return {b".".join(labels[at:]) for at in range(len(labels))}
