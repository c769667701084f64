"""`bayanihan verify`: check the whole record, beside a running hub or without one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec

from bayanihan.app import PROJECTIONS
from bayanihan.commands.hub_client import DEFAULT_DATA, DataOption, JsonOption, as_json_text
from bayanihan.errors import Refused
from bayanihan.ledger import Report, SqliteStore, check_ledger, check_projection


def verify(*, data: DataOption = Path(DEFAULT_DATA), json: JsonOption = False) -> int:
    """Re-check order, stamps, digests, proofs, and every projection against a replay.

    Nothing is changed. Exit 1 when anything is wrong.

    Example: bayanihan verify --data bayanihan-data
    """
    report = verified(data)
    if json:
        print(as_json_text({"ok": report.ok, **msgspec.to_builtins(report)}))
    else:
        for fault in report.faults:
            print(f"fault: {fault}")
        for name, position in report.projections.items():
            print(f"projection {name}: replayed up to {position}")
        erased = f", {report.erased} erased" if report.erased else ""
        print(f"{report.entries} entries{erased}, root {report.root or 'none'}")
        print("verify: ok" if report.ok else f"verify: {len(report.faults)} faults")
    return 0 if report.ok else 1


def verified(data: Path) -> Report:
    """The checker's report on a data directory. Raises `Refused("cannot-read")`."""
    path = data / "ledger.db"
    if not path.exists():
        raise Refused(
            "cannot-read",
            "There is no ledger here",
            where=str(path),
            next_step="Name the data directory with --data.",
        )
    store = SqliteStore(path, read_only=True)
    try:
        report = check_ledger(store)
        epoch = store.meta("epoch")
        for kind in PROJECTIONS:
            if not kind.exists(data / "projections"):
                continue
            found = kind(data / "projections", epoch, read_only=True)
            try:
                check_projection(found, partial(kind, None, epoch), store, report)
            finally:
                found.close()
        return report
    finally:
        store.close()
