"""Dotted names in running text, each label whole.

A run of letters, digits, hyphens and dots is cut where the script changes between one that
puts spaces between words and one that does not, and nowhere else.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator

import msgspec

from bayanihan.core.refang import DOT
from bayanihan.core.spaceless import SPACELESS, is_spaceless


def _marks() -> str:
    """Combining marks as a character class: regular expressions count them as no letters."""
    points = [code for code in range(0x300, 0x20000) if unicodedata.category(chr(code))[0] == "M"]
    spans: list[list[int]] = []
    for code in points:
        if spans and spans[-1][1] == code - 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join([f"{chr(first)}-{chr(last)}" for first, last in spans])


_DOTS = f".{DOT}\uff0e\uff61"
_SEGMENT = re.compile(rf"[{SPACELESS}](?:[0-9-]*+[{SPACELESS}])*+|[^{SPACELESS}]+")
_ANY_DOT = re.compile(f"[{_DOTS}]")


@functools.cache
def _runs() -> re.Pattern[str]:
    """A run of letters and dots. Made at the first text: it reads through all characters."""
    letters = rf"\w{_marks()}-"
    return re.compile(rf"[{letters}]++(?:[{_DOTS}][{letters}]++)++|[{letters}]++")


# Endings that are top-level domains as well as usual endings of files.
_FILES = frozenset(
    "py rs md sh pl so ps zip mov cc do app cab bz ml mk pm st ai bar lock link "
    "cfd one page pub tf vi ms la".split()
) - {"app", "ai", "la", "page", "link", "one", "vi", "ms", "cfd", "ml", "mk", "st", "bar", "bz"}


class Name(msgspec.Struct, frozen=True):
    """A dotted name as it stands in a text. `defanged`: one of its dots was written so."""

    start: int
    end: int
    labels: tuple[str, ...]
    defanged: bool
    uncertain: bool

    def doubt(self, before: str, after: str) -> str:
        """Why it is not taken for a domain, in a sentence; "" when nothing speaks against it.

        Args:
            before: some of the text before it.
            after: the character after it.
        """
        if self.uncertain or (is_spaceless(self.labels[0]) and is_spaceless(after)):
            return "Where the name begins cannot be told in a script without spaces."
        if self.defanged:
            return ""
        if before.endswith(("/", "\\", "@", "=", "_")):
            return "It is a part of a path or of another name."
        ending = self.labels[-1]
        if ending.lower() in _FILES and len(self.labels) == 2 and after not in ("/", ":"):
            return f"`.{ending}` is the ending of a file as well, and nothing says that it is none."
        first = self.labels[0]
        if len(self.labels) == 2 and ending[:1].isupper() and not first.isupper():
            return "It reads as the end of one sentence and the start of the next."
        return ""


def names(text: str, start: int, limit: int = 1_000_000) -> Iterator[Name]:
    """The names of two labels and more from a place on.

    Args:
        text: refanged, with `DOT` for the dots that were defanged.
        start: where to begin.
        limit: how many runs to walk; with 1 it is the run that begins at `start`, if any.
    """
    if limit == 1:
        run = _runs().match(text, start)
        if run and _ANY_DOT.search(run[0]):
            yield from _names_of(run)
        return
    for run in _runs().finditer(text, start):
        if _ANY_DOT.search(run[0]):
            yield from _names_of(run)


def _names_of(run: re.Match[str]) -> Iterator[Name]:
    """The names in one run: where the script changes inside a label, one name ends."""
    at = run.start()
    labels: list[str] = []
    start, glued, defanged = at, False, False
    whole = run[0]
    dots = [dot.start() for dot in _ANY_DOT.finditer(whole)] + [len(whole)]
    begin = 0
    for end in dots:
        segments = list(_SEGMENT.finditer(whole, begin, end))
        if not labels:
            start, glued = at + segments[-1].start(), len(segments) > 1
            labels = [segments[-1][0]]
        else:
            defanged = defanged or whole[begin - 1] == DOT
            labels.append(segments[0][0])
            if len(segments) > 1 or end == len(whole):
                yield _made(start, at + segments[0].end(), labels, glued, defanged)
                start, glued, defanged = at + segments[-1].start(), True, False
                labels = [segments[-1][0]]
        begin = end + 1


def _made(start: int, end: int, labels: list[str], glued: bool, defanged: bool) -> Name:
    return Name(start, end, tuple(labels), defanged, glued and is_spaceless(labels[0]))
