"""Corpora of our own writing: campaigns of sentences, written out to items.

A campaign is a set of whole sentences for each part of a message, with slots. Each item takes
one sentence for each part and fills its slots; the choice is a function of the campaign's name
and the item's number alone, so that the same version is the same corpus everywhere. No two
items of a corpus are equal, and every name and address in them is invented or reserved.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from itertools import islice

import msgspec
import yaml

from bayanihan.errors import Broken, Refused
from bayanihan.sandbox.corpus import Card, Corpus, Item, Label, both_labels
from bayanihan.sandbox.mutate import script_variant

_ATTEMPTS = 400
_NUMBER = re.compile(r"\{n(\d)\}")


class Campaign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sentences that belong together.

    Attributes:
        id: its name.
        label, language, vector, medium, age_days: those of all its items.
        parts: for each part of the text, the sentences to choose from.
        sender, subject: choices for these, for mail.
        items: how many are written out.
        training: its items are public training material and never asked.
        joined: what stands between the parts.
    """

    id: str
    label: Label
    language: str
    vector: str
    age_days: int
    parts: list[list[str]]
    medium: str = "mail"
    sender: list[str] = []
    subject: list[str] = []
    items: int = 17
    training: bool = False
    joined: str = "\n\n"


class Book(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of campaigns: the card, what slots may hold in each language, the campaigns."""

    card: Card
    slots: dict[str, dict[str, list[str]]]
    campaigns: list[Campaign]


def shipped_names() -> list[str]:
    """The corpora that ship, in order."""
    folder = resources.files("bayanihan.sandbox").joinpath("corpora")
    return sorted(
        place.name.removesuffix(".yaml")
        for place in folder.iterdir()
        if place.name.endswith(".yaml")
    )


@functools.cache
def shipped(name: str) -> Corpus:
    """A corpus that ships. Raises `Refused("not-found")`."""
    if name not in shipped_names():
        raise Refused(
            "not-found",
            f"No corpus is called {name}",
            next_step=f"Take one of {', '.join(shipped_names())}, or name a folder.",
        )
    text = resources.files("bayanihan.sandbox").joinpath("corpora", f"{name}.yaml").read_text()
    book = msgspec.convert(yaml.load(text, yaml.CSafeLoader), Book)
    asked = tuple(item for one in book.campaigns if not one.training for item in _items(one, book))
    taught = tuple(item for one in book.campaigns if one.training for item in _items(one, book))
    return both_labels(Corpus(book.card, asked, taught))


def _items(campaign: Campaign, book: Book) -> list[Item]:
    found = list(islice(_different(campaign, book), campaign.items))
    if len(found) < campaign.items:
        raise Broken("internal", f"Campaign {campaign.id} has only {len(found)} different items")
    return found


def _different(campaign: Campaign, book: Book) -> Iterator[Item]:
    seen: set[tuple[str, str]] = set()
    slots = {**book.slots.get("any", {}), **book.slots.get(campaign.language, {})}
    for attempt in range(_ATTEMPTS):
        draw = Draw(f"{book.card.name}/{campaign.id}/{attempt}")
        fill = draw.filled(slots)
        text = campaign.joined.join(fill(draw.one(choices)) for choices in campaign.parts)
        if campaign.medium == "script":
            text = script_variant(text, draw.number)
        subject = fill(draw.one(campaign.subject)) if campaign.subject else ""
        if (subject, text) in seen:
            continue
        seen.add((subject, text))
        yield msgspec.convert(
            {
                "id": f"{campaign.id}-{len(seen):03}",
                "label": campaign.label,
                "campaign": campaign.id,
                "language": campaign.language,
                "vector": campaign.vector,
                "age_days": campaign.age_days,
                "medium": campaign.medium,
                "text": text,
                "sender": fill(draw.one(campaign.sender)) if campaign.sender else "",
                "subject": subject,
            },
            Item,
        )


class Draw:
    """Choices that follow from a name alone."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0

    def number(self, below: int) -> int:
        """The next number from 0 to below `below`."""
        self._count += 1
        digest = hashlib.sha256(f"{self._name}/{self._count}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % below

    def one(self, choices: list[str]) -> str:
        """One of the choices."""
        return choices[self.number(len(choices))]

    def filled(self, slots: Mapping[str, list[str]]) -> _Filling:
        """Fills `{slot}` with one choice a slot, the same within one item."""
        return _Filling({name: self.one(values) for name, values in slots.items()}, self)


class _Filling:
    def __init__(self, chosen: dict[str, str], draw: Draw) -> None:
        self._chosen = chosen
        self._draw = draw

    def __call__(self, sentence: str) -> str:
        for name, value in self._chosen.items():
            sentence = sentence.replace("{" + name + "}", value)
        return _NUMBER.sub(self._digits, sentence)

    def _digits(self, found: re.Match[str]) -> str:
        lowest = 10 ** (int(found[1]) - 1)
        return str(lowest + self._draw.number(9 * lowest))
