"""Reading rulebooks and system files for the `law` verbs, and today's day."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from bayanihan.errors import Refused
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.load import SEALS_FILE, load, read_seals
from bayanihan.rulebook.system import System, read_system

FORMATS = "text, json, csv, ics or html."


def read_text(path: Path) -> str:
    """A file as UTF-8 text.

    Raises:
        Refused: `cannot-read` or `bad-text`.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Refused("bad-text", f"{path.name} is not UTF-8.", where=str(path)) from None
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise Refused("cannot-read", f"{path.name}: {reason}.", where=str(path)) from None


def rulebook_files(folder: Path | None) -> dict[str, str]:
    """Name to content of every YAML file of a rulebook: the shipped one, or a folder's.

    Raises:
        Refused: when the folder or a file cannot be read.
    """
    if folder is None:
        shipped = resources.files("bayanihan.rulebook").joinpath("texts")
        return {
            entry.name: entry.read_text(encoding="utf-8")
            for entry in shipped.iterdir()
            if entry.name.endswith(".yaml")
        }
    if not folder.is_dir():
        raise Refused("cannot-read", "There is no such folder.", where=str(folder))
    return {path.name: read_text(path) for path in sorted(folder.glob("*.yaml"))}


def open_rulebook(folder: Path | None = None) -> Rulebook:
    """Load the shipped rulebook, or one in a folder; seals are checked where there are any.

    Raises:
        Refused: what is wrong in a text, with file and line.
        Broken: a shipped or sealed file was changed.
    """
    files = rulebook_files(folder)
    seals = files.get(SEALS_FILE)
    if seals is None and folder is None:
        return load(files, {})
    return load(files, None if seals is None else read_seals(seals))


def open_system(path: Path, book: Rulebook) -> System:
    """Read and check a system file.

    Raises:
        Refused: with file and line.
    """
    return read_system(read_text(path), path.name, book.vocabulary)


def today() -> str:
    """Today's day in UTC."""
    return datetime.now(UTC).date().isoformat()
