"""Keys are let in by what is in force on every node, or not at all.

A node that cannot tell whether a key was revoked elsewhere lets none in: it goes on
answering whoever has no key, with what is CLEAR. A key that read as the public would be
worse than one that must wait, since its cursor would move past what it may see.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from bayanihan.core.marking import Viewer
from bayanihan.errors import Unavailable
from bayanihan.registry.keys import Key
from bayanihan.registry.registry import Registry

# What must answer whatever the database does.
_ALWAYS = frozenset({"/health/live"})


class Confirmation(Protocol):
    """Whether this node knows what is in force. See `ledger.Confirming`."""

    @property
    def holds(self) -> bool:
        """Whether it knew a few seconds ago at most."""
        ...

    async def ask(self) -> None:
        """Wait for an answer that is younger than this call."""
        ...


class Keyring(Protocol):
    """Who holds which key, as far as those who let requests in must know."""

    def sign_in(self, text: str) -> Viewer:
        """The viewer behind a key's text. Raises `Refused("not-signed-in")`."""
        ...

    def viewer(self, key_id: str) -> Viewer:
        """The viewer that a key stands for now. Raises `Refused("not-signed-in")`."""
        ...

    def key(self, key_id: str) -> Key:
        """A key in force. Raises `Refused("not-signed-in")`."""
        ...


class Confirmed:
    """The registry's answers about keys, given only while they are known to be in force.

    Args:
        registry: who holds which key.
        confirmation: see `Confirmation`.
    """

    def __init__(self, registry: Registry, confirmation: Confirmation) -> None:
        self._registry = registry
        self._confirmation = confirmation

    def sign_in(self, text: str) -> Viewer:
        """See `Registry.sign_in`. Raises `Unavailable("store-away")` where nobody can tell."""
        self._check()
        return self._registry.sign_in(text)

    def viewer(self, key_id: str) -> Viewer:
        """See `Registry.viewer`. Raises `Unavailable("store-away")` where nobody can tell."""
        self._check()
        return self._registry.viewer(key_id)

    def key(self, key_id: str) -> Key:
        """See `Registry.key`."""
        return self._registry.key(key_id)

    def _check(self) -> None:
        if not self._confirmation.holds:
            raise Unavailable(
                "store-away",
                "This node cannot tell which keys are in force, so it lets none in",
                retry_after_s=2,
            )


def confirming(
    app: ASGIApp, confirmation: Confirmation, caught_up: Callable[[str], Awaitable[None]]
) -> ASGIApp:
    """Middleware: each request sees what was acknowledged before it came, at any node.

    Args:
        app: what answers.
        confirmation: asked before each request.
        caught_up: waits, a bounded time, for what a path is answered from.
    """

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["path"] not in _ALWAYS:
            await confirmation.ask()
            await caught_up(str(scope["path"]))
        await app(scope, receive, send)

    return middleware
