"""A new history on PostgreSQL, after the database's own restore or a doubtful promotion.

What the database brought back may lack entries that somebody has seen: their cursors, receipts
and witnesses must not take it for the record that they know. So it gets a new epoch, and what
was taken back in the meantime is taken back again.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bayanihan.errors import Broken, Refused
from bayanihan.ledger.door import Ledger
from bayanihan.ledger.erasures import Again, Erasure, take_back_again
from bayanihan.ledger.opening import store_at
from bayanihan.ledger.postgres import PostgresStore
from bayanihan.ledger.verify import Report, check_ledger


def renew(address: str, erasures: Sequence[Erasure]) -> tuple[Report, Again]:
    """Begin a new epoch on a ledger that no node serves, and take back again what is listed.

    Args:
        address: `postgresql://…`.
        erasures: what was erased or withdrawn, as the nodes' lists say.

    Returns:
        The checker's report on what was found, and how much was taken back anew.

    Raises:
        Refused: `cannot-read` where the database holds no ledger; `in-use` while nodes
            serve it.
        Broken: `record-damaged` when it does not verify: then nothing is changed.
    """
    with contextlib.closing(PostgresStore(address)) as store:
        if not store.last()[0]:
            raise Refused("cannot-read", "The database holds no ledger", where=store.name)
        if nodes := store.nodes():
            raise Refused(
                "in-use",
                f"Nodes serve this ledger: {', '.join(nodes)}",
                where=store.name,
                next_step="Stop them. One that was killed is forgotten after ten seconds.",
            )
        report = check_ledger(store)
        if report.faults:
            raise Broken("record-damaged", report.faults[0], where=store.name)
        store.set_meta("epoch", secrets.token_bytes(8))
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(Ledger(Path(folder), store=store_at(address))) as ledger,
    ):
        return report, take_back_again(ledger, erasures)
