"""The ZIP of a package: made bit for bit the same from the same files, and opened with distrust.

Nothing in it is compressed, no name in it comes from a report, and no time in it is this machine's.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping

from bayanihan.errors import Refused

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
FILES_LIMIT = 2_000
WHOLE_LIMIT_BYTES = 64 * 1024 * 1024

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}(?:/[0-9]{4})?\.(?:json|sig|txt|html)")
_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_MODE = 0o100644 << 16


def packed(files: Mapping[str, bytes]) -> bytes:
    """The ZIP of these files, in the order of their names.

    Raises `Refused("too-large")`.
    """
    size_bytes = sum(map(len, files.values()))
    if len(files) > FILES_LIMIT or size_bytes > WHOLE_LIMIT_BYTES:
        limit_mib = WHOLE_LIMIT_BYTES // 1024 // 1024
        message = f"A package holds {FILES_LIMIT} files and {limit_mib} MiB at most"
        raise Refused("too-large", message)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _MODE
            archive.writestr(entry, files[name])
    return out.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of a package, in memory: nothing is written anywhere.

    Raises:
        Refused: `too-large`, or `bad-value` for what no package of ours holds: a name that leads
            elsewhere, a name twice, a compressed or encrypted file, bytes besides.
    """
    if len(data) > WHOLE_LIMIT_BYTES + FILES_LIMIT * 256:
        raise Refused("too-large", "This is too large for a package")
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            # Files that lie inside each other are more than the ZIP that holds them.
            if sum(entry.file_size for entry in entries) > WHOLE_LIMIT_BYTES:
                raise Refused("too-large", "This is too large for a package")
            for entry in entries[: FILES_LIMIT + 1]:
                _check(entry, files)
                files[entry.filename] = archive.read(entry)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError) as error:
        step = "Give the ZIP that `bayanihan case export` wrote."
        raise Refused("bad-value", f"This is no package: {error}", next_step=step) from None
    if packed(files) != data:
        raise Refused("bad-value", "This ZIP is not in the one form of a package")
    return files


def _check(entry: zipfile.ZipInfo, files: Mapping[str, bytes]) -> None:
    plain = entry.compress_type == zipfile.ZIP_STORED and not entry.flag_bits & 1
    if not _NAME.fullmatch(entry.filename) or entry.filename in files or not plain:
        message = "A file in it has a name, or a form, that no package has"
        raise Refused("bad-value", message, where=entry.filename[:80])
