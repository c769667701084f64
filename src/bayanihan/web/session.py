"""Sessions of people in the console: opened with a key, ended with it.

A session is a random 256-bit token in a cookie; the hub keeps its SHA-256, whose key it
was and when it ends. It opens pages and nothing else: the API and the feeds take keys, so
a page elsewhere can make no browser act there.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

import msgspec

from bayanihan.core.marking import PUBLIC, Viewer
from bayanihan.errors import Refused
from bayanihan.ledger import Change, Ledger, apply_changes

COOKIE = "byn_session"
LIFETIME_S = 12 * 3_600

# Whose keys open a session. What a page then shows is for the page to decide: without `read`
# it is of reports no more than the public sees.
PAGE_SCOPES = frozenset({"read", "report", "regulate"})

_ROOM = "session"
_TOKEN_SIZE_BYTES = 32
_TOKEN_LENGTH_LIMIT = 64
# How many sessions are looked at for expired ones each time somebody signs in.
_SWEEP = 200


class _Session(msgspec.Struct, frozen=True):
    key_id: str
    until_us: int


class Sessions:
    """Opens, finds and ends sessions.

    Args:
        ledger: its state holds the sessions.
        sign_in: the viewer behind a key's text.
        viewer_of: the viewer that a key's id stands for now.
        entropy: random bytes for new tokens.
    """

    def __init__(
        self,
        ledger: Ledger,
        sign_in: Callable[[str], Viewer],
        viewer_of: Callable[[str], Viewer],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._ledger = ledger
        self._sign_in = sign_in
        self._viewer_of = viewer_of
        self._entropy = entropy

    async def open(self, key_text: str) -> str:
        """Begin a session; its token.

        Raises:
            Refused: `not-signed-in` for an unknown key, `not-permitted` for a key without
                any scope that has pages.
        """
        viewer = self._sign_in(key_text)
        if not viewer.scopes & PAGE_SCOPES:
            scopes = ", ".join(f"`{scope}`" for scope in sorted(PAGE_SCOPES))
            raise Refused("not-permitted", f"Your key has none of the scopes {scopes}")
        token = base64.urlsafe_b64encode(self._entropy(_TOKEN_SIZE_BYTES)).rstrip(b"=").decode()
        now_us = self._ledger.now_us()
        place = _place(token)
        changes = [
            Change(_ROOM, document.key, None)
            for document in self._ledger.state.list(_ROOM, "", place, _SWEEP)
            if _read(document.value).until_us <= now_us
        ]
        session = _Session(viewer.key, now_us + LIFETIME_S * 1_000_000)
        changes.append(Change(_ROOM, place, msgspec.json.encode(session)))
        await self._ledger.change_soon(lambda connection: apply_changes(connection, changes))
        return token

    def viewer(self, token: str) -> Viewer:
        """Who a token stands for; `PUBLIC` when it stands for nobody (any more)."""
        if not token or len(token) > _TOKEN_LENGTH_LIMIT:
            return PUBLIC
        document = self._ledger.state.get(_ROOM, _place(token))
        if document is None:
            return PUBLIC
        session = _read(document.value)
        if session.until_us <= self._ledger.now_us():
            return PUBLIC
        try:
            return self._viewer_of(session.key_id)
        except Refused:
            return PUBLIC

    def asker(self, viewer: Viewer, cookies: str) -> Viewer:
        """Who asks: by key as everywhere, else by the session's cookie, else the public.

        Args:
            viewer: whom the entrance took them for.
            cookies: the request's Cookie header.
        """
        return viewer if viewer.key else self.viewer(token_in(cookies))

    async def close(self, token: str) -> None:
        """End a session. An unknown token ends nothing."""
        if token:
            changes = [Change(_ROOM, _place(token), None)]
            await self._ledger.change_soon(lambda at: apply_changes(at, changes))


def token_in(cookies: str) -> str:
    """The session's token in a Cookie header; "" when there is none."""
    try:
        found = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def cookie_of(token: str, *, secure: bool) -> str:
    """The Set-Cookie header that begins a session, or with "" ends it."""
    lifetime_s = LIFETIME_S if token else 0
    flags = "; Secure" if secure else ""
    return f"{COOKIE}={token}; Path=/; Max-Age={lifetime_s}; HttpOnly; SameSite=Strict{flags}"


def check_origin(origin: str | None, host: str) -> None:
    """Let a form pass that one of our own pages sent. A browser always names the origin.

    The scheme is not compared: behind a proxy that ends TLS the hub does not know it.

    Raises:
        Refused: `not-permitted` for a form of another site, or of no named one.
    """
    if not origin or not host or urlsplit(origin).netloc.lower() != host.lower():
        raise Refused(
            "not-permitted",
            "This form was not sent by a page of this hub",
            where="Origin",
            next_step="Open the page again on this hub and send the form from there.",
        )


def _place(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _read(value: bytes) -> _Session:
    return msgspec.json.decode(value, type=_Session)


def reader_of(viewer: Viewer) -> Viewer:
    """Who a page of reports is shown to: the viewer, or the public where the key lacks `read`."""
    return viewer if "read" in viewer.scopes else PUBLIC
