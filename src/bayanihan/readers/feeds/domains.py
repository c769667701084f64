"""`domains.txt`: one name a line, for whatever takes a list of names.

The names are A-labels in lower case, sorted. Whether names below a listed one are blocked
as well is up to the program that loads the list. The canary is a name that can never be
registered: a resolver that blocks it has loaded a version of this list.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence

from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import Format, Heading, comment_lines

CANARY = "canary.bayanihan.invalid"

_SAFE = re.compile(r"[a-z0-9_-]++(?:\.[a-z0-9_-]++)++")
_ABOUT = ("One name a line, as A-labels. Lines that begin with # are comments.",)


def refusal(observable: Observable) -> str | None:
    """Why a name cannot stand on a line by itself; None when it can."""
    if observable.value == CANARY:
        return "The name is this list's own canary."
    if _SAFE.fullmatch(observable.value) is None:
        return "The name has no plain spelling."
    return None


def render(observables: Sequence[Observable], heading: Heading) -> bytes:
    """The list with its comments and its canary."""
    lines = [f"# {line}" for line in comment_lines(heading, DOMAINS, about=_ABOUT)]
    names = [observable.value for observable in observables]
    bisect.insort(names, CANARY)
    lines += [*names, ""]
    return "\n".join(lines).encode("ascii")


DOMAINS = Format(
    name="domains.txt",
    engine="any list of names",
    media_type="text/plain; charset=us-ascii",
    types=frozenset({"domain"}),
    refusal=refusal,
    render=render,
    canary=f"the name {CANARY} is on the list",
)
