"""`/api/law/register`, `/api/law/incidents`, `/api/law/filings`, `/api/law/cases`: what is kept.

Each answer names the rulebook by digest and says that it is not legal advice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from litestar import Request, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from bayanihan.core.marking import viewer_in
from bayanihan.web.law import cases, evidence, filings, register
from bayanihan.web.law.answers import BODY_LIMIT_BYTES, read_body
from bayanihan.web.law.desk import Desk, text_of
from bayanihan.web.law.people import person

Limit = Annotated[int, QueryParameter(ge=1, le=200)]
_REASON = frozenset({"reason"})
_REFERENCE = frozenset({"reference"})
_FIELDS = frozenset({"fields"})


def record_handlers(desk: Desk, today: Callable[[], str]) -> list[HTTPRouteHandler]:
    """The endpoints of the law's record."""
    return [
        *_register(desk, today),
        *_drafts(desk),
        *_evidence(desk, today),
        *_filings(desk),
        *_cases(desk),
    ]


def _register(desk: Desk, today: Callable[[], str]) -> list[HTTPRouteHandler]:
    @post("/api/law/register", status_code=201, request_max_body_size=BODY_LIMIT_BYTES)
    async def register_system(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """Enter a system: `{system, facts, register, id?, draft?, voluntary?, reason?}`."""
        body = read_body(await request.body(), register.KEYS)
        return await asyncio.to_thread(
            register.enter, desk, viewer_in(request.scope), body, today()
        )

    @get("/api/law/register")
    async def list_register(
        request: Request[Any, Any, Any],
        view: FromQuery[str] = "public",
        after: FromQuery[str] = "",
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """The register, newest first: as the public sees it, or as authorities do."""
        viewer = viewer_in(request.scope)
        return await asyncio.to_thread(register.listed, desk, viewer, view, after, limit)

    @get("/api/law/register/{record_id:str}")
    async def show_registered(
        request: Request[Any, Any, Any], record_id: FromPath[str]
    ) -> dict[str, Any]:
        """One entry, as far as you may see it."""
        return await asyncio.to_thread(register.one, desk, viewer_in(request.scope), record_id)

    @post(
        "/api/law/register/{record_id:str}/withdraw",
        status_code=200,
        request_max_body_size=BODY_LIMIT_BYTES,
    )
    async def withdraw_registered(
        request: Request[Any, Any, Any], record_id: FromPath[str]
    ) -> dict[str, Any]:
        """Mark your own entry as withdrawn: `{reason?}`."""
        reason = text_of(read_body(await request.body() or b"{}", _REASON), "reason")
        viewer = viewer_in(request.scope)
        return await asyncio.to_thread(register.withdraw, desk, viewer, record_id, reason)

    return [register_system, list_register, show_registered, withdraw_registered]


def _drafts(desk: Desk) -> list[HTTPRouteHandler]:
    @get("/api/law/drafts")
    async def list_drafts(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """The drafts that your organisation keeps: nobody's word yet."""
        viewer = person(viewer_in(request.scope))
        return await asyncio.to_thread(lambda: {"drafts": desk.drafts(viewer), **desk.book.stamp()})

    @delete("/api/law/drafts/{record_id:str}", status_code=200)
    async def drop_draft(
        request: Request[Any, Any, Any], record_id: FromPath[str]
    ) -> dict[str, str]:
        """Drop a draft of your organisation."""
        viewer = person(viewer_in(request.scope))
        await asyncio.to_thread(desk.draft, viewer, record_id)
        await asyncio.to_thread(desk.drop_draft, viewer, record_id)
        return {"id": record_id, "state": "dropped"}

    return [list_drafts, drop_draft]


def _evidence(desk: Desk, today: Callable[[], str]) -> list[HTTPRouteHandler]:
    @get("/api/law/register/{record_id:str}/duties")
    async def list_owed(
        request: Request[Any, Any, Any],
        record_id: FromPath[str],
        member: FromQuery[str] = "",
        as_of: FromQuery[str] = "",
    ) -> dict[str, Any]:
        """The duties of a registered system, with the evidence that the record holds now."""
        asked = [code for code in member.split(",") if code]
        viewer, day = viewer_in(request.scope), as_of or today()
        return await asyncio.to_thread(evidence.owed, desk, viewer, record_id, asked, day)

    @get("/api/law/attestations/{digest:str}")
    async def show_attestation(
        request: Request[Any, Any, Any], digest: FromPath[str]
    ) -> dict[str, Any]:
        """What the record says of an attestation, by the digest of its envelope."""
        return await asyncio.to_thread(evidence.one, desk, viewer_in(request.scope), digest)

    @post(
        "/api/law/attestations/{digest:str}/judge",
        status_code=201,
        request_max_body_size=BODY_LIMIT_BYTES,
    )
    async def judge_attestation(
        request: Request[Any, Any, Any], digest: FromPath[str]
    ) -> dict[str, Any]:
        """An authority decides `{state: revoked|drifted, since?, reason}`."""
        body = read_body(await request.body(), evidence.JUDGE_KEYS)
        return await asyncio.to_thread(evidence.judge, desk, viewer_in(request.scope), digest, body)

    return [list_owed, show_attestation, judge_attestation]


def _filings(desk: Desk) -> list[HTTPRouteHandler]:
    @post("/api/law/incidents", status_code=201, request_max_body_size=BODY_LIMIT_BYTES)
    async def report_incident(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """Report an incident once: `{facts, kind, aware, says?, member?, fields?}` to drafts."""
        body = read_body(await request.body(), filings.KEYS)
        return await asyncio.to_thread(filings.begin, desk, viewer_in(request.scope), body)

    @get("/api/law/filings")
    async def list_filings(
        request: Request[Any, Any, Any], after: FromQuery[str] = "", limit: Limit = 50
    ) -> dict[str, Any]:
        """Your drafts and the filings that you may see, each with its clock."""
        return await asyncio.to_thread(filings.listed, desk, viewer_in(request.scope), after, limit)

    @get("/api/law/filings/{record_id:str}")
    async def show_filing(
        request: Request[Any, Any, Any], record_id: FromPath[str]
    ) -> dict[str, Any]:
        """One filing with its clock."""
        viewer = person(viewer_in(request.scope))
        return await asyncio.to_thread(filings.one, desk, viewer, record_id)

    @post(
        "/api/law/filings/{record_id:str}/file",
        status_code=200,
        request_max_body_size=BODY_LIMIT_BYTES,
    )
    async def file_draft(
        request: Request[Any, Any, Any], record_id: FromPath[str]
    ) -> dict[str, Any]:
        """File a draft of your organisation: `{fields?}`. The clock goes on."""
        body = read_body(await request.body() or b"{}", _FIELDS)
        return await asyncio.to_thread(
            filings.file, desk, viewer_in(request.scope), record_id, body
        )

    @post(
        "/api/law/filings/{record_id:str}/acknowledge",
        status_code=200,
        request_max_body_size=BODY_LIMIT_BYTES,
    )
    async def acknowledge_filing(
        request: Request[Any, Any, Any], record_id: FromPath[str]
    ) -> dict[str, Any]:
        """The addressee acknowledges: `{reference}`. This alone stops the clock."""
        reference = text_of(read_body(await request.body() or b"{}", _REFERENCE), "reference")
        viewer = viewer_in(request.scope)
        return await asyncio.to_thread(filings.acknowledge, desk, viewer, record_id, reference)

    return [report_incident, list_filings, show_filing, file_draft, acknowledge_filing]


def _cases(desk: Desk) -> list[HTTPRouteHandler]:
    @post("/api/law/cases", status_code=201, request_max_body_size=BODY_LIMIT_BYTES)
    async def open_case(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """Open a case: `{procedure, subject, reason, prohibited?, tlp?, group?}`."""
        body = read_body(await request.body(), cases.OPEN_KEYS)
        return await asyncio.to_thread(cases.begin, desk, viewer_in(request.scope), body)

    @get("/api/law/cases")
    async def list_cases(
        request: Request[Any, Any, Any], after: FromQuery[str] = "", limit: Limit = 50
    ) -> dict[str, Any]:
        """The cases that you may see, the last changed first."""
        return await asyncio.to_thread(cases.listed, desk, viewer_in(request.scope), after, limit)

    @get("/api/law/cases/{record_id:str}")
    async def show_case(
        request: Request[Any, Any, Any], record_id: FromPath[str]
    ) -> dict[str, Any]:
        """One case: its history, deadlines, and the steps that are open."""
        return await asyncio.to_thread(cases.one, desk, viewer_in(request.scope), record_id)

    @post(
        "/api/law/cases/{record_id:str}/steps",
        status_code=201,
        request_max_body_size=BODY_LIMIT_BYTES,
    )
    async def take_step(
        request: Request[Any, Any, Any], record_id: FromPath[str]
    ) -> dict[str, Any]:
        """Take a step: `{step, office, reason, reference?, evidence?, ...}`."""
        body = read_body(await request.body(), cases.STEP_KEYS)
        return await asyncio.to_thread(cases.step, desk, viewer_in(request.scope), record_id, body)

    return [open_case, list_cases, show_case, take_step]
