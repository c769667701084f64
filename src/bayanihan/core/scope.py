"""What a key may do: scopes, checked at the door of each endpoint."""

from __future__ import annotations

from bayanihan.core.marking import Viewer
from bayanihan.errors import Refused


def require(viewer: Viewer, scope: str) -> None:
    """Let a viewer pass whose key has `scope`.

    Raises:
        Refused: `not-signed-in` without a key, `not-permitted` without the scope.
    """
    if not viewer.key:
        raise Refused("not-signed-in", f"This needs a key with the scope `{scope}`")
    if scope not in viewer.scopes:
        raise Refused("not-permitted", f"Your key lacks the scope `{scope}`", where=scope)


def require_if_signed_in(viewer: Viewer, scope: str) -> None:
    """As `require`, but a viewer without a key passes: they see what is public."""
    if viewer.key:
        require(viewer, scope)
