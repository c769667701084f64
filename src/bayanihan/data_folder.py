"""The data directory of one hub: its owner's alone, one process's at a time, with the hub's key."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
from pathlib import Path
from typing import IO

from bayanihan.core.signing import SigningKey, from_text, to_text
from bayanihan.errors import Broken

logger = logging.getLogger(__name__)

SIGNING_KEY_FILE = "signing.key"


def make_folder(folder: Path) -> None:
    """Make a data directory that only its owner reads, or say that others can read it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_mode & 0o077:
        logger.warning("%s can be read by others on this machine: chmod 700 it", folder)


def locked(path: Path) -> IO[str]:
    """Hold a directory's lock. Raises `Broken("data-locked")` when another process does."""
    lock = path.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise Broken(
            "data-locked", "Another hub is using this data directory", where=str(path.parent)
        ) from None
    return lock


def keep_secret(path: Path, text: str) -> None:
    """Write a file that only its owner reads, durably: the whole of it, or none."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def signing_key_in(folder: Path) -> SigningKey:
    """The hub's own Ed25519 key, made on the first start."""
    path = folder / SIGNING_KEY_FILE
    if not path.exists():
        keep_secret(path, to_text(secrets.token_bytes(32)))
    text = path.read_text(encoding="utf-8").strip()
    return SigningKey(from_text(text, size_bytes=32, where=SIGNING_KEY_FILE))
