"""Scripts that put no space between words, and where they end a piece of another script."""

from __future__ import annotations

import re

# Thai and Lao, Burmese, Khmer, Chinese and Japanese; their marks and digits included.
SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f\u1780-\u17ff\u19e0-\u19ff"
    "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_OTHER = "0-9A-Za-z_\u00aa-\u0dff"
_PLAIN_THEN_SPACELESS = re.compile(rf"(?<=[{_OTHER}=&%;_-])(?=[{SPACELESS}])")
_EITHER = re.compile(rf"(?<=[{_OTHER}])(?=[{SPACELESS}])|(?<=[{SPACELESS}])(?=[{_OTHER}])")


_ONE = re.compile(f"[{SPACELESS}]")


def is_spaceless(char: str) -> bool:
    """Whether a text begins with a letter of a script without spaces."""
    return _ONE.match(char) is not None


def cut_before(rest: str) -> int:
    """Where the text goes on after the path of a URL; the length where nowhere.

    It is the first letter without spaces that follows a letter of another kind directly.
    """
    found = _PLAIN_THEN_SPACELESS.search(rest)
    if found and rest[found.start() - 1] != "=":
        return found.start()
    return len(rest)


def cut_after(host: str) -> int:
    """Where the text goes on after a host: within its last label, at a change of scripts.

    A change in an earlier label makes it a host of its own kind, which is judged as such.
    """
    last = max(host.rfind("."), host.rfind("\ue00e")) + 1
    if last == 0:
        return len(host)
    found = _EITHER.search(host, last)
    return found.start() if found else len(host)
