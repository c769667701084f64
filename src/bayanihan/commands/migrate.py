"""`bayanihan migrate`: move a hub's record from its file to PostgreSQL."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bayanihan.commands.data_folder import DEFAULT_DATA, DataOption
from bayanihan.commands.hub_client import JsonOption, as_json_text
from bayanihan.errors import Refused
from bayanihan.ledger import SqliteStore, migrate_ledger, store_at


def migrate(
    *,
    store: Annotated[str, Parameter(help="Where the record shall be: postgresql://…")],
    data: DataOption = Path(DEFAULT_DATA),
    json: JsonOption = False,
) -> None:
    """Copy a hub's record to PostgreSQL, also while the hub runs, and check its root.

    Run it beside the hub first; then stop the hub and run it again, which takes what came
    meanwhile. It goes on where it stopped. Nothing is changed in the data directory.

    Example: bayanihan migrate --store postgresql://hub@db1,db2,db3/bayanihan
    """
    path = data / "ledger.db"
    if not path.exists():
        raise Refused("cannot-read", "There is no ledger here", where=str(path))
    if not store:
        raise Refused("wrong-use", "Name the database with --store", where="store")
    runs = _runs(data)
    source, target = SqliteStore(path, read_only=True), store_at(store)(path)
    try:
        done = migrate_ledger(source, target)
    finally:
        target.close()
        source.close()
    if json:
        print(as_json_text({**done._asdict(), "complete": not runs}))
        return
    print(f"{done.size} entries, {done.copied} of them copied now, root {done.root or 'none'}")
    if runs:
        print("The hub still runs: stop it, and run this again for what came meanwhile.")
    else:
        print(f"migrate: ok. Start the hub with --store on {data}")


def _runs(data: Path) -> bool:
    """Whether a hub has the directory."""
    lock = data / "lock"
    if not lock.exists():
        return False
    with lock.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
