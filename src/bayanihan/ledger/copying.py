"""Backups: a whole copy of the record while it is written, and a new history from one.

A backup is one tar file: the ledger, copied in a single reading of the store; the hub's
key and settings; the list of what was erased; and a manifest with the root hash, by which
the copy is checked before the file is said to be good. A restored ledger begins a new
epoch, so that no reader mistakes it for the one whose cursors it holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from bayanihan.errors import Broken, Refused, Unavailable
from bayanihan.ledger.door import Ledger
from bayanihan.ledger.engine import Store
from bayanihan.ledger.erasures import ERASURES, Again, Erasure, erasures_of, take_back_again
from bayanihan.ledger.migrating import migrate
from bayanihan.ledger.sqlite import SCHEMA_VERSION, SqliteStore
from bayanihan.ledger.verify import Report, check_ledger
from bayanihan.ledger.workplace import workplace

LEDGER = "ledger.db"
MANIFEST = "manifest.json"
# What a hub needs beside its ledger; projections and indexes are made again.
KEPT_FILES = ("signing.key", "hub.toml", "admin.key", ERASURES)


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup claims: its format, the tree it holds, and each file's SHA-256."""

    format: int
    software: str
    made_at: str
    epoch: str
    size: int
    root: str
    files: dict[str, str]


def back_up(data: Path, out: Path, *, software: str, made_at: str) -> Manifest:
    """Copy a data directory into one file, beside a running hub, and check the copy.

    Raises:
        Refused: `cannot-read` where there is no ledger, `cannot-write` where there is no
            folder for the copy.
        Unavailable: `disk-full` when the copy cannot be written.
        Broken: `record-damaged` when the copy does not verify.
    """
    if not (data / LEDGER).exists():
        raise Refused(
            "cannot-read",
            "There is no ledger here",
            where=str(data),
            next_step="Where it is on PostgreSQL, use pg_basebackup or pg_dump --schema bayanihan.",
        )
    if not out.parent.is_dir():
        message = "There is no folder for the backup"
        raise Refused("cannot-write", message, where=str(out.parent))
    try:
        with workplace(out.parent, ".backup-") as work:
            return _back_up(data, out, work, software, made_at)
    except (OSError, sqlite3.OperationalError) as error:
        message = f"The backup cannot be written: {error}"
        raise Unavailable("disk-full", message, where=str(out)) from error


def _back_up(data: Path, out: Path, work: Path, software: str, made_at: str) -> Manifest:
    store = SqliteStore(data / LEDGER, read_only=True)
    try:
        store.copy_to(work / LEDGER)
    finally:
        store.close()
    try:
        report, epoch, erasures = _inspect(work / LEDGER)
    except Refused as refusal:
        raise Broken("record-damaged", refusal.message, where=str(data)) from None
    for name in KEPT_FILES:
        if (data / name).exists():
            (work / name).write_bytes((data / name).read_bytes())
    lines = (msgspec.json.encode(each) + b"\n" for each in erasures)
    (work / ERASURES).write_bytes(b"".join(lines))
    files = sorted(path for path in work.iterdir() if path.is_file())
    digests = {path.name: _digest(path) for path in files}
    manifest = Manifest(
        SCHEMA_VERSION, software, made_at, epoch, report.entries, report.root, digests
    )
    partial = work / "whole.tar"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            _add(archive, MANIFEST, msgspec.json.encode(manifest))
            for path in files:
                archive.add(path, arcname=path.name)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(out)
    return manifest


def _inspect(path: Path) -> tuple[Report, str, list[Erasure]]:
    store = SqliteStore(path, read_only=True)
    try:
        report = check_ledger(store)
        if not report.ok:
            raise Refused("bad-value", f"The copy does not verify: {report.faults[0]}")
        return report, store.meta("epoch").hex(), erasures_of(store)
    finally:
        store.close()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = 0o600
    archive.addfile(info, io.BytesIO(content))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def restore(
    backup: Path,
    data: Path,
    erasures: Iterable[Erasure],
    *,
    database: Callable[[], Store] | None = None,
) -> tuple[Manifest, Again]:
    """Make a data directory from a backup: checked, erased anew, with an epoch of its own.

    Args:
        backup: the file.
        data: a directory without a ledger; made when absent.
        erasures: what was erased or withdrawn since the backup was made.
        database: opens an empty one, where the ledger shall be instead of in a file.

    Returns:
        The backup's manifest, and how much the lists took back anew.

    Raises:
        Refused: `cannot-read` without a file; `bad-value` for a file that is no good backup;
            `conflict` when `data` holds a ledger already, or a key or settings that are not
            the backup's.
    """
    if (data / LEDGER).exists():
        raise Refused(
            "conflict",
            "This directory holds a ledger already",
            where=str(data),
            next_step="Restore into another directory, or move the old one away.",
        )
    if not backup.is_file():
        raise Refused("cannot-read", "There is no such backup", where=str(backup))
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with workplace(data, ".restore-") as work:
        manifest = _extract(backup, work)
        _check_kept(manifest, data)
        report, epoch, _ = _inspect(work / LEDGER)
        if (report.root, report.entries, epoch) != (manifest.root, manifest.size, manifest.epoch):
            raise Refused("bad-value", "The ledger is not the one that the manifest names")
        again = _begin_anew(work, list(erasures))
        if database:
            _move_into(work / LEDGER, database())
        for name in manifest.files:
            if name == LEDGER or (name == ERASURES and (data / name).exists()):
                continue
            (work / name).chmod(0o600)
            (work / name).replace(data / name)
        if not database:
            (work / LEDGER).chmod(0o600)
            (work / LEDGER).replace(data / LEDGER)
    return manifest, again


def _move_into(path: Path, database: Store) -> None:
    with contextlib.closing(database), contextlib.closing(SqliteStore(path)) as restored:
        migrate(restored, database)


def _check_kept(manifest: Manifest, data: Path) -> None:
    """Refuse to replace a hub's own key or settings by others."""
    for name, digest in manifest.files.items():
        path = data / name
        if name in (LEDGER, ERASURES) or not path.exists() or _digest(path) == digest:
            continue
        raise Refused(
            "conflict",
            f"This directory has another {name} than the backup",
            where=str(path),
            next_step="Move it away if the backup's shall be used, or restore elsewhere.",
        )


def _extract(backup: Path, work: Path) -> Manifest:
    try:
        with tarfile.open(backup, "r:") as archive:
            manifest = _manifest_of(archive)
            for name in manifest.files:
                _unpack(archive, name, work / name)
    except (OSError, tarfile.TarError, msgspec.MsgspecError) as error:
        raise Refused("bad-value", f"This is no backup: {error}", where=str(backup)) from None
    for name, digest in manifest.files.items():
        if _digest(work / name) != digest:
            raise Refused("bad-value", f"{name} was changed since the backup", where=name)
    return manifest


def _manifest_of(archive: tarfile.TarFile) -> Manifest:
    names = {member.name for member in archive if member.isfile()}
    source = archive.extractfile(MANIFEST) if MANIFEST in names else None
    if source is None:
        raise Refused("bad-value", "This is no backup: it has no manifest")
    manifest = msgspec.json.decode(source.read(), type=Manifest)
    allowed = {LEDGER, *KEPT_FILES} & names
    if LEDGER not in manifest.files or not set(manifest.files) <= allowed:
        raise Refused("bad-value", "This backup is incomplete")
    return manifest


def _unpack(archive: tarfile.TarFile, name: str, path: Path) -> None:
    source = archive.extractfile(name)
    assert source is not None
    with path.open("wb") as target:
        shutil.copyfileobj(source, target)


def _begin_anew(folder: Path, erasures: list[Erasure]) -> Again:
    """Give the ledger a new epoch, and take back anew what the lists name, on the record."""
    store = SqliteStore(folder / LEDGER)
    try:
        store.set_meta("epoch", secrets.token_bytes(8))
    finally:
        store.close()
    if not erasures:
        return Again()
    ledger = Ledger(folder)
    try:
        return take_back_again(ledger, erasures)
    finally:
        ledger.close()
