"""Whose policy counts for a feed, beside that of the hub."""

from __future__ import annotations

from typing import NamedTuple


class Whose(NamedTuple):
    """Whose policy counts beside the hub's: the viewer's member, and what loads the feed.

    Both are "" where there is none; the profile is one of `decide.PROFILES`. `edition` names
    the member's own list as it stands.
    """

    home: str = ""
    profile: str = ""
    edition: str = ""


ANYBODY = Whose()
