"""A file that a command writes: it is there whole, or as it was before."""

from __future__ import annotations

from pathlib import Path

from bayanihan.errors import Refused, Unavailable
from bayanihan.sandbox.journal import is_full


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one step.

    Args:
        path: where; what is no plain file, as a terminal or a pipe, is written to as it is.
        data: all of it.

    Raises:
        Unavailable: `disk-full`.
        Refused: `cannot-write`.
    """
    direct = path.exists() and not path.is_file()
    partial = path if direct else path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(data)
        if not direct:
            partial.replace(path)
    except OSError as error:
        if not direct:
            partial.unlink(missing_ok=True)
        if is_full(error):
            raise Unavailable(
                "disk-full",
                "The disk is full; nothing was written",
                where=str(path),
                next_step="Free space there, then give the same command again.",
            ) from None
        raise Refused("cannot-write", error.strerror or str(error), where=str(path)) from None
