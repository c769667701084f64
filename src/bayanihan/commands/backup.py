"""`bayanihan backup` and `bayanihan restore`."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from bayanihan import __version__
from bayanihan.commands.data_folder import DEFAULT_DATA, DataOption
from bayanihan.commands.hub_client import JsonOption, as_json_text
from bayanihan.config import load_settings
from bayanihan.core import moment
from bayanihan.errors import Refused
from bayanihan.ledger import ERASURES, Erasure, back_up, read_erasures, renew, shown, store_at
from bayanihan.ledger import restore as restore_ledger


def backup(
    out: Annotated[Path, Parameter(help="The file to write; it holds secrets, keep it safe.")],
    *,
    data: DataOption = Path(DEFAULT_DATA),
    json: JsonOption = False,
) -> None:
    """Copy a hub's record into one file, also while the hub runs, and verify the copy.

    Example: bayanihan backup hub-monday.tar
    """
    made_at = moment.render(time.time_ns() // 1_000)
    manifest = back_up(data, out, software=__version__, made_at=made_at)
    if json:
        print(as_json_text(msgspec.to_builtins(manifest)))
    else:
        print(f"{manifest.size} entries, root {manifest.root}")
        print(f"backup: ok, {out}")


def restore(
    file: Annotated[
        Path | None, Parameter(help="A file that `bayanihan backup` wrote; none with --store.")
    ] = None,
    *,
    data: DataOption = Path(DEFAULT_DATA),
    store: Annotated[
        str, Parameter(help="Where the record shall be, or is already: postgresql://…")
    ] = "",
    erasures: Annotated[
        Path | None,
        Parameter(help="What was taken back since; default: erasures.jsonl in the directory."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make a data directory from a backup. It begins a new epoch: old cursors answer `reset`.

    What was erased or withdrawn after the backup was made is taken back again, if its list
    is given. With --store and a file the record goes into an empty database. With --store
    alone it is there already, brought back by the database's own tools or by a promotion
    that may have lost entries: it is checked, and begins a new epoch.

    Example: bayanihan restore hub-monday.tar --data bayanihan-data
    """
    address = store or load_settings(data).store
    listed = _listed(erasures, data / ERASURES)
    if file:
        database = partial(store_at(address), data) if address else None
        manifest, again = restore_ledger(file, data, listed, database=database)
        told, when = msgspec.to_builtins(manifest), f" of {manifest.made_at}"
    elif address:
        report, again = renew(address, listed)
        told, when = {"size": report.entries, "root": report.root}, ""
    else:
        raise Refused("wrong-use", "Name a backup, or a database with --store", where="file")
    if json:
        done = {"erased_again": again.erased, "withdrawn_again": again.withdrawn}
        print(as_json_text({**told, **done}))
    else:
        print(f"{told['size']} entries{when}, root {told['root']}")
        print(f"erased again: {again.erased}, withdrawn again: {again.withdrawn}")
        print(f"restore: ok, {shown(address) if address else data}")


def _listed(given: Path | None, kept: Path) -> list[Erasure]:
    """The erasure list that was named, or the one that is kept."""
    listed = given or kept
    if not given and not listed.exists():
        return []
    try:
        return read_erasures(listed.read_bytes())
    except OSError as error:
        message = f"The erasure list cannot be read: {error}"
        raise Refused("cannot-read", message, where=str(listed)) from None
