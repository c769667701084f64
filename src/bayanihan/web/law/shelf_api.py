"""`/api/law/...` for what-if questions, clocks, tracks, templates and the compendium.

Nothing here is kept. Answers of `TABLES` are also given as a sheet, a calendar or a page
(`?format=csv`, `ics` or `html`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery
from litestar.response import Response

from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.errors import Refused
from bayanihan.rulebook import diff as differences
from bayanihan.rulebook import shelf
from bayanihan.rulebook.forms import MEDIA_TYPES, exported
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.matrix import adopt, matrix
from bayanihan.rulebook.procedure import procedures_of
from bayanihan.rulebook.question import MEMBERS, ask, check_members, read_adoption
from bayanihan.rulebook.system import System, system_from_json
from bayanihan.rulebook.tracks import standing, track_of
from bayanihan.web.law import filings, register
from bayanihan.web.law.answers import BODY_LIMIT_BYTES, read_body
from bayanihan.web.law.desk import Desk, text_of
from bayanihan.web.law.people import authority

_ADOPT_KEYS = frozenset({"clause", "entry", "assisted", "systems"})
_ASSESS_KEYS = register.SYSTEM_KEYS | {"template"}
_SYSTEMS_LIMIT = 200
_HTML_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


def shelf_handlers(desk: Desk, today: Callable[[], str]) -> list[HTTPRouteHandler]:
    """The endpoints of what-if questions and of the rulebook's shelf."""
    return [*_questions(desk), *_shelf(desk, today)]


def _questions(desk: Desk) -> list[HTTPRouteHandler]:
    @post("/api/law/adopt", status_code=200, request_max_body_size=BODY_LIMIT_BYTES)
    async def law_adopt(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """What if a clause were adopted: `{clause, entry?, assisted?, systems?}`."""
        body = read_body(await request.body(), _ADOPT_KEYS)
        return await asyncio.to_thread(adopted, desk, viewer_in(request.scope), body)

    @post("/api/law/clocks", status_code=200, request_max_body_size=BODY_LIMIT_BYTES)
    async def law_clocks(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """The clocks of an incident: `{facts, kind, aware, says?, member?}`; nothing is kept."""
        body = read_body(await request.body(), filings.KEYS - {"fields"})
        system, incident, found = await asyncio.to_thread(filings.read_incident, desk, body)
        told = {"system": system.id, "aware": incident.aware.isoformat()}
        return {**desk.book.stamp(), **told, "clocks": [one.as_json() for one in found]}

    @post("/api/law/assess", status_code=200, request_max_body_size=BODY_LIMIT_BYTES)
    async def law_assess(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """An impact assessment, filled as far as facts go: `{facts, template}`."""
        body = read_body(await request.body(), _ASSESS_KEYS)
        return await asyncio.to_thread(_assessed, desk, body)

    return [law_adopt, law_clocks, law_assess]


def _assessed(desk: Desk, body: dict[str, Any]) -> dict[str, Any]:
    template = text_of(body, "template") or "asean-annex-a"
    raw = {key: value for key, value in body.items() if key != "template"}
    system = system_from_json(raw, desk.book.vocabulary)
    return {**desk.book.stamp(), **shelf.assessment(desk.book, template, system)}


def adopted(desk: Desk, viewer: Viewer, body: dict[str, Any]) -> dict[str, Any]:
    """The answer of `POST /api/law/adopt`: who changes what, who gains, who stays free.

    Raises:
        Refused: `not-found` for no such clause; `not-permitted` when `registered` is asked for
            by who is no authority; what is wrong in the body, with its JSON path.
    """
    book = desk.book
    clause = text_of(body, "clause", needed=True)
    group = book.provisions.get(clause)
    if group is None:
        raise Refused("not-found", f"No provision is called {clause!r}.", where="$.clause")
    entry = text_of(body, "entry") or "2028-01-01"
    text_id, day = read_adoption(f"{group[0].text}={entry}", book)
    assisted = text_of(body, "assisted")
    views = [(m, ask(book, "", {text_id: day}, track_of(book, m), assisted)) for m in MEMBERS]
    systems = _systems(desk, viewer, body.get("systems", []))
    found = adopt(book, clause, views, systems, day)
    told = {"watermark": book.text(text_id).watermark, "systems": [one.id for one in systems]}
    return {**book.stamp(), **told, **found.as_json()}


def _systems(desk: Desk, viewer: Viewer, asked: Any) -> list[System]:
    if asked == "registered":
        authority(viewer)
        return register.registered_systems(desk, viewer, _SYSTEMS_LIMIT)
    if not isinstance(asked, list) or len(asked) > _SYSTEMS_LIMIT:
        message = f"`systems` is `registered`, or a list of at most {_SYSTEMS_LIMIT}."
        raise Refused("bad-value", message, where="$.systems")
    return [system_from_json(one, desk.book.vocabulary) for one in asked]


def _shelf(desk: Desk, today: Callable[[], str]) -> list[HTTPRouteHandler]:
    async def opened() -> Rulebook:
        """The rulebook; read on a worker thread the first time."""
        return await asyncio.to_thread(lambda: desk.book)

    async def given(answer: str, told: dict[str, Any], form: str) -> Response[Any]:
        """An answer in the format asked for."""
        if form == "json":
            return Response(told)
        text = await asyncio.to_thread(exported, answer, told, form, today())
        return Response(text.encode(), media_type=MEDIA_TYPES[form], headers=_HTML_POLICY)

    @get("/api/law/practices")
    async def law_practices(
        words: FromQuery[str] = "",
        member: FromQuery[str] = "",
        tag: FromQuery[str] = "",
        format: FromQuery[str] = "json",
    ) -> Response[Any]:
        """The compendium of practices, searched; each entry can be cited."""
        book = await opened()
        found = shelf.practices(book, words, member.upper(), tag)
        return await given("practices", {**book.stamp(), "practices": found}, format)

    @get("/api/law/matrix")
    async def law_matrix(
        baseline: FromQuery[str] = "asean-guide", format: FromQuery[str] = "json"
    ) -> Response[Any]:
        """Where members differ from a text, each cell with its source."""
        book = await opened()
        cells = await asyncio.to_thread(matrix, book, baseline)
        mark = book.text(baseline).watermark
        told = {"baseline": baseline, "watermark": mark, "cells": [one.as_json() for one in cells]}
        return await given("matrix", {**book.stamp(), **told}, format)

    @get("/api/law/diff")
    async def law_diff(
        before: FromQuery[str], after: FromQuery[str], format: FromQuery[str] = "json"
    ) -> Response[Any]:
        """What changed in a text between two knowledge dates: `text@day`."""
        book = await opened()
        changes = await asyncio.to_thread(differences.diff, book, before, after)
        mark = book.text(before.partition("@")[0]).watermark
        told: dict[str, Any] = {"watermark": mark, "a": before, "b": after, "effects": []}
        told["changes"] = [one.as_json() for one in changes]
        return await given("diff", {**book.stamp(), **told}, format)

    @get("/api/law/tracks")
    async def law_tracks(member: FromQuery[str] = "") -> dict[str, Any]:
        """Capacity tracks: entitlements, milestones and what graduation needs."""
        asked = [one for one in member.split(",") if one]
        codes = [one for one in check_members(asked) if one != "EU"] or list(MEMBERS)
        book = await opened()
        found = [standing(book, code).as_json() for code in codes]
        return {**book.stamp(), "tracks": found}

    @get("/api/law/procedures")
    async def law_procedures() -> dict[str, Any]:
        """Safeguard and sanction procedures: steps, offices, deadlines."""
        book = await opened()
        return {**book.stamp(), "procedures": procedures_of(book)}

    return [law_practices, law_matrix, law_diff, law_tracks, law_procedures]
