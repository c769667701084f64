"""The file that an engine reads: replaced whole or not at all, with the last good one kept.

Everything lies in the file's own folder, so that a rename never crosses a disk:
`.NAME.incoming` is being written, `.NAME.last-good` was in force before, `.NAME.record`
says what the file holds, `.NAME.lock` keeps a second agent away. The names begin with a
dot, because some engines read every file of a folder.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
from pathlib import Path
from typing import IO

import msgspec

from bayanihan.errors import BayanihanError, Refused, Unavailable

EXERCISE = "exercise-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CHUNK_BYTES = 1024 * 1024


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds: the last version that went all the way.

    `plan` is the commands that it went through. `said_us` is the time in the last receipt,
    and `taken` whether the hub has it. `keyed` says that it was fetched under a key.
    """

    feed: str
    etag: str
    cursor: str
    digest: str
    items: int
    state: str
    detail: str = ""
    plan: tuple[str, ...] = ()
    said_us: int = 0
    taken: bool = False
    keyed: bool = False


class Place:
    """Where a feed's file is put. Hold it open for as long as the file is looked after.

    Raises:
        Refused: `in-use` when another agent has it, `wrong-use` or `cannot-write` when no
            file can be put there.
    """

    def __init__(self, out: Path) -> None:
        self.out = out.resolve()
        if not self.out.name or self.out.is_dir():
            raise Refused("wrong-use", "The place is a folder, not a file", where=str(out))
        self.incoming = self._beside("incoming")
        self.last_good = self._beside("last-good")
        self._record = self._beside("record")
        self._lock = self._locked(self._beside("lock"))
        self._seen: tuple[tuple[int, ...], str] | None = None

    def close(self) -> None:
        """Give the place free."""
        self._lock.close()

    def _beside(self, suffix: str) -> Path:
        return self.out.with_name(f".{self.out.name}.{suffix}")

    def _locked(self, path: Path) -> IO[str]:
        try:
            lock = path.open("a")
        except OSError as error:
            raise unwritten(error, path) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            message = "Another agent looks after this file"
            raise Refused("in-use", message, where=str(self.out)) from None
        return lock

    def record(self) -> Record | None:
        """What was last put here; None when nothing was, or the record is damaged."""
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=Record)
        except (OSError, msgspec.MsgspecError):
            return None

    def write_record(self, record: Record) -> None:
        """Replace the record."""
        draft = self._beside("record-draft")
        try:
            with draft.open("wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(record)))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._record)
            self._settle()
        except OSError as error:
            raise unwritten(error, self._record) from error

    def digest(self) -> str:
        """SHA-256 of the file as it is now; "" when there is none."""
        try:
            at = self.out.stat()
            mark = (at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
            if self._seen is None or self._seen[0] != mark:
                self._seen = (mark, digest_of(self.out))
        except OSError:
            return ""
        return self._seen[1]

    def holds(self, record: Record | None) -> bool:
        """Whether the file is, byte for byte, what the record says."""
        return record is not None and self.digest() == record.digest

    def check_feed(self, feed: str, record: Record | None) -> None:
        """Keep exercises and real feeds apart: neither is put over the other's file.

        Raises:
            Refused: `wrong-use`.
        """
        exercise = feed.startswith(EXERCISE)
        there = record.feed.startswith(EXERCISE) if record else False
        if self.out.exists() and exercise != there:
            kind = "an exercise's" if there else "no exercise's"
            raise Refused(
                "wrong-use",
                f"The file there is {kind}, and {feed} would be put over it",
                where=str(self.out),
                next_step="Give the exercise a file of its own with --out.",
            )

    def check_key(self, signed_in: bool, record: Record | None) -> None:
        """Keep what came under a key from being replaced by the little that is public.

        Raises:
            Refused: `not-signed-in`.
        """
        # A receipt that was taken tells as much, in records without the word.
        if record and (record.keyed or record.taken) and not signed_in and self.out.exists():
            raise Refused(
                "not-signed-in",
                "The file there came under a key, and what is public would take its place",
                where=str(self.out),
                next_step="Give the key, or another file with --out.",
            )

    def put(self, record: Record | None) -> None:
        """Put the incoming file into its place, and keep what was there as the last good.

        A file that nothing vouches for (a crash came between placing and loading) does not
        push out a last good one that is known.
        """
        try:
            if self.out.exists():
                self._like(self.out)
                if self._worth_keeping(record):
                    self._copy(self.out, self.last_good)
            else:
                self.last_good.unlink(missing_ok=True)
            self.incoming.replace(self.out)
            self._settle()
        except OSError as error:
            raise unwritten(error, self.out) from error

    def _worth_keeping(self, record: Record | None) -> bool:
        if record is None or self.holds(record) or not self.last_good.exists():
            return True
        return digest_of(self.last_good) != record.digest

    def put_back(self) -> bool:
        """Undo `put`; whether there was anything to put back."""
        try:
            if self.last_good.exists():
                self._copy(self.last_good, self.out)
            else:
                self.out.unlink(missing_ok=True)
            self._settle()
        except OSError as error:
            raise unwritten(error, self.out) from error
        return self.out.exists()

    def drop_incoming(self) -> None:
        """Remove what did not pass."""
        with contextlib.suppress(OSError):
            self.incoming.unlink(missing_ok=True)

    def _copy(self, source: Path, target: Path) -> None:
        """A second name for the same bytes, replacing `target` in one step."""
        draft = self._beside("link")
        draft.unlink(missing_ok=True)
        try:
            os.link(source, draft)
        except OSError:  # some disks have no links
            with source.open("rb") as old, draft.open("wb") as new:
                while chunk := old.read(_CHUNK_BYTES):
                    new.write(chunk)
                new.flush()
                os.fsync(new.fileno())
        # Renaming one name of a file over another name of it leaves both.
        draft.replace(target)
        draft.unlink(missing_ok=True)

    def _like(self, path: Path) -> None:
        """The engine may run as another user: keep the file's owner and mode."""
        old = path.stat()
        self.incoming.chmod(old.st_mode & 0o777)
        new = self.incoming.stat()
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            os.chown(self.incoming, old.st_uid, old.st_gid)

    def _settle(self) -> None:
        descriptor = os.open(self.out.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unwritten(error: OSError, path: Path) -> BayanihanError:
    """What to say when a file could not be written."""
    if error.errno in _FULL:
        return Unavailable(
            "disk-full",
            f"The disk is full: {path.name} could not be written",
            where=str(path),
            next_step="Free space on this machine's disk; the last good file is untouched.",
        )
    message = f"{path.name} cannot be read or written: {error.strerror or error}"
    return Refused("cannot-write", message, where=str(path))
