"""The console's pages of campaigns: how one grows by member and language, for screen and print."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Response

from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.scope import require_if_signed_in
from bayanihan.readers.alike.campaigns import Campaigns
from bayanihan.readers.alike.campaigns_api import DAYS, LIMIT
from bayanihan.web.render import markup, page
from bayanihan.web.session import Sessions, token_in

_WIDTH, _HEIGHT = 600.0, 120.0
_SMALL_WIDTH, _SMALL_HEIGHT = 180.0, 22.0


def routes(campaigns: Campaigns, sessions: Sessions) -> list[HTTPRouteHandler]:
    """The pages; they show a viewer what the endpoints would."""

    async def viewer_of(request: Request[Any, Any, Any]) -> Viewer:
        viewer = viewer_in(request.scope)
        token = token_in(request.headers.get("cookie", ""))
        if not viewer.key and token:
            return await asyncio.to_thread(sessions.viewer, token)
        require_if_signed_in(viewer, "read")
        return viewer

    @get("/campaigns", include_in_schema=False)
    async def show_campaigns(
        request: Request[Any, Any, Any],
        days: FromQuery[int] = DAYS,
        exercise: FromQuery[bool] = False,
    ) -> Response[bytes]:
        """The campaigns that a viewer may see, and what was too crowded to join anything."""
        viewer = await viewer_of(request)
        told = await asyncio.to_thread(campaigns.listed, viewer, days, LIMIT, exercise=exercise)
        return page(markup("campaigns.html", viewer=viewer, told=told, exercise=exercise))

    @get("/campaigns/{campaign_id:str}", include_in_schema=False)
    async def show_campaign(
        request: Request[Any, Any, Any],
        campaign_id: FromPath[str],
        days: FromQuery[int] = DAYS,
        exercise: FromQuery[bool] = False,
    ) -> Response[bytes]:
        """One campaign, with a chart of how it grew."""
        viewer = await viewer_of(request)
        one = await asyncio.to_thread(campaigns.one, viewer, campaign_id, days, exercise=exercise)
        text = markup(
            "campaign.html", viewer=viewer, one=one, charts=charts_of(one), exercise=exercise
        )
        return page(text)

    return [show_campaigns, show_campaign]


def charts_of(one: dict[str, Any]) -> dict[str, Any]:
    """The lines of a campaign's charts: in all, and for each member and language."""
    steps = one["growth"]
    series = {
        kind: [
            {
                "name": name,
                "count": steps[-1][kind][name],
                "line": _line(
                    [step[kind].get(name, 0) for step in steps], _SMALL_WIDTH, _SMALL_HEIGHT
                ),
            }
            for name in steps[-1][kind]
        ]
        for kind in ("members", "languages")
    }
    return {"whole": _line([step["cases"] for step in steps], _WIDTH, _HEIGHT), **series}


def _line(counts: list[int], width: float, height: float) -> str:
    """A stair of counts as the path of an SVG, from nothing at its left edge."""
    step, most = width / len(counts), max(counts)
    path = [f"M0 {height:g}"]
    for number, count in enumerate(counts):
        path.append(f"V{height - height * count / most:.1f}H{step * (number + 1):.1f}")
    return "".join([*path, f"V{height:g}"])
