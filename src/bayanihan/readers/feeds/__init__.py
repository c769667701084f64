"""Defence feeds: one small file for each format, each a pure function of the active set."""

from __future__ import annotations

from bayanihan.readers.feeds.domains import DOMAINS
from bayanihan.readers.feeds.format import EXERCISE_PREFIX, Format, Heading
from bayanihan.readers.feeds.parted import LeftOut
from bayanihan.readers.feeds.policy import never_block_lines, policy_digest
from bayanihan.readers.feeds.press import Press, Rendered
from bayanihan.readers.feeds.rpz import RPZ

FORMATS: dict[str, Format] = {each.name: each for each in (DOMAINS, RPZ)}

__all__ = [
    "EXERCISE_PREFIX",
    "FORMATS",
    "Format",
    "Heading",
    "LeftOut",
    "Press",
    "Rendered",
    "never_block_lines",
    "policy_digest",
]
