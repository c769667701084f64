"""`/api/campaigns`: near variants across members as campaigns, over what the viewer may see."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from bayanihan.core.marking import viewer_in
from bayanihan.core.scope import require_if_signed_in
from bayanihan.readers.alike.campaigns import Campaigns

DAYS = 90
LIMIT = 50


def routes(campaigns: Campaigns) -> list[HTTPRouteHandler]:
    """The handlers of `/api/campaigns`."""

    @get("/api/campaigns")
    async def list_campaigns(
        request: Request[Any, Any, Any],
        days: FromQuery[int] = DAYS,
        limit: Annotated[int, QueryParameter(ge=1, le=200)] = LIMIT,
        exercise: FromQuery[bool] = False,
    ) -> dict[str, Any]:
        """The campaigns of the last `days` among what you may see, the latest first.

        What joins nothing, since too many share it, is listed under `crowded` with its count.
        """
        viewer = viewer_in(request.scope)
        require_if_signed_in(viewer, "read")
        return await asyncio.to_thread(campaigns.listed, viewer, days, limit, exercise=exercise)

    @get("/api/campaigns/{campaign_id:str}")
    async def show_campaign(
        request: Request[Any, Any, Any],
        campaign_id: FromPath[str],
        days: FromQuery[int] = DAYS,
        exercise: FromQuery[bool] = False,
    ) -> dict[str, Any]:
        """One campaign, by its id or a case's: its growth, its cases, and it as a STIX object."""
        viewer = viewer_in(request.scope)
        require_if_signed_in(viewer, "read")
        return await asyncio.to_thread(campaigns.one, viewer, campaign_id, days, exercise=exercise)

    return [list_campaigns, show_campaign]
