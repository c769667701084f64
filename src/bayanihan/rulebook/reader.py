"""A strict reader for the YAML that jurists edit: plain data, with a line for each key.

YAML is pleasant to edit and dangerous to load, so only its harmless part is read:

* no tags (`!!python/...`), no anchors and aliases (the "billion laughs"), no merge keys;
* each key once per mapping; keys are text;
* `true`, `false`, `null` and numbers are what they look like; all else is text, so that the
  answer `no` and the country `NO` stay words;
* numbers keep every digit: whole ones are `int`, others `Decimal`;
* size, depth and number of items are bounded.

Errors name the file and the line.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import yaml

from bayanihan.errors import Refused

SIZE_LIMIT_BYTES = 4_000_000
DEPTH_LIMIT = 24
ITEM_LIMIT = 200_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]{1,40}\Z")
_NUMBER = re.compile(
    r"[-+]?(?:[0-9]{1,40}\.[0-9]{0,40}|\.[0-9]{1,40}|[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?\Z"
)
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}


class Mapping(dict[str, Any]):
    """A mapping that knows its file and the line of each of its keys."""

    __slots__ = ("file", "line", "lines")

    def __init__(self, file: str, line: int) -> None:
        super().__init__()
        self.file = file
        self.line = line
        self.lines: dict[str, int] = {}

    def place(self, key: str = "") -> str:
        """`file:line` of the key, or of the mapping itself."""
        return f"{self.file}:{self.lines.get(key, self.line)}"


def read(text: str, file: str) -> Any:
    """Read one YAML document into plain data (`Mapping`, list, text, int, Decimal, bool, None).

    Args:
        text: the document.
        file: its name, for errors.

    Raises:
        Refused: `bad-value`, `duplicate-key`, `too-large` or `too-deep`, with `file:line`.
    """
    if len(text) > SIZE_LIMIT_BYTES:
        raise Refused("too-large", f"{file} is over {SIZE_LIMIT_BYTES} characters.", where=file)
    building = _Building(file)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            building.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise Refused(
            "bad-value", f"{file} is not readable: {problem}.", where=f"{file}:{line}"
        ) from None
    return building.root


class _Building:
    """Puts parser events together, refusing what the house does not allow."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Any = None
        self._documents = 0
        self._items = 0
        self._stack: list[tuple[Any, str | None]] = []

    def take(self, event: Any) -> None:
        """Handle one parser event."""
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent:
            self._open(event, Mapping(self.file, event.start_mark.line + 1))
        elif kind is yaml.SequenceStartEvent:
            self._open(event, [])
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._close()
        elif kind is yaml.AliasEvent:
            raise self._refuse(event, "aliases (*name) are not allowed")
        elif kind is yaml.DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                raise self._refuse(event, "it holds more than one document")

    def _refuse(self, event: Any, why: str, code: str = "bad-value") -> Refused:
        line = event.start_mark.line + 1
        return Refused(code, f"{self.file} is refused: {why}.", where=f"{self.file}:{line}")

    def _open(self, event: Any, container: Any) -> None:
        if event.anchor is not None:
            raise self._refuse(event, "anchors (&name) are not allowed")
        if event.tag is not None:
            raise self._refuse(event, f"tags ({event.tag}) are not allowed")
        if len(self._stack) >= DEPTH_LIMIT:
            raise self._refuse(event, f"nesting is deeper than {DEPTH_LIMIT}", "too-deep")
        self._put(event, container)
        self._stack.append((container, None))

    def _close(self) -> None:
        self._stack.pop()

    def _scalar(self, event: Any) -> None:
        if event.anchor is not None:
            raise self._refuse(event, "anchors (&name) are not allowed")
        if event.tag is not None:
            raise self._refuse(event, f"tags ({event.tag}) are not allowed")
        if self._stack:
            container, key = self._stack[-1]
            if isinstance(container, Mapping) and key is None:
                self._key(event, container)
                return
        self._put(event, event.value if event.style else _plain(event.value))

    def _key(self, event: Any, container: Mapping) -> None:
        if event.value in container:
            raise self._refuse(event, f"the key {event.value!r} stands twice", "duplicate-key")
        if event.value == "<<" and not event.style:
            raise self._refuse(event, "merge keys (<<) are not allowed")
        container.lines[event.value] = event.start_mark.line + 1
        self._stack[-1] = (container, event.value)

    def _put(self, event: Any, value: Any) -> None:
        self._items += 1
        if self._items > ITEM_LIMIT:
            raise self._refuse(event, f"it holds more than {ITEM_LIMIT} items", "too-large")
        if not self._stack:
            self.root = value
            return
        container, key = self._stack[-1]
        if isinstance(container, Mapping):
            if key is None:
                raise self._refuse(event, "a key must be text")
            container[key] = value
            self._stack[-1] = (container, None)
        else:
            container.append(value)


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first.isascii() and (first.isdigit() or first in "+-."):
        if _INT.match(text):
            return int(text)
        if _NUMBER.match(text):
            return Decimal(text)
    return text
