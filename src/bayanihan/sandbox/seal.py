"""Held-out splits: committed to before a trial, revealed after it, with canaries for leaks.

An authority seals a corpus on its own machine. Messages are changed by operators that it draws
in secret, every item gets a random salt, and canaries are mixed in: messages that say nothing,
with a label drawn by lot. The commitment, a Merkle root with counts, is published first. When
the split is revealed later, anybody computes the same root. A tool that agrees with canaries
more often than a coin has seen the labels; a canary's number that turns up anywhere else shows
that the items have leaked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from bayanihan.errors import Refused
from bayanihan.sandbox.corpus import Card, Corpus, Item, Label, both_labels
from bayanihan.sandbox.mutate import Number, text_variant

FORMAT = "bayanihan-commitment/1"
CANARIES = 40
_MUTABLE = frozenset({"mail", "sms"})
_LIMIT = (
    "Made from a corpus that may be public, changed by look-alike letters, invisible spaces, "
    "digits for letters, lost marks and split words."
)
_NEUTRAL = "Note {number}: file {other} of {third} was moved to shelf {shelf}."

Token = Callable[[int], bytes]


class Commitment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is published before a sealed split is used.

    Attributes:
        format: `bayanihan-commitment/1`.
        name: of the split.
        root: the Merkle root over its items, salts included.
        items, attacks, legitimate, canaries: counts.
    """

    format: str
    name: str
    root: str
    items: int
    attacks: int
    legitimate: int
    canaries: int


def seal(corpus: Corpus, number: Number, token: Token) -> Corpus:
    """A sealed split made from a corpus.

    Args:
        corpus: where the items come from.
        number: a secret source of numbers: `number(below)`.
        token: a secret source of random bytes: `token(size_bytes)`.
    """
    items = [_sealed(item, number, token) for item in corpus.items if not item.canary]
    items += [_canary(items[number(len(items))], number, token) for _ in range(CANARIES)]
    for at in range(len(items) - 1, 0, -1):
        other = number(at + 1)
        items[at], items[other] = items[other], items[at]
    numbered = tuple(
        msgspec.structs.replace(item, id=f"sealed-{at:06}") for at, item in enumerate(items)
    )
    card = Card(
        f"{corpus.card.name[:40]}-sealed-{token(4).hex()}",
        corpus.card.version,
        f"A held-out split of {corpus.card.name}, changed by operators drawn in secret",
        corpus.card.base_rate,
        corpus.card.base_rate_source,
        [
            _LIMIT,
            *(limit for limit in corpus.card.limits if "public" not in limit),
        ],
        corpus.card.licence,
        sealed=True,
        tlp=corpus.card.tlp,
    )
    return both_labels(Corpus(card, numbered, corpus.training))


def _sealed(item: Item, number: Number, token: Token) -> Item:
    text = text_variant(item.text, number) if item.medium in _MUTABLE else item.text
    return msgspec.structs.replace(item, text=text, salt=token(16).hex())


def _canary(beside: Item, number: Number, token: Token) -> Item:
    """A message that says nothing, in the medium of an item; its label is drawn by lot."""
    label: Label = "attack" if number(2) else "legitimate"
    text = _NEUTRAL.format(
        number=token(6).hex(), other=number(10**6), third=number(10**4), shelf=number(90)
    )
    return msgspec.structs.replace(
        beside,
        label=label,
        campaign="canary",
        text=text,
        sender="",
        subject="",
        canary=True,
        salt=token(16).hex(),
    )


def commitment_of(corpus: Corpus) -> Commitment:
    """What is published about a sealed split."""
    counts = corpus.counts()
    return Commitment(
        FORMAT,
        corpus.card.name,
        f"sha256:{corpus.root}",
        len(corpus.items),
        counts["attack"],
        counts["legitimate"],
        sum(item.canary for item in corpus.items),
    )


def read_commitment(data: bytes, where: str) -> Commitment:
    """The commitment in these bytes. Raises `Refused`."""
    try:
        found = msgspec.json.decode(data, type=Commitment)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused("bad-value", f"This is no commitment: {error}", where=where) from None
    if found.format != FORMAT:
        raise Refused("bad-value", f"This commitment has the format {found.format}", where=where)
    return found


def check_revealed(corpus: Corpus, commitment: Commitment) -> None:
    """Refuse a split that is not the one committed to, naming what differs."""
    made: dict[str, Any] = msgspec.structs.asdict(commitment_of(corpus))
    said = msgspec.structs.asdict(commitment)
    differing = [name for name, value in made.items() if said[name] != value]
    if differing:
        raise Refused(
            "conflict",
            f"This is not what was committed to: {', '.join(differing)} differ",
            where=commitment.name,
        )
