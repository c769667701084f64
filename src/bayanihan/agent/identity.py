"""Who signs here: an Ed25519 key, made on the first run and kept in the state folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from bayanihan.core import signing
from bayanihan.errors import Refused

KEY_FILE = "agent.key"


def identity(folder: Path, entropy: Callable[[int], bytes]) -> signing.SigningKey:
    """The agent's signing key.

    The file is linked into its name whole, so two first runs at once agree on one key.

    Args:
        folder: the state folder; made, for its owner alone, when absent.
        entropy: random bytes for a new key.

    Raises:
        Refused: `cannot-write` when it cannot be kept, `bad-value` when it is damaged.
    """
    path = folder / KEY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            keep(path, signing.to_text(entropy(32)) + "\n")
        text = path.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        text = ""
    except OSError as error:
        message = f"The agent's key cannot be kept: {error.strerror}"
        raise Refused("cannot-write", message, where=str(path)) from error
    return signing.SigningKey(signing.from_text(text, size_bytes=32, where=str(path)))


def keep(path: Path, text: str) -> None:
    """Write a file whole under a name that is free; one that is there already stays."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
