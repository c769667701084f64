"""`bayanihan backup` and `bayanihan restore`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from bayanihan import __version__
from bayanihan.commands.hub_client import DEFAULT_DATA, DataOption, JsonOption, as_json_text
from bayanihan.core import moment
from bayanihan.errors import Refused
from bayanihan.ledger import ERASURES, back_up, read_erasures
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
    file: Annotated[Path, Parameter(help="A file that `bayanihan backup` wrote.")],
    *,
    data: DataOption = Path(DEFAULT_DATA),
    erasures: Annotated[
        Path | None,
        Parameter(help="What was taken back since; default: erasures.jsonl in the directory."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make a data directory from a backup. It begins a new epoch: old cursors answer `reset`.

    What was erased or withdrawn after the backup was made is taken back again, if its list
    is given.

    Example: bayanihan restore hub-monday.tar --data bayanihan-data
    """
    listed = erasures or data / ERASURES
    text = b""
    if erasures or listed.exists():
        try:
            text = listed.read_bytes()
        except OSError as error:
            message = f"The erasure list cannot be read: {error}"
            raise Refused("cannot-read", message, where=str(listed)) from None
    manifest, again = restore_ledger(file, data, read_erasures(text))
    if json:
        done = {"erased_again": again.erased, "withdrawn_again": again.withdrawn}
        print(as_json_text({**msgspec.to_builtins(manifest), **done}))
    else:
        print(f"{manifest.size} entries of {manifest.made_at}, root {manifest.root}")
        print(f"{again.erased} bodies erased again, {again.withdrawn} objects withdrawn again")
        print(f"restore: ok, {data}")
