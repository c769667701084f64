"""Tiles: the tree's hashes in rows of 256, so that a proof reads a few rows of any tree.

A tile of level t holds tree hashes of level 8·t. Level 0 repeats the leaves and is stored
only when complete; above it the last tile is stored at its present width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bayanihan.core.merkle import TILE_HEIGHT, TILE_WIDTH
from bayanihan.errors import Broken
from bayanihan.ledger.engine import Store
from bayanihan.ledger.rows import HASH_SIZE_BYTES

Pending = dict[int, list[bytes]]


class Tiles:
    """The incomplete tile of each level, in memory, for the writer to widen.

    Args:
        store: where tiles are kept.
        size: leaves that the tree holds now.
        shared: others may have widened a tile since `size` was asked for.

    Raises:
        Broken: `record-damaged` when a stored tile is narrower or wider than `size` says.
    """

    def __init__(self, store: Store, size: int, *, shared: bool = False) -> None:
        self._store = store
        self._size = size
        self._pending: Pending = {}
        level = 0
        while size:
            number, width = divmod(size, TILE_WIDTH)
            hashes = store.tile(level, number) if width else b""
            if shared:
                hashes = hashes[: width * HASH_SIZE_BYTES]
            if len(hashes) != width * HASH_SIZE_BYTES:
                raise Broken("record-damaged", f"The tile {level}/{number} is not {width} wide")
            self._pending[level] = [
                hashes[at : at + HASH_SIZE_BYTES] for at in range(0, len(hashes), HASH_SIZE_BYTES)
            ]
            size = number
            level += 1

    def write(self, completed: Sequence[tuple[int, bytes]]) -> Pending:
        """Store what `completed` fills or widens, inside the writer's transaction.

        Args:
            completed: (tile level, hash) in the order in which `Frontier.append` lists them.

        Returns:
            The new incomplete tiles, for `keep` once the transaction is committed.
        """
        return self._widened(completed, self._store.put_tile)

    def follow(self, completed: Sequence[tuple[int, bytes]], size: int) -> None:
        """Take over what another writer stored, up to a tree of `size`."""
        self.keep(self._widened(completed, _stored_already), size)

    def _widened(
        self,
        completed: Sequence[tuple[int, bytes]],
        put_tile: Callable[[int, int, bytes], None],
    ) -> Pending:
        pending: Pending = dict(self._pending)
        arrived: Pending = {}
        for level, node in completed:
            arrived.setdefault(level, []).append(node)
        for level, hashes in arrived.items():
            tile = [*pending.get(level, ()), *hashes]
            number = (self._size >> (TILE_HEIGHT * level)) // TILE_WIDTH
            whole = len(tile) // TILE_WIDTH * TILE_WIDTH
            for at in range(0, whole, TILE_WIDTH):
                put_tile(level, number, b"".join(tile[at : at + TILE_WIDTH]))
                number += 1
            pending[level] = tile[whole:]
            if level and pending[level]:
                put_tile(level, number, b"".join(pending[level]))
        return pending

    def keep(self, pending: Pending, size: int) -> None:
        """Take over what `write` returned, once it is durable."""
        self._pending, self._size = pending, size


def _stored_already(level: int, number: int, hashes: bytes) -> None:
    """Whoever completed the tile has stored it."""
