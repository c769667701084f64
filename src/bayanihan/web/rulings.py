"""`/rulings`: what people said about values, and the buttons to say something oneself."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlencode

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery
from litestar.response import Response

from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.readers.feeds import Hearing, Spoken
from bayanihan.readers.feeds.hearing import Saying, valued
from bayanihan.web.latest import Console
from bayanihan.web.render import markup, page
from bayanihan.web.session import Sessions, check_origin

FORM_LIMIT_BYTES = 32_768

# What each act is called on its button, and what pressing it does.
ACTS = {
    "confirm": ("Confirm", "You answer for it: it is bad, and feeds block it."),
    "false-positive": (
        "False positive",
        "It is not bad. Where two states or whoever told of it say so, it only alerts.",
    ),
    "claim": ("Claim", "It is your member’s own: its block is suspended for 72 hours at most."),
    "release": ("Withdraw claim", "The claim ends at once, and the block is back."),
    "insist": ("Block at home", "Your member blocks it at home, whatever others say."),
    "desist": ("Follow the others again", "What you block at home ends."),
    "admit": ("Admit", "It need not wait for the change budget any longer."),
}


def routes(
    spoken: Spoken, hearing: Hearing, console: Console, sessions: Sessions
) -> list[HTTPRouteHandler]:
    """The handlers of the page.

    Args:
        spoken: lists what was said.
        hearing: takes in what somebody says.
        console: what becomes of a value.
        sessions: who is signed in.
    """

    async def asker(request: Request[Any, Any, Any]) -> Viewer:
        viewer = viewer_in(request.scope)
        cookies = request.headers.get("cookie", "")
        viewer = await asyncio.to_thread(sessions.asker, viewer, cookies)
        require(viewer, "read")
        return viewer

    def sheet(
        viewer: Viewer, asked: dict[str, str], refusal: Refused | None = None
    ) -> Response[bytes]:
        return _sheet(spoken, hearing, console, viewer, asked, refusal)

    @get("/rulings", include_in_schema=False)
    async def show_rulings(
        request: Request[Any, Any, Any],
        value: FromQuery[str] = "",
        before: FromQuery[str] = "",
        exercise: FromQuery[str] = "",
        said: FromQuery[str] = "",
    ) -> Response[bytes]:
        """What was said about values, or about one, with the buttons to speak about it."""
        viewer = await asker(request)
        asked = {"value": value, "before": before, "exercise": exercise, "said": said}
        return await asyncio.to_thread(sheet, viewer, asked)

    @post("/rulings", include_in_schema=False, request_max_body_size=FORM_LIMIT_BYTES)
    async def say(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Say something about a value; the answer leads back to it."""
        check_origin(request.headers.get("origin"), request.headers.get("host", ""))
        viewer = await asker(request)
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        given = {name: form.get(name, [""])[0].strip() for name in _FIELDS}
        try:
            saying = Saying(
                given["act"],
                given["value"],
                given["reason"],
                given["until"],
                bool(given["exercise"]),
            )
            await hearing.say(viewer, saying)
            await spoken.caught_up()
        except Refused as refusal:
            return await asyncio.to_thread(sheet, viewer, given, refusal)
        there = {name: given[name] for name in ("value", "exercise") if given[name]}
        place = f"/rulings?{urlencode({**there, 'said': given['act']})}"
        return page("", status=303, headers={"Location": place})

    return [show_rulings, say]


_FIELDS = ("act", "value", "reason", "until", "exercise")


def _sheet(
    spoken: Spoken,
    hearing: Hearing,
    console: Console,
    viewer: Viewer,
    asked: dict[str, str],
    refusal: Refused | None,
) -> Response[bytes]:
    """The page: about one value, where one is named, and what was said."""
    value, exercise = asked["value"].strip(), bool(asked.get("exercise"))
    about, becomes, allowed = None, None, {}
    try:
        if value:
            about = valued(value)
            becomes = console.becomes(about, viewer, exercise)
            allowed = hearing.allowed(viewer, about.value, exercise=exercise)
    except Refused as error:
        refusal = refusal or error
    listed = spoken.listed(
        viewer,
        value=about.value if about else "",
        before=asked.get("before", ""),
        exercise=exercise,
    )
    text = markup(
        "rulings.html",
        viewer=viewer,
        exercise=exercise,
        value=value,
        about=about,
        becomes=becomes,
        allowed=allowed,
        acts=ACTS,
        said=ACTS.get(asked.get("said", "")),
        given=asked,
        refusal=refusal,
        listed=listed,
        disputes=[] if about else console.disputes(viewer),
    )
    return page(text, status=refusal.status if refusal else 200)
