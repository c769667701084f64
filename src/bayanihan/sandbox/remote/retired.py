"""Items that left the house: a later trial does not use them.

A corpus in a folder keeps `retired.jsonl` beside its items, one line a disclosure. What ships
with the program is public from the start, so nothing of it is retired.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import msgspec

from bayanihan.errors import Refused
from bayanihan.sandbox.corpus import Corpus, leaf_of

RETIRED_FILE = "retired.jsonl"


class Disclosure(msgspec.Struct, frozen=True):
    """One line: when, to which host, for which tool, and the leaves of the items.

    Attributes:
        at: UTC.
        host: who was shown them.
        tool: id and version.
        root: of the corpus as it was asked.
        leaves: hashes of the items, hex.
    """

    at: str
    host: str
    tool: str
    root: str
    leaves: list[str]


def disclosures(folder: Path) -> list[Disclosure]:
    """What was disclosed of the corpus in a folder, oldest first. Raises `Refused`."""
    path = folder / RETIRED_FILE
    if not path.exists():
        return []
    try:
        lines = path.read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Disclosure) for line in lines]
    except (msgspec.MsgspecError, OSError, UnicodeDecodeError) as error:
        # Better no trial than one on items that a vendor has seen.
        message = f"The list of retired items is damaged: {error}"
        raise Refused("bad-value", message, where=str(path)) from None


def retire(folder: Path, corpus: Corpus, host: str, tool: str, at: dt.datetime) -> None:
    """Write down, durably, that these items are about to be shown to a host."""
    if any(each.root == corpus.root and each.host == host for each in disclosures(folder)):
        return
    leaves = [leaf_of(item).hex() for item in corpus.items]
    line = Disclosure(at.isoformat(timespec="seconds"), host, tool, corpus.root, leaves)
    try:
        with (folder / RETIRED_FILE).open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Refused(
            "cannot-write",
            f"What is disclosed must be written down first: {error.strerror}",
            where=str(folder / RETIRED_FILE),
        ) from None


def as_asked(whole: Corpus, folder: Path, root: str = "") -> Corpus:
    """The corpus without what was disclosed: now, or as it was when it had this root.

    Args:
        whole: all items.
        folder: where its list is.
        root: of an earlier trial; "" for what is left now.

    Raises:
        Refused: nothing is left.
    """
    found = disclosures(folder)
    if not found:
        return whole
    leaves = [leaf_of(item).hex() for item in whole.items]
    # Backwards: what is left now, then what was before each disclosure.
    for number in range(len(found), -1, -1):
        gone = {leaf for each in found[:number] for leaf in each.leaves}
        items = tuple(i for i, leaf in zip(whole.items, leaves, strict=True) if leaf not in gone)
        left = Corpus(whole.card, items, whole.training)
        if not root or left.root == root:
            return _not_empty(left, found)
    return _not_empty(whole, found)


def _not_empty(left: Corpus, found: list[Disclosure]) -> Corpus:
    if set(left.counts()) != {"attack", "legitimate"}:
        raise Refused(
            "expired",
            f"The items of {left.card.name} were disclosed to {found[-1].host} and are retired",
            next_step="Seal a new split: `bayanihan trial seal`.",
        )
    return left


def check_disclosable(corpus: Corpus, host: str, agreed: str) -> None:
    """Refuse to show a host what is not for everybody, or what nobody agreed to show it.

    Args:
        corpus: what would be asked.
        host: the declared host, with its port.
        agreed: the host that the person named.
    """
    marked = {corpus.card.tlp, *(item.tlp for item in corpus.items)} - {"clear"}
    if marked:
        raise Refused(
            "not-permitted",
            f"{corpus.card.name} holds what is TLP:{', TLP:'.join(sorted(marked)).upper()}, and "
            "that never leaves for a vendor",
            next_step="Use a corpus whose card and items are all TLP:CLEAR.",
        )
    if agreed != host:
        raise Refused(
            "wrong-use",
            f"This tool runs elsewhere: all {len(corpus.items)} items would be disclosed to {host}",
            next_step=f"If that is meant, add --disclose {host}. Those items are then retired.",
        )
