"""Who may act on the law's record: named persons, each for their own member.

An entry is somebody's word, so a key that names no person, and the operator's, may not act.
`regulate` makes a person speak for their member's authority; it opens nothing else.
"""

from __future__ import annotations

from bayanihan.core.marking import PUBLIC, Viewer
from bayanihan.errors import Refused

AUTHORITY = "regulate"
_MAY_FILE = frozenset({"report", AUTHORITY})
_MAY_READ = _MAY_FILE | {"read"}


def person(viewer: Viewer) -> Viewer:
    """Let a named person of a member or of a constituent pass, who may report or regulate.

    Raises:
        Refused: `not-signed-in`, or `not-permitted` with what the key lacks.
    """
    if not viewer.key:
        raise Refused("not-signed-in", "This needs the key of a named person of a member.")
    if not viewer.member:
        raise _not(
            "The operator takes no part in what members register, file and decide.",
            "Use a key of a member: `bayanihan key new --member SG --person NAME`.",
        )
    if viewer.person in ("", viewer.key):
        raise _not(
            "This key names no person, and only a named person acts here.",
            "Ask for a key with a person's name: `key new --person NAME`.",
        )
    if viewer.serves:
        raise _not(
            f"This key reports for {viewer.serves}, and nothing is filed or decided with it.",
            f"Use a key of {viewer.member}'s own.",
        )
    if not viewer.scopes & _MAY_FILE:
        raise _not("Your key lacks the scope `report` or `regulate`.", "Ask for such a key.")
    return viewer


def authority(viewer: Viewer) -> Viewer:
    """Let a named person of a member's own authority pass (scope `regulate`).

    Raises:
        Refused: `not-signed-in`, or `not-permitted` with what the key lacks.
    """
    person(viewer)
    if not speaks_for_authority(viewer):
        raise _not(
            "Only a member's own authority does this (scope `regulate`).",
            "Ask the operator for a key with the scope `regulate`.",
        )
    return viewer


def reader(viewer: Viewer) -> Viewer:
    """Who reads: the viewer, or the public where the key neither reads, reports nor regulates."""
    return viewer if viewer.scopes & _MAY_READ else PUBLIC


def speaks_for_authority(viewer: Viewer) -> bool:
    """Whether the viewer reads and writes as a member's own authority."""
    return bool(viewer.member) and not viewer.constituent and AUTHORITY in viewer.scopes


def _not(message: str, next_step: str) -> Refused:
    return Refused("not-permitted", message, next_step=next_step)
