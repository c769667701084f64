"""Which engine an address names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bayanihan.errors import Refused
from bayanihan.ledger.engine import Store
from bayanihan.ledger.postgres import PostgresStore
from bayanihan.ledger.postgres_link import is_postgres
from bayanihan.ledger.sqlite import SqliteStore


def store_at(address: str, *, read_only: bool = False) -> Callable[[Path], Store]:
    """What opens the store at an address, given the path of the file that it may be.

    Args:
        address: "" for the file, or `postgresql://…`.
        read_only: nothing is made or changed.

    Raises:
        Refused: `bad-setting` for any other address.
    """
    if not address:
        return lambda path: SqliteStore(path, read_only=read_only)
    if not is_postgres(address):
        message = "A store is postgresql:// and what follows, or nothing for a file"
        raise Refused("bad-setting", message, where="store")
    return lambda _: PostgresStore(address, read_only=read_only)
