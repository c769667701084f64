"""A corpus: labelled items under one Merkle root, with what is known about them.

A corpus that ships is written out from campaigns of our own (`writing`); one of an authority's
own is a folder with `corpus.json` and `items.jsonl`. The root covers each item with its label,
campaign, language, vector and age, in order; so a result names exactly what was asked.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bayanihan.core.merkle import root_of
from bayanihan.core.signing import canonical
from bayanihan.errors import Refused
from bayanihan.sandbox.manifest import Language, Line, Name, Share, Vector

Label = Literal["attack", "legitimate"]
Tlp = Literal["clear", "green", "amber", "amber+strict", "red"]
CARD_FILE, ITEMS_FILE = "corpus.json", "items.jsonl"
MAX_ITEMS = 1_000_000


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One labelled item.

    Attributes:
        id: its name in the corpus; tools never see it.
        label: attack or legitimate.
        campaign: items of one campaign resemble each other and are resampled together.
        language: ISO 639.
        vector: the kind of attack; for legitimate items the one that it may be taken for.
        age_days: how old the campaign was when the corpus was made.
        medium: mail, sms, script or document.
        text: the message or the file's text.
        sender: who it claims to be from.
        subject: the subject line.
        canary: a drawn label: the item says nothing, so only who saw the label can know it.
        salt: hex; keeps a committed item from being guessed.
        tlp: how it is marked; what is not clear is never sent to a remote tool.
    """

    id: Line
    label: Label
    campaign: Line
    language: Language
    vector: Vector
    age_days: Annotated[int, Meta(ge=0, le=36_500)]
    medium: Literal["mail", "sms", "script", "document"]
    text: Annotated[str, Meta(min_length=1, max_length=1_000_000)]
    sender: str = ""
    subject: str = ""
    canary: bool = False
    salt: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?$")] = ""
    tlp: Tlp = "clear"


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is known about a corpus.

    Attributes:
        name, version: how it is called.
        about: what it is, for people.
        base_rate: share of attacks among what the region's tools really see; an assumption.
        base_rate_source: where that comes from.
        limits: what it cannot show; printed with every result.
        licence: an SPDX id.
        sealed: held out: tools and vendors must not have seen it.
        tlp: how it is marked as a whole.
    """

    name: Name
    version: Line
    about: str
    base_rate: Share
    base_rate_source: str
    limits: list[str] = []
    licence: str = "Apache-2.0"
    sealed: bool = False
    tlp: Tlp = "clear"


@dataclass(frozen=True)
class Corpus:
    """A card, its items in order, and public items to train on (their own campaigns)."""

    card: Card
    items: tuple[Item, ...]
    training: tuple[Item, ...] = ()

    @property
    def root(self) -> str:
        """The Merkle root over all items, hex."""
        return merkle_root(self.items)

    @property
    def training_root(self) -> str:
        """The Merkle root over the training items, hex."""
        return merkle_root(self.training)

    def counts(self) -> dict[str, int]:
        """How many items each label has, canaries left out."""
        return dict(Counter(item.label for item in self.items if not item.canary))


def leaf_of(item: Item) -> bytes:
    """The leaf of one item: H(0 | salt | canonical JSON)."""
    body = canonical(msgspec.to_builtins(item))
    return hashlib.sha256(b"\0" + bytes.fromhex(item.salt) + body).digest()


def merkle_root(items: Sequence[Item]) -> str:
    """The root over items in order, hex."""
    return root_of([leaf_of(item) for item in items]).hex()


def training_lines(items: Sequence[Item]) -> bytes:
    """The training items as a tool reads them: one JSON object a line, labels included."""
    kept = ("label", "language", "medium", "text", "sender", "subject")
    return b"".join(
        msgspec.json.encode({name: getattr(item, name) for name in kept}) + b"\n" for item in items
    )


def read_items(data: bytes, where: str) -> tuple[Item, ...]:
    """The items in JSON lines.

    Raises:
        Refused: a line is no item, an id is there twice, or there are none or too many.
    """
    lines = data.splitlines()
    if not lines or len(lines) > MAX_ITEMS:
        raise Refused("bad-value", f"A corpus has 1 to {MAX_ITEMS:,} items", where=where)
    found: dict[str, Item] = {}
    for number, line in enumerate(lines, 1):
        try:
            item = msgspec.json.decode(line, type=Item)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Refused("bad-value", str(error), where=f"{where}:{number}") from None
        if found.setdefault(item.id, item) is not item:
            raise Refused("duplicate-key", f"{item.id} is there twice", where=f"{where}:{number}")
    return tuple(found.values())


def read_folder(folder: Path) -> Corpus:
    """The corpus in a folder of an authority's own.

    Raises:
        Refused: it cannot be read, or lacks one of the two labels.
    """
    try:
        card_data = (folder / CARD_FILE).read_bytes()
        items_data = (folder / ITEMS_FILE).read_bytes()
        training_file = folder / "training.jsonl"
        training_data = training_file.read_bytes() if training_file.exists() else b""
    except OSError as error:
        raise Refused(
            "cannot-read", f"This is no corpus: {error.strerror}", where=str(error.filename)
        ) from None
    try:
        card = msgspec.json.decode(card_data, type=Card)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused("bad-value", str(error), where=str(folder / CARD_FILE)) from None
    items = read_items(items_data, str(folder / ITEMS_FILE))
    training = read_items(training_data, str(training_file)) if training_data else ()
    return both_labels(Corpus(card, items, training))


def both_labels(corpus: Corpus) -> Corpus:
    """The corpus, if it has attacks and legitimate items: one rate means nothing alone."""
    if set(corpus.counts()) != {"attack", "legitimate"}:
        raise Refused(
            "bad-value",
            "A corpus needs attacks and legitimate items: detection and false alarms are told "
            "together or not at all",
            where=corpus.card.name,
        )
    return corpus


def write_folder(corpus: Corpus, folder: Path) -> None:
    """Write a corpus as a folder; what is there already stays and is refused."""
    try:
        folder.mkdir(parents=True)
        card = msgspec.json.format(msgspec.json.encode(corpus.card), indent=2)
        (folder / CARD_FILE).write_bytes(card + b"\n")
        (folder / ITEMS_FILE).write_bytes(
            b"".join(msgspec.json.encode(item) + b"\n" for item in corpus.items)
        )
        if corpus.training:
            (folder / "training.jsonl").write_bytes(
                b"".join(msgspec.json.encode(item) + b"\n" for item in corpus.training)
            )
    except FileExistsError:
        raise Refused("cannot-write", "This folder is there already", where=str(folder)) from None
