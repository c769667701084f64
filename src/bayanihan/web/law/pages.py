"""The console's pages of the law's record: register, clocks and cases, for people to read."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Response

from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.errors import Refused
from bayanihan.web.law import cases, filings, register
from bayanihan.web.law.desk import Desk
from bayanihan.web.law.people import person, speaks_for_authority
from bayanihan.web.render import markup, page
from bayanihan.web.session import Sessions

_SHOWN = 50


def law_pages(desk: Desk, sessions: Sessions) -> list[HTTPRouteHandler]:
    """The pages; they show a viewer what the endpoints would."""

    async def viewer_of(request: Request[Any, Any, Any]) -> Viewer:
        viewer = viewer_in(request.scope)
        cookies = request.headers.get("cookie", "")
        return await asyncio.to_thread(sessions.asker, viewer, cookies)

    @get("/law", include_in_schema=False)
    async def show_law(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The register, the clocks of filings and the cases that a viewer may see."""
        viewer = await viewer_of(request)
        return page(await asyncio.to_thread(_overview, desk, viewer))

    @get("/law/register/{record_id:str}", include_in_schema=False)
    async def show_entry(
        request: Request[Any, Any, Any], record_id: FromPath[str]
    ) -> Response[bytes]:
        """One entry of the register."""
        viewer = await viewer_of(request)
        return page(await asyncio.to_thread(_entry, desk, viewer, record_id))

    @get("/law/cases/{record_id:str}", include_in_schema=False)
    async def show_case(
        request: Request[Any, Any, Any], record_id: FromPath[str]
    ) -> Response[bytes]:
        """One case."""
        viewer = await viewer_of(request)
        one = await asyncio.to_thread(cases.one, desk, viewer, record_id)
        return page(_filled(desk, "law_case.html", viewer, one=one))

    return [show_law, show_entry, show_case]


def _overview(desk: Desk, viewer: Viewer) -> str:
    view = "authority" if speaks_for_authority(viewer) else "public"
    told = register.listed(desk, viewer, view, "", _SHOWN)
    entries = [{**one, "name": _name(one)} for one in told["entries"]]
    return _filled(
        desk,
        "law.html",
        viewer,
        view=view,
        entries=entries,
        more=bool(told["next"]),
        clocks=_clocks(desk, viewer),
        cases=cases.listed(desk, viewer, "", _SHOWN)["cases"],
    )


def _clocks(desk: Desk, viewer: Viewer) -> list[dict[str, Any]] | None:
    try:
        person(viewer)
    except Refused:
        return None  # who may not file has no clocks
    told = filings.listed(desk, viewer, "", _SHOWN)
    order = ("overdue", "running", "stopped")
    every = [{"open": [], **one} for one in [*told["drafts"], *told["filings"]]]
    return sorted(every, key=lambda one: (order.index(one["status"]), one["due"] or "~"))


def _entry(desk: Desk, viewer: Viewer, record_id: str) -> str:
    one = register.one(desk, viewer, record_id)
    given = dict(one.get("system", {}).get("facts", {}))
    facts = [(name.replace("_", " "), _said(value)) for name, value in sorted(given.items())]
    told = {"person": "", **one}
    return _filled(desk, "law_entry.html", viewer, one=told, name=_name(one), facts=facts)


def _said(value: Any) -> str:
    """A fact as people read it."""
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "none"
    return {True: "yes", False: "no"}.get(value, str(value)) if type(value) is bool else str(value)


def _name(one: dict[str, Any]) -> str:
    """What people call an entry: its trade name where they may see it."""
    named = [field["value"] for field in one["fields"] if field["label"].startswith("Trade name")]
    return (named or [str(one.get("system", {}).get("name", ""))])[0] or f"{one['place']} entry"


def _filled(desk: Desk, template: str, viewer: Viewer, **facts: Any) -> str:
    return markup(template, viewer=viewer, exercise=False, **desk.book.stamp(), **facts)
