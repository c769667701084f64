"""What a key may do: scopes, checked at the door of each endpoint."""

from __future__ import annotations

from bayanihan.core.marking import Viewer
from bayanihan.errors import Refused


def require(viewer: Viewer, scope: str, *, for_another: bool = False) -> None:
    """Let a viewer pass whose key has `scope`.

    Args:
        viewer: who asks.
        scope: what the endpoint needs.
        for_another: whether a named proxy may do this in the name of the member it serves.

    Raises:
        Refused: `not-signed-in` without a key, `not-permitted` without the scope.
    """
    if not viewer.key:
        raise Refused("not-signed-in", f"This needs a key with the scope `{scope}`")
    if scope not in viewer.scopes:
        raise Refused(
            "not-permitted",
            f"Your key lacks the scope `{scope}`",
            where=scope,
            next_step=f"Ask who made your key for one with the scope `{scope}`.",
        )
    if viewer.serves and scope == "report" and not for_another:
        raise Refused(
            "not-permitted",
            f"This key reports for {viewer.serves} and does nothing else in its name",
            where=scope,
            next_step=f"Use {viewer.member}'s own key, or ask {viewer.serves} to do it.",
        )


def require_if_signed_in(viewer: Viewer, scope: str) -> None:
    """As `require`, but a viewer without a key passes: they see what is public."""
    if viewer.key:
        require(viewer, scope)
