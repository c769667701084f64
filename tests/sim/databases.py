"""Databases of one server for a session's tests, each made from a template with our tables."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from bayanihan.ledger.postgres import PostgresStore
from tests.sim.postgres import Server

# Small, so that a few hundred entries lie in several partitions.
PARTITION_ROWS = 300
TEMPLATE = "template_bayanihan"


@dataclass
class Databases:
    """Makes databases on a server that runs."""

    server: Server
    _number: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        address = self.server.database(TEMPLATE)
        PostgresStore(address, partition_rows=PARTITION_ROWS).close()

    def empty(self) -> str:
        """The address of a new database without our tables."""
        return self.server.database(f"empty_{next(self._number)}")

    def fresh(self) -> str:
        """The address of a new database with our tables. They share epoch and secrets."""
        return self.server.database(f"fresh_{next(self._number)}", TEMPLATE)
