"""What a file falls into: parts with a text, and what is told beside it."""

from __future__ import annotations

import codecs
import re

import msgspec

from bayanihan.core.examined import Finding

PART_LIMIT = 1_000
TEXT_LIMIT = 100_000
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)


class Part(msgspec.Struct):
    """One part of a file. `where` names it for a person: `text`, `subject`, `attachment 2`."""

    where: str
    text: str = ""
    role: str = "named"


class Opened(msgspec.Struct):
    """A file taken apart: its parts, its pictures and sounds, and what was left out."""

    kind: str
    parts: list[Part] = []
    files: list[tuple[str, bytes]] = []
    findings: list[Finding] = []
    victims: list[tuple[str, str]] = []
    left_out: list[str] = []
    objects: list[bytes] = []
    cadence: list[str] = []


def decoded(data: bytes, charset: str = "") -> str:
    """Bytes as text: by the charset named, by a mark, as UTF-8, else by the region's charsets.

    What no charset explains is replaced, never refused.
    """
    data = data[: 4 * TEXT_LIMIT]
    named = _CHARSET.search(data[:2_000])
    for name in (charset, named[1].decode("ascii") if named else ""):
        if name and (text := _by(data, name)) is not None:
            return text
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(name, errors="replace")
    # A cut at the limit may halve the last letter.
    text = _by(data, "utf-8") or _by(data[:-3], "utf-8")
    if text is not None:
        return text
    for name in ("cp874", "gb18030", "cp1258"):
        if (text := _by(data, name)) is not None and _is_likely(text, name):
            return text
    return data.decode("utf-8", errors="replace")


def _by(data: bytes, name: str) -> str | None:
    try:
        if not codecs.lookup(name)._is_text_encoding:
            return None
        return data.decode(name)
    except (LookupError, UnicodeError, ValueError):
        return None


def _is_likely(text: str, name: str) -> bool:
    wanted = {"cp874": "\u0e00\u0e7f", "gb18030": "\u4e00\u9fff"}.get(name, "\u00c0\u01b0")
    high = [char for char in text if char > "\x7f"]
    return sum(wanted[0] <= char <= wanted[1] for char in high) * 10 >= len(high) * 8


def is_text(data: bytes) -> bool:
    """Whether bytes are mostly text: few control characters, no zero bytes but of UTF-16."""
    start = data[:4_096]
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    controls = sum(byte < 9 or (13 < byte < 32 and byte != 27) for byte in start)
    return b"\0" not in start and controls * 50 <= len(start)
