"""A tool as it was handed in: its manifest and its files, and the digest of both.

The files of an archive are read, bounded and held in memory; nothing is unpacked by a library
that follows links. A tool's code is never imported.
"""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bayanihan.core.merkle import root_of
from bayanihan.errors import Refused
from bayanihan.sandbox.manifest import MANIFEST_FILE, Manifest, read_manifest

MAX_FILES = 20_000
MAX_BYTES = 512 << 20
_SKIPPED = frozenset({"__pycache__", ".git"})


@dataclass(frozen=True)
class ToolFile:
    """One file: its bytes, and whether it may be run."""

    data: bytes
    runs: bool


@dataclass(frozen=True)
class Tool:
    """A tool, read.

    Attributes:
        manifest: what it says of itself.
        files: path inside the tool -> file, in order of path.
        digest: SHA-256 in hex over all files, their paths and whether they may be run.
    """

    manifest: Manifest
    files: dict[str, ToolFile]
    digest: str

    @property
    def name(self) -> str:
        """Id and version, as results name it."""
        return f"{self.manifest.id}@{self.manifest.version}"


def load_tool(path: Path) -> Tool:
    """The tool in a folder, a .tar.gz, .tar or .zip.

    Raises:
        Refused: it cannot be read, is too large, holds what is no plain file, or its manifest
            breaks the schema.
    """
    if path.is_dir():
        found = _in_folder(path)
    elif not path.is_file():
        raise Refused("cannot-read", "There is no tool here", where=str(path))
    elif zipfile.is_zipfile(path):
        found = _in_zip(path)
    else:
        found = _in_tar(path)
    files = _collected(found, str(path))
    if MANIFEST_FILE not in files:
        raise Refused(
            "missing-property",
            f"A tool has {MANIFEST_FILE} at its top",
            where=str(path),
            next_step="Begin with `bayanihan trial init FOLDER`.",
        )
    manifest = read_manifest(files[MANIFEST_FILE].data, f"{path}/{MANIFEST_FILE}")
    _check_artefact(manifest, files, f"{path}/{MANIFEST_FILE} $.artefact")
    return Tool(manifest, files, digest_of(files))


def _check_artefact(manifest: Manifest, files: dict[str, ToolFile], where: str) -> None:
    """Refuse another artefact than the vendor declares."""
    held = {name: file for name, file in files.items() if name != MANIFEST_FILE}
    found = f"sha256:{digest_of(held)}"
    if manifest.artefact not in ("", found):
        raise Refused(
            "bad-value",
            "The tool's files are not the artefact that its vendor declares",
            where=where,
            next_step=f"Ask the vendor. These files are {found}.",
        )


def digest_of(files: dict[str, ToolFile]) -> str:
    """The Merkle root over a tool's files in order of path."""
    leaves = []
    for name, file in sorted(files.items()):
        head = f"{'x' if file.runs else '-'} {hashlib.sha256(file.data).hexdigest()} {name}"
        leaves.append(hashlib.sha256(b"\0" + head.encode()).digest())
    return root_of(leaves).hex()


def _collected(found: Iterator[tuple[str, ToolFile]], where: str) -> dict[str, ToolFile]:
    files: dict[str, ToolFile] = {}
    total = 0
    try:
        for name, file in found:
            place = PurePosixPath(name)
            if place.is_absolute() or ".." in place.parts or not place.parts or "\0" in name:
                raise Refused("bad-value", "A file of the tool lies outside of it", where=name)
            if place.as_posix() in files:
                raise Refused("duplicate-key", "A file is in the tool twice", where=name)
            total += len(file.data)
            if len(files) >= MAX_FILES or total > MAX_BYTES:
                raise Refused("too-large", "The tool is too large", where=where)
            files[place.as_posix()] = file
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError, RuntimeError) as error:
        raise Refused("cannot-read", f"This is no tool: {error}", where=where) from None
    return dict(sorted(files.items()))


def _in_folder(folder: Path) -> Iterator[tuple[str, ToolFile]]:
    left = MAX_BYTES
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if _SKIPPED & set(inside.parts) or path.is_dir():
            continue
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            raise Refused("bad-value", "A tool holds plain files only", where=str(path))
        left -= path.stat().st_size
        if left < 0:
            raise Refused("too-large", "The tool is too large", where=str(folder))
        yield inside.as_posix(), ToolFile(path.read_bytes(), bool(mode & 0o100))


def _in_zip(path: Path) -> Iterator[tuple[str, ToolFile]]:
    with zipfile.ZipFile(path) as archive:
        left = MAX_BYTES
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            mode = entry.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise Refused("bad-value", "A tool holds plain files only", where=entry.filename)
            with archive.open(entry) as stream:
                data = _bounded(stream.read(left + 1), left, path)
            left -= len(data)
            yield entry.filename, ToolFile(data, bool(mode & 0o100))


def _in_tar(path: Path) -> Iterator[tuple[str, ToolFile]]:
    with tarfile.open(path) as archive:
        left = MAX_BYTES
        for entry in archive:
            if entry.isdir():
                continue
            stream = archive.extractfile(entry) if entry.isreg() else None
            if stream is None:
                raise Refused("bad-value", "A tool holds plain files only", where=entry.name)
            data = _bounded(stream.read(left + 1), left, path)
            left -= len(data)
            yield entry.name, ToolFile(data, bool(entry.mode & 0o100))


def _bounded(data: bytes, left: int, path: Path) -> bytes:
    if len(data) > left:
        raise Refused("too-large", "The tool unpacks to too much", where=str(path))
    return data


def packed(files: dict[str, ToolFile]) -> bytes:
    """The files as a .tar.gz that is the same for the same files."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz", compresslevel=6) as archive:
        for name, file in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(file.data)
            entry.mode = 0o755 if file.runs else 0o644
            archive.addfile(entry, io.BytesIO(file.data))
    return held.getvalue()
