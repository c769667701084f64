"""Seeded changes that keep an item's meaning: what evades a tool that reads bytes and not sense.

Each operator is a function of a text and a source of numbers (`number(below)` gives the next
one), so that the same seed gives the same variant everywhere. Scripts are changed by renaming,
junk and re-encoding only: what did nothing still does nothing.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Callable

Number = Callable[[int], int]

# Latin letters and the Cyrillic or Greek ones that look like them (Unicode confusables).
_ALIKE = str.maketrans("aceopxyijsABCEHIKMOPTX", "асеорхуіјѕАВСЕНІКМОРТХ")
_LEET = str.maketrans("oieasOIEAS", "0134501345")
_ZERO_WIDTH = "\u200b"
_ADDRESS = re.compile(r"https?://\S+|[\w.-]+\.example\S*")


def _outside_addresses(text: str, change: Callable[[str], str]) -> str:
    """The text with everything but its addresses changed: a changed address is another one."""
    parts, at = [], 0
    for found in _ADDRESS.finditer(text):
        parts += [change(text[at : found.start()]), found[0]]
        at = found.end()
    return "".join([*parts, change(text[at:])])


def _some(text: str, number: Number, change: Callable[[str], str], one_in: int) -> str:
    return "".join(change(char) if number(one_in) == 0 else char for char in text)


def homoglyphs(text: str, number: Number) -> str:
    """Some Latin letters as their look-alikes of other scripts."""
    return _outside_addresses(
        text, lambda part: _some(part, number, lambda char: char.translate(_ALIKE), 4)
    )


def zero_width(text: str, number: Number) -> str:
    """Invisible spaces between letters, in scripts that write without spaces too."""
    return _outside_addresses(
        text, lambda part: _some(part, number, lambda char: char + _ZERO_WIDTH, 6)
    )


def leet(text: str, number: Number) -> str:
    """Some letters as digits."""
    return _outside_addresses(
        text, lambda part: _some(part, number, lambda char: char.translate(_LEET), 8)
    )


def without_marks(text: str, number: Number) -> str:
    """Latin letters without their marks, as Vietnamese is typed in haste."""
    del number
    spread = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    kept = [
        char
        for at, char in enumerate(spread)
        if not (unicodedata.combining(char) and "LATIN" in unicodedata.name(_base(spread, at), ""))
    ]
    return unicodedata.normalize("NFC", "".join(kept))


def _base(text: str, at: int) -> str:
    while at and unicodedata.combining(text[at]):
        at -= 1
    return text[at]


def spread_out(text: str, number: Number) -> str:
    """Words of Latin letters with spaces in them, here and there."""

    def change(found: re.Match[str]) -> str:
        return " ".join(found[0]) if number(5) == 0 else found[0]

    return _outside_addresses(text, lambda part: re.sub(r"[A-Za-z]{5,}", change, part))


OPERATORS: dict[str, Callable[[str, Number], str]] = {
    "homoglyphs": homoglyphs,
    "zero-width": zero_width,
    "leet": leet,
    "without-marks": without_marks,
    "spread-out": spread_out,
}


def text_variant(text: str, number: Number) -> str:
    """The text changed by one operator; the text itself where none changes it."""
    names = list(OPERATORS)
    first = number(len(names))
    for step in range(len(names)):
        changed = OPERATORS[names[(first + step) % len(names)]](text, number)
        if changed != text:
            return changed
    return text


_NAMED = re.compile(r"\bv_(\w+)\b")
_ENCODED = re.compile(r"b64\[(.*?)\]")
_SYLLABLES = "ba ke mi no su ta re lo va di pe gu".split()


def script_variant(text: str, number: Number) -> str:
    """A script with other names, junk comments and encodings; it does what it did.

    Names to change are written `v_name`, text to encode `b64[text]`, and junk comments may
    stand on lines that are `#junk`.
    """
    names: dict[str, str] = {}

    def renamed(found: re.Match[str]) -> str:
        made = "".join(_SYLLABLES[number(len(_SYLLABLES))] for _ in range(3))
        return names.setdefault(found[1], f"{made}{number(90) + 10}")

    def encoded(found: re.Match[str]) -> str:
        return base64.b64encode(found[1].encode()).decode()

    lines = []
    for line in text.splitlines():
        if line.strip() == "#junk":
            words = (_SYLLABLES[number(len(_SYLLABLES))] for _ in range(number(4)))
            line = "# " + " ".join(words)
        lines.append(_NAMED.sub(renamed, _ENCODED.sub(encoded, line)))
    return "\n".join(lines) + "\n"
