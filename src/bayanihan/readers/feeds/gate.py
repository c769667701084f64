"""The engine gate: what a consumer refuses is found and held, and the rest is published.

Pure: whoever calls brings a function that asks the engine about some items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from bayanihan.readers.feeds.format import Item

# More than this many bad ones are no poison: the format and the engine disagree.
POISON_LIMIT = 8
ASKED_LIMIT = 200


class Verdict(msgspec.Struct, frozen=True):
    """What an engine said of a file.

    `accepted`: it loaded exactly these bytes. `refused`: it did not, and `why` is what it
    said. `unable`: it could not be asked (not installed, no time, no right), and `why` says
    so; that is neither for nor against the file.
    """

    word: Literal["accepted", "refused", "unable"]
    why: str = ""


Ask = Callable[[Sequence[Item]], Verdict]


class Sifted(msgspec.Struct, frozen=True):
    """What bisecting found: the items that the engine refuses, each with what it said.

    `whole` is whether all others together are accepted; otherwise `why` says what is wrong.
    """

    poison: tuple[tuple[Item, str], ...]
    whole: bool
    why: str = ""


def sift(items: Sequence[Item], ask: Ask) -> Sifted:
    """Find the items that an engine refuses, by halves.

    Args:
        items: those of a file that was refused.
        ask: what the engine says of a file with some of them.
    """
    poison: list[tuple[Item, str]] = []
    asked = 0
    empty = ask(())
    if empty.word != "accepted":
        return Sifted((), whole=False, why=empty.why or "the engine takes not even an empty file")
    waiting: list[Sequence[Item]] = [items]
    while waiting and len(poison) <= POISON_LIMIT and asked < ASKED_LIMIT:
        part = waiting.pop()
        asked += 1
        verdict = ask(part)
        if verdict.word == "unable":
            return Sifted(tuple(poison), whole=False, why=verdict.why)
        if verdict.word == "refused" and len(part) == 1:
            poison.append((part[0], verdict.why))
        elif verdict.word == "refused":
            half = len(part) // 2
            waiting += (part[half:], part[:half])
    if len(poison) > POISON_LIMIT or waiting:
        return Sifted((), whole=False, why="the engine refuses too many of the items")
    bad = {id(item) for item, _ in poison}
    rest = ask([item for item in items if id(item) not in bad])
    return Sifted(tuple(poison), whole=rest.word == "accepted", why=rest.why)
