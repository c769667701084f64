"""Inclusion and consistency, at small sizes and over many tiles."""

from __future__ import annotations

import hashlib
import random

from bayanihan.core.merkle import Frontier, root_of, verify_consistency, verify_inclusion
from bayanihan.ledger.contract.scene import SG, Make, Opened, draft, numbered, opened, refusal


def _roots(ledger: Opened) -> tuple[list[bytes], list[bytes]]:
    leaves: list[bytes] = []
    after, more = 0, True
    while more:
        page = ledger.read(SG, after, 1000)
        leaves += [item.entry.header.leaf for item in page.items]
        after, more = page.last, page.more
    frontier, roots = Frontier(), [root_of([])]
    for leaf in leaves:
        frontier.append(leaf, [])
        roots.append(frontier.root())
    return leaves, roots


def check_small_proofs(make: Make) -> None:
    """Every inclusion and every consistency proof of every tree up to 20 leaves."""
    size = 20
    with opened(make) as ledger:
        for n in range(size):
            ledger.append(numbered(n, n + 1))
        leaves, roots = _roots(ledger)
        assert ledger.head().root == roots[size] == root_of(leaves)
        for new in range(1, size + 1):
            for old in range(1, new + 1):
                path = ledger.prove(old, new)
                assert verify_inclusion(leaves[old - 1], old - 1, new, path, roots[new])
                path = ledger.extend(old, new)
                assert verify_consistency(old, new, path, roots[old], roots[new])
        assert refusal(lambda: ledger.prove(size + 1, size + 1)) == "not-found"
        assert refusal(lambda: ledger.prove(0, 1)) == "not-found"
        assert refusal(lambda: ledger.extend(0, 1)) == "not-found"


def check_tiles_over_reopenings(make: Make) -> None:
    """Proofs beyond one tile, in a tree that went on from any size after a reopening."""
    chance = random.Random(2)  # noqa: S311 -- a repeatable choice, not a secret
    sizes = [1, 2, 255, 256, 257, 511, 512, 513, 1100]
    done = 0
    for size in sizes:
        with opened(make) as ledger:
            ledger.append(numbered(done, size))
            assert ledger.head().size == size
        done = size
    with opened(make) as ledger:
        leaves, roots = _roots(ledger)
        assert ledger.head().root == roots[done]
        for _ in range(100):
            new = chance.randint(1, done)
            old = chance.randint(1, new)
            path = ledger.prove(old, new)
            assert verify_inclusion(leaves[old - 1], old - 1, new, path, roots[new])
            path = ledger.extend(old, new)
            assert verify_consistency(old, new, path, roots[old], roots[new])


def check_leaves_are_salted(make: Make) -> None:
    """Two hubs that hold the same cannot be told to by their leaves: each has its own salt."""
    with opened(make) as ledger:
        ledger.append([draft("note--1", version_us=1), draft("note--1", version_us=2)])
        leaves, _ = _roots(ledger)
        assert leaves[0] != leaves[1]
        assert all(len(leaf) == hashlib.sha256().digest_size for leaf in leaves)
