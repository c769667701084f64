"""What a format is: a name, the engine that loads it, and a pure function to bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec

from bayanihan.core import moment
from bayanihan.core.observables import Observable

EXERCISE_PREFIX = "exercise-"


class Heading(msgspec.Struct, frozen=True):
    """What a version says about itself.

    `feed` is the name it is served under, `level` the strictest TLP level inside, `cursor`
    the sealed position, `version` an opaque token of this very content, `changed_us` when
    the content last changed; `items`, `held` and `not_expressed` are counts.
    """

    feed: str
    exercise: bool
    level: str
    cursor: str
    version: str
    changed_us: int
    items: int
    held: int
    not_expressed: int


class Format(msgspec.Struct, frozen=True):
    """One way out.

    Attributes:
        name: as in `/feeds/{name}`.
        engine: the program that loads it.
        media_type: of its bytes.
        types: the types of observable that it can express.
        refusal: why it cannot express an observable of these types; None when it can.
        render: the bytes for observables in order of (type, value), all of them expressible.
        canary: what a probe asks the engine for, in a sentence.
    """

    name: str
    engine: str
    media_type: str
    types: frozenset[str]
    refusal: Callable[[Observable], str | None]
    render: Callable[[Sequence[Observable], Heading], bytes]
    canary: str


def comment_lines(heading: Heading, format_: Format, *, about: Iterable[str]) -> list[str]:
    """The lines that every text format begins with, without the comment sign."""
    lines = [f"Bayanihan feed: {heading.feed}"]
    if heading.exercise:
        lines.append("EXERCISE EXERCISE EXERCISE: nothing in this file is a real threat.")
    return [
        *lines,
        f"TLP:{heading.level.upper()} (the strictest marking of what is inside)",
        f"version: {heading.version}",
        f"cursor: {heading.cursor}",
        f"changed: {moment.render(heading.changed_us)}",
        f"items: {heading.items}, held: {heading.held}, not expressed: {heading.not_expressed}",
        f"canary: {format_.canary}",
        *about,
    ]


def why_not(type_: str, types: Collection[str]) -> str:
    """Why a format for `types` cannot express a type that is not among them."""
    if type_ == "url" and "domain" in types:
        return "A URL names one page; a block of its host would hit every other page there."
    if type_ == "email" and "domain" in types:
        return "A mail address names one sender; a block of its domain would hit every other."
    return f"This feed cannot express a value of type {type_}."
