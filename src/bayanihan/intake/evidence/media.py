"""Pictures, sound and archives: what they are like, without trusting what they claim.

A recording is recognised when it is sent again, cut or quieter. A cloned voice that says
something else is not recognised by it, and nothing here claims so.
"""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

from bayanihan.core import pdq
from bayanihan.intake.evidence import credentials

_PICTURE_PIXELS = 40_000_000
_SIDE = 512
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"BM", "image"),
    (b"II*\0", "image"),
    (b"MM\0*", "image"),
    (b"ID3", "audio"),
    (b"\xff\xfb", "audio"),
    (b"\xff\xf3", "audio"),
    (b"OggS", "audio"),
    (b"fLaC", "audio"),
    (b"#!AMR", "audio"),
    (b"PK\x03\x04", "archive"),
    (b"PK\x05\x06", "archive"),
)
_ENTRIES_LIMIT = 200
_C2PA = (b"c2pa", b"urn:c2pa", b"jumb")


def kind_of(data: bytes) -> str:
    """`image`, `audio` or `archive` by the first bytes; "" for others."""
    if data[:4] == b"RIFF":
        return {b"WEBP": "image", b"WAVE": "audio"}.get(data[8:12], "")
    if data[4:8] == b"ftyp":
        return "image" if data[8:12] in (b"avif", b"heic", b"mif1") else "audio"
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), "")


class _TooLarge(ValueError):
    """A picture claims more than is decoded."""


def _decoded(data: bytes) -> Any:
    """A picture, decoded no larger than needed where its format allows that."""
    from PIL import Image

    with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as picture:
        warnings.simplefilter("error")
        if picture.width * picture.height > _PICTURE_PIXELS:
            raise _TooLarge(f"it claims {picture.width} x {picture.height} pixels")
        picture.draft("RGB", (_SIDE, _SIDE))
        picture.load()
        return picture.convert("RGB")


def pictures(data: bytes, *, parts: bool = True) -> tuple[list[pdq.Picture], str]:
    """The hashes of a picture, or none and the reason in a sentence.

    Args:
        data: the file.
        parts: whether to tell it by its parts as well, which takes several times as long.
    """
    import numpy
    from PIL import Image

    try:
        small = _decoded(data)
    except (OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError) as error:
        told = str(error) if isinstance(error, _TooLarge) else type(error).__name__
        return [], f"The picture could not be decoded: {told}."
    small.thumbnail((_SIDE, _SIDE))
    if min(small.size) < 5:
        return [], "The picture is too small to be recognised."
    rgb = numpy.asarray(small).astype(float)
    grey = rgb[:, :, 0] * 0.299 + rgb[:, :, 1] * 0.587 + rgb[:, :, 2] * 0.114
    found = [each for each in pdq.hashes(grey, parts=parts) if each.quality >= pdq.LEAST_QUALITY]
    return found, "" if found else "The picture has too little detail to be recognised."


def sound(data: bytes, timeout_s: float = 1.5) -> tuple[str, str]:
    """The Chromaprint of a recording in base64, or "" and the reason."""
    program = shutil.which("fpcalc")
    if program is None:
        return "", "`fpcalc` is not installed: the recording has no fingerprint."
    with tempfile.NamedTemporaryFile(suffix=".audio") as file:
        file.write(data)
        file.flush()
        command = [program, "-raw", "-plain", "-length", "120", str(Path(file.name))]
        try:
            done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False)
        except (subprocess.TimeoutExpired, OSError):
            return "", "The recording could not be read in time."
    numbers = [int(each) for each in done.stdout.split(b",") if each.strip().isdigit()]
    # Some builds end with an error at the end of a whole file: what they printed counts.
    if len(numbers) < 16:
        return "", "The recording is too short, or of a kind that `fpcalc` cannot read."
    raw = b"".join(number.to_bytes(4, "little") for number in numbers[:2_000])
    return base64.b64encode(raw).decode("ascii"), ""


def entries(data: bytes) -> tuple[list[str], str]:
    """The names in an archive and what it would unpack to; nothing is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            listed = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, RuntimeError):
        return [], "The archive is broken: it was taken as a file."
    size = sum(entry.file_size for entry in listed)
    told = f"The archive holds {len(listed)} files of {size} bytes; none was unpacked."
    return [entry.filename[:200] for entry in listed[:_ENTRIES_LIMIT]], told


def provenance(data: bytes) -> list[str]:
    """What Content Credentials a file carries, if any; they are not verified here."""
    if told := credentials.said_by(data):
        return told
    place = max(data.find(each) for each in _C2PA[:2])
    if place < 0 or data.find(_C2PA[2]) < 0:
        return []
    return ["It carries Content Credentials (C2PA) of a form that is not read here, unverified."]
