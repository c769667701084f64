"""`/reports`: evidence becomes a draft on a page, and a person edits, drops or publishes it.

The one part of the console that acts: with a session, and only for forms of our own pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Response

from bayanihan.core.ai import VECTORS
from bayanihan.core.ai_involvement import CONFIDENCES, DEGREES, EVIDENCE, ROLES
from bayanihan.core.form import read_form
from bayanihan.core.language import LANGUAGE_NAMES
from bayanihan.core.marking import LEVELS, Viewer, viewer_in
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.intake.drafts import Draft
from bayanihan.intake.reports_api import Desk, checked_wish, evidence_of
from bayanihan.intake.upload import Upload
from bayanihan.web.render import markup, page
from bayanihan.web.session import Sessions, check_origin

FORM_LIMIT_BYTES = 256 * 1024
_FIELDS_LIMIT = 4_000
_WORDS = ("note", "vector", "tlp", "group")
_LIKENESS = {
    "exact": "the same file or value",
    "text": "most of the same pieces of text",
    "structure": "the same pretence, threat, wish and way",
    "infrastructure": "in common",
    "tlsh": "a file changed a little",
    "pdq": "the same picture, resized, compressed or cut",
    "chromaprint": "the same recording sent again",
}
_LISTS = {"vectors": VECTORS, "levels": LEVELS, "languages": LANGUAGE_NAMES}

Body = Callable[[Request[Any, Any, Any]], Upload]
"""One request's body, counted and bounded."""


def routes(desk: Desk, sessions: Sessions, body: Body) -> list[HTTPRouteHandler]:
    """The handlers of the pages.

    Args:
        desk: makes, keeps and publishes drafts.
        sessions: who is signed in.
        body: takes evidence in.
    """
    return [*_of_all(desk, sessions, body), *_of_one(desk, sessions)]


async def _reporter(request: Request[Any, Any, Any], sessions: Sessions) -> Viewer:
    """Who asks, who may report. Their share of the hub's memory is counted as their key's."""
    viewer = viewer_in(request.scope)
    cookies = request.headers.get("cookie", "")
    viewer = await asyncio.to_thread(sessions.asker, viewer, cookies)
    require(viewer, "report", for_another=True)
    request.scope["viewer"] = viewer  # type: ignore[typeddict-unknown-key]
    return viewer


def _of_all(desk: Desk, sessions: Sessions, body: Body) -> list[HTTPRouteHandler]:
    @get("/reports", include_in_schema=False)
    async def show_reports(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The form to report evidence with, and the drafts that wait."""
        viewer = await _reporter(request, sessions)
        return await asyncio.to_thread(_overview, desk, viewer)

    @post("/reports", include_in_schema=False, request_max_body_size=None)
    async def take_report(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Read evidence; the answer leads to its draft."""
        check_origin(request.headers.get("origin"), request.headers.get("host", ""))
        viewer = await _reporter(request, sessions)
        given: dict[str, str] = {}
        try:
            with body(request) as upload:
                form = read_form(await upload.read(), request.headers.get("content-type", ""))
                given = form.fields
                evidence, wish = evidence_of(form), checked_wish(given)
                draft = await asyncio.to_thread(desk.draft, viewer, evidence, wish)
        except Refused as refusal:
            return await asyncio.to_thread(_overview, desk, viewer, refusal, given)
        return _to(f"/reports/{draft.id}")

    return [show_reports, take_report]


def _of_one(desk: Desk, sessions: Sessions) -> list[HTTPRouteHandler]:
    @get("/reports/{draft_id:str}", include_in_schema=False)
    async def show_draft(
        request: Request[Any, Any, Any], draft_id: FromPath[str]
    ) -> Response[bytes]:
        """One draft: what is proposed, held, removed and alike."""
        viewer = await _reporter(request, sessions)
        return await asyncio.to_thread(_sheet, desk, viewer, draft_id)

    @post(
        "/reports/{draft_id:str}",
        include_in_schema=False,
        request_max_body_size=FORM_LIMIT_BYTES,
    )
    async def act_on_draft(
        request: Request[Any, Any, Any], draft_id: FromPath[str]
    ) -> Response[bytes]:
        """Save what a person changed, and drop or publish the draft where they said so."""
        check_origin(request.headers.get("origin"), request.headers.get("host", ""))
        viewer = await _reporter(request, sessions)
        text = (await request.body()).decode("utf-8", "replace")
        try:
            form = _read(text)
            act = form.get("do", [""])[0]
            if act == "drop":
                await asyncio.to_thread(desk.drop, viewer, draft_id)
                return _to("/reports")
            await asyncio.to_thread(_save, desk, viewer, draft_id, form)
            if act == "publish":
                await desk.publish(viewer, draft_id)
        except Refused as refusal:
            if refusal.code == "not-found":
                raise
            return await asyncio.to_thread(_sheet, desk, viewer, draft_id, refusal)
        return _to(f"/reports/{draft_id}")

    return [show_draft, act_on_draft]


def _to(place: str) -> Response[bytes]:
    return page("", status=303, headers={"Location": place})


def _overview(
    desk: Desk,
    viewer: Viewer,
    refusal: Refused | None = None,
    given: dict[str, str] | None = None,
) -> Response[bytes]:
    text = markup(
        "reports.html",
        viewer=viewer,
        exercise=False,
        refusal=refusal,
        given=given or {},
        drafts=[
            (desk.shown(viewer, draft), draft.created_us) for draft in desk.drafts.seen_by(viewer)
        ],
        **_LISTS,
    )
    return page(text, status=refusal.status if refusal else 200)


def _sheet(
    desk: Desk, viewer: Viewer, draft_id: str, refusal: Refused | None = None
) -> Response[bytes]:
    draft, version = desk.drafts.get(viewer, draft_id)
    told = desk.shown(viewer, draft)
    text = markup(
        "report.html",
        viewer=viewer,
        exercise=told["exercise"],
        refusal=refusal,
        one=told,
        created_us=draft.created_us,
        revision=version,
        never=desk.never(draft),
        likeness=_LIKENESS,
        **_LISTS,
        words={
            "degree": DEGREES,
            "confidence": CONFIDENCES,
            "role": ROLES,
            "evidence": EVIDENCE,
        },
    )
    return page(text, status=refusal.status if refusal else 200)


def _read(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=_FIELDS_LIMIT)
    except ValueError as error:
        raise Refused("bad-value", f"The form is broken: {error}", where="body") from None


def _save(desk: Desk, viewer: Viewer, draft_id: str, form: dict[str, list[str]]) -> None:
    """Keep what a form changed in the draft that it was made of. Blocks.

    Raises:
        Refused: as `Desk.edit`; `conflict` when the form is of an older version.
    """
    draft, version = desk.drafts.get(viewer, draft_id)
    if form.get("revision") != [str(version)]:
        raise Refused(
            "conflict",
            "Somebody else changed this draft meanwhile",
            next_step="This is how it is now. Make your change again.",
        )
    change = changed(draft, form)
    if change:
        desk.edit(viewer, draft_id, change, version)


def changed(draft: Draft, form: dict[str, list[str]]) -> dict[str, Any]:
    """What a form changes of the draft that it shows, as `PATCH` takes it; {} for nothing."""
    content = draft.content
    kept, back = (set(form.get(name, [])) for name in ("keep", "restore"))
    proposed = [] if "envelope" in content else content["indicators"]
    change: dict[str, Any] = {
        "drop": [each["ascii"] for at, each in enumerate(proposed) if str(at) not in kept],
        "restore": [each["ascii"] for at, each in enumerate(content["held"]) if str(at) in back],
    }
    for name in _WORDS:
        word = form.get(name, [content[name]])[0].replace("\r\n", "\n").strip()
        if word != content[name]:
            change[name] = word
    before = content["ai"]["reported"]
    claim = dict(before)
    for name in ("degree", "confidence", "kit"):
        claim[name] = form.get(name, [str(claim.get(name, ""))])[0].strip()
    for name in ("role", "evidence"):
        claim[name] = [word for word in form.get(name, []) if word]
    claim = {name: value for name, value in claim.items() if value}
    if claim != {name: value for name, value in before.items() if value}:
        change["ai"] = claim
    return {name: value for name, value in change.items() if value or name in _WORDS}
