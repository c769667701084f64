"""The console's pages. Every page works without a script; a script only saves the reloading."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Response

from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.scope import require_if_signed_in
from bayanihan.errors import Refused
from bayanihan.web.latest import Console, Row
from bayanihan.web.render import markup, page, static_response
from bayanihan.web.session import Sessions, check_origin, cookie_of, reader_of, token_in
from bayanihan.web.tiles import MEANINGS, WORDS

FORM_LIMIT_BYTES = 4_096

# A rendered list is shared for so long by all who may see exactly the same.
_SHARED_FOR_S = 1.0
_SHELF = 64

T = TypeVar("T")
Denied = Callable[[Viewer, str], list[dict[str, Any]]]
"""The denials about an object, as a viewer may see them. Blocks."""


class Fragment(NamedTuple):
    """A part of a page as HTML, its entity tag, and whether an exercise is in it."""

    html: str
    etag: str
    exercise: bool


class Desk:
    """What the handlers share: the reading thread, the sessions, the lists just rendered.

    One thread reads for all pages, so that however many people watch, pages take no more
    than their share of the machine.
    """

    def __init__(self, console: Console, sessions: Sessions, denied: Denied) -> None:
        self.console = console
        self._denied = denied
        self.sessions = sessions
        self._shelf: OrderedDict[Any, tuple[float, Fragment]] = OrderedDict()
        self._pool = ThreadPoolExecutor(1, "pages")

    async def read(self, job: Callable[..., T], *arguments: Any) -> T:
        """Run a blocking read on the pages' thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, job, *arguments)

    async def viewer(self, request: Request[Any, Any, Any]) -> Viewer:
        """Who asks: by key as everywhere, else by the session's cookie, else the public."""
        viewer = viewer_in(request.scope)
        cookies = request.headers.get("cookie", "")
        if not viewer.key and cookies:
            return await self.read(self.sessions.asker, viewer, cookies)
        require_if_signed_in(viewer, "read")
        return viewer

    async def fragment(self, viewer: Viewer, before: str) -> Fragment:
        """The list of entries for a viewer."""
        return await self.read(self._fragment, reader_of(viewer), before)

    def _fragment(self, viewer: Viewer, before: str) -> Fragment:
        if self.console.something_taken_back():
            self._shelf.clear()  # a list that is shared shows nothing that was taken back
        same = self.console.sight(viewer)
        known = self._shelf.get((same, before))
        if known and time.monotonic() - known[0] < _SHARED_FOR_S:
            return known[1]
        latest = self.console.latest(viewer, before)
        html = markup("latest_list.html", latest=latest, side=same.side, meanings=_MEANINGS)
        made = Fragment(html, _etag(html), latest.exercise)
        self._shelf[same, before] = (time.monotonic(), made)
        while len(self._shelf) > _SHELF:
            self._shelf.popitem(last=False)
        return made

    def entry(self, viewer: Viewer, object_id: str) -> tuple[Row, Fragment]:
        """One object as HTML, with the row that heads it. Raises `Refused("not-found")`."""
        reader = reader_of(viewer)
        full = self.console.full(reader, object_id)
        side = self.console.sight(reader).side
        denials = self._denied(viewer, object_id)
        html = markup(
            "entry_body.html",
            side=side,
            full=full,
            row=full.row,
            meanings=_MEANINGS,
            denials=denials,
        )
        return full.row, Fragment(html, _etag(html), full.row.exercise)


def _etag(html: str) -> str:
    return f'"{hashlib.sha256(html.encode("utf-8", "replace")).hexdigest()[:32]}"'


_MEANINGS = [(state, WORDS[state], meaning) for state, meaning in MEANINGS.items()]


def routes(console: Console, sessions: Sessions, denied: Denied) -> list[HTTPRouteHandler]:
    """The handlers of the console.

    Args:
        console: reads what pages show.
        sessions: who is signed in.
        denied: see `Denied`.
    """
    desk = Desk(console, sessions, denied)
    return [*_reading(desk), *_signing_in(desk), _static()]


def _reading(desk: Desk) -> list[HTTPRouteHandler]:
    @get("/", include_in_schema=False)
    async def show_latest(
        request: Request[Any, Any, Any], before: FromQuery[str] = ""
    ) -> Response[bytes]:
        """The console: the newest entries and who is protected."""
        viewer = await desk.viewer(request)
        fragment = await desk.fragment(viewer, before)
        return page(
            markup(
                "latest.html",
                viewer=viewer,
                fragment=fragment.html,
                exercise=fragment.exercise,
                before=before,
            )
        )

    @get("/fragments/latest", include_in_schema=False)
    async def refresh_latest(
        request: Request[Any, Any, Any], before: FromQuery[str] = ""
    ) -> Response[bytes]:
        """The console's list alone, for the script that keeps it fresh."""
        return _fresh(request, await desk.fragment(await desk.viewer(request), before))

    @get("/entries/{object_id:str}", include_in_schema=False)
    async def show_entry(
        request: Request[Any, Any, Any], object_id: FromPath[str]
    ) -> Response[bytes]:
        """One entry: what it says, what it blocks, who is protected."""
        viewer = await desk.viewer(request)
        row, fragment = await desk.read(desk.entry, viewer, object_id)
        text = markup(
            "entry.html", viewer=viewer, row=row, fragment=fragment.html, exercise=row.exercise
        )
        return page(text)

    @get("/fragments/entries/{object_id:str}", include_in_schema=False)
    async def refresh_entry(
        request: Request[Any, Any, Any], object_id: FromPath[str]
    ) -> Response[bytes]:
        """One entry alone, for the script that keeps it fresh."""
        viewer = await desk.viewer(request)
        _, fragment = await desk.read(desk.entry, viewer, object_id)
        return _fresh(request, fragment)

    @get("/feeds", include_in_schema=False)
    async def show_feeds(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The defence feeds: what is in them, what is held and why, and how to use them."""
        viewer = await desk.viewer(request)
        listed = await desk.read(desk.console.feeds, reader_of(viewer))
        disputes = await desk.read(desk.console.disputes, reader_of(viewer))
        return page(
            markup(
                "feeds.html",
                viewer=viewer,
                kinds=[
                    (False, [one for one in listed if not _is_exercise(one)]),
                    (True, [one for one in listed if _is_exercise(one)]),
                ],
                exercise=any(one["items"] for one in listed if _is_exercise(one)),
                disputes=disputes,
                hub=f"{request.url.scheme}://{request.headers.get('host', '')}",
            )
        )

    return [show_latest, refresh_latest, show_entry, refresh_entry, show_feeds]


def _fresh(request: Request[Any, Any, Any], fragment: Fragment) -> Response[bytes]:
    """A fragment, or 304 for who has it."""
    known = request.headers.get("if-none-match") == fragment.etag
    text, status = ("", 304) if known else (fragment.html, 200)
    return page(text, status=status, headers={"ETag": fragment.etag})


def _is_exercise(feed: dict[str, Any]) -> bool:
    return str(feed["feed"]).startswith("exercise-")


def _signing_in(desk: Desk) -> list[HTTPRouteHandler]:
    @get("/sign-in", include_in_schema=False)
    async def show_sign_in(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The form to sign in with a key."""
        viewer = await desk.viewer(request)
        return page(markup("sign_in.html", viewer=viewer, refusal=None, exercise=False))

    @post("/sign-in", include_in_schema=False, request_max_body_size=FORM_LIMIT_BYTES)
    async def sign_in(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Begin a session."""
        _check(request)
        viewer = await desk.viewer(request)
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        key_text = form.get("key", [""])[0].strip()
        try:
            token = await desk.sessions.open(key_text)
        except Refused as refusal:
            text = markup("sign_in.html", viewer=viewer, refusal=refusal, exercise=False)
            return page(text, status=refusal.status)
        await desk.sessions.close(token_in(request.headers.get("cookie", "")))
        return _back(request, token)

    @post("/sign-out", include_in_schema=False, request_max_body_size=FORM_LIMIT_BYTES)
    async def sign_out(request: Request[Any, Any, Any]) -> Response[bytes]:
        """End the session."""
        _check(request)
        await desk.sessions.close(token_in(request.headers.get("cookie", "")))
        return _back(request, "")

    return [show_sign_in, sign_in, sign_out]


def _check(request: Request[Any, Any, Any]) -> None:
    check_origin(request.headers.get("origin"), request.headers.get("host", ""))


def _back(request: Request[Any, Any, Any], token: str) -> Response[bytes]:
    cookie = cookie_of(token, secure=request.url.scheme == "https")
    return page("", status=303, headers={"Location": "/", "Set-Cookie": cookie})


def _static() -> HTTPRouteHandler:
    @get("/static/{name:str}", include_in_schema=False)
    async def show_static(name: FromPath[str], v: FromQuery[str] = "") -> Response[bytes]:
        """A style sheet, script or picture of the console."""
        found = static_response(name, v)
        if found is None:
            raise Refused("not-found", "There is no such file", where=name)
        return found

    return show_static
