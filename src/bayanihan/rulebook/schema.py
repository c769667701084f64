"""Reads checked pieces out of YAML mappings: which keys, which types, with file and line."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.reader import Mapping
from bayanihan.rulebook.truth import check_day


def expect_mapping(raw: Any, what: str, place: str) -> Mapping:
    """`raw` if it is a mapping.

    Raises:
        Refused: `bad-value`.
    """
    if isinstance(raw, Mapping):
        return raw
    raise Refused("bad-value", f"{what} is a mapping of keys to values.", where=place)


def expect_keys(
    entry: Mapping, what: str, required: Collection[str], optional: Collection[str]
) -> None:
    """Refuse a missing or an unknown key.

    Raises:
        Refused: `missing-property` or `bad-value`.
    """
    for key in required:
        if entry.get(key) in (None, ""):
            raise Refused("missing-property", f"{what} needs `{key}`.", where=entry.place())
    for key in entry:
        if key not in required and key not in optional:
            raise Refused("bad-value", f"{what} has no key `{key}`.", where=entry.place(key))


def text_in(entry: Mapping, key: str, default: str = "") -> str:
    """The text at `key`.

    Raises:
        Refused: `bad-value` when it is not text.
    """
    value = entry.get(key, default)
    if value is None:
        return default
    if isinstance(value, str):
        return " ".join(value.split())
    raise Refused("bad-value", f"`{key}` is text.", where=entry.place(key))


def whole_in(entry: Mapping, key: str, default: int = 0) -> int:
    """The whole number at `key`.

    Raises:
        Refused: `bad-value` when it is not one.
    """
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused("bad-value", f"`{key}` is a whole number.", where=entry.place(key))
    return value


def day_in(entry: Mapping, key: str) -> str:
    """The day at `key`, "" when absent.

    Raises:
        Refused: `bad-value` when it is not a day.
    """
    value = entry.get(key)
    return "" if value is None else check_day(value, entry.place(key))


def texts_in(entry: Mapping, key: str) -> tuple[str, ...]:
    """The list of texts at `key`; one text stands for a list of one.

    Raises:
        Refused: `bad-value` when it holds something else.
    """
    value = entry.get(key)
    items = [] if value is None else value if isinstance(value, list) else [value]
    if all(isinstance(item, str) for item in items):
        return tuple(" ".join(item.split()) for item in items)
    raise Refused("bad-value", f"`{key}` is a list of texts.", where=entry.place(key))


def choice_in(entry: Mapping, key: str, among: Collection[str], default: str = "") -> str:
    """The text at `key`, one of `among`.

    Raises:
        Refused: `bad-value` when it is another.
    """
    value = text_in(entry, key, default)
    if value in among:
        return value
    raise Refused(
        "bad-value", f"`{key}` is one of {', '.join(among)}, not {value!r}.", where=entry.place(key)
    )
