"""`/api/reports`: raw evidence in, a draft out, and what a person then makes of it."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Request, delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from bayanihan.core import moment
from bayanihan.core.fingerprint import Fingerprints
from bayanihan.core.form import Form, read_form
from bayanihan.core.marking import LEVELS, Viewer, viewer_in
from bayanihan.core.observables import Observable
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.intake.drafts import Draft, Drafts
from bayanihan.intake.evidence import Reader
from bayanihan.intake.objects_api import Intake
from bayanihan.intake.report import Judge, Wish, content_of, edited, wish_of
from bayanihan.intake.report_objects import objects_of
from bayanihan.intake.upload import Upload, Uploads
from bayanihan.ledger import Ledger

REPORT_LIMIT_BYTES = 26 * 1024 * 1024
TOGETHER_LIMIT_BYTES = 4 * REPORT_LIMIT_BYTES
# A draft is a small document; a larger bundle goes in by `push`.
STIX_LIMIT_BYTES = 1024 * 1024
# When a person confirmed a draft, kept before anything of it is entered.
_CONFIRMED = "confirmed_us"
_INSIDE = ("envelope", _CONFIRMED)

Neighbours = Callable[[Viewer, Fingerprints, bool], Sequence[Any]]
"""The cases like it that a viewer may see, for an exercise or for real. Blocks."""
Random = Callable[[int], bytes]
"""So many random bytes."""


class Desk:
    """Where reports become drafts, and drafts are published.

    Args:
        ledger: the record, and the state that drafts lie in.
        intake: where what is published goes in, like anybody's.
        reader: reads evidence.
        judge: why a thing must never be blocked.
        neighbours: see `Neighbours`.
        random: see `Random`.
    """

    def __init__(
        self,
        ledger: Ledger,
        intake: Intake,
        reader: Reader,
        judge: Judge,
        neighbours: Neighbours,
        random: Random,
    ) -> None:
        self._ledger = ledger
        self._intake = intake
        self._reader = reader
        self._judge = judge
        self._neighbours = neighbours
        self._random = random
        self.drafts = Drafts(ledger)
        self.acts = intake.acts

    def draft(self, viewer: Viewer, data: bytes, wish: Wish) -> Draft:
        """Read evidence and keep the draft. Blocks.

        Raises:
            Refused: `too-large`; a wish is judged before.
        """
        examined = self._reader.examine(data, viewer.serves or viewer.member)
        similar = self._neighbours(viewer, examined.prints, wish.exercise)
        content = content_of(examined, wish, self._judge, msgspec.to_builtins(similar))
        if examined.objects:
            whole = b'{"objects":[' + b",".join(examined.objects) + b"]}"
            if len(whole) > STIX_LIMIT_BYTES:
                message = f"A draft keeps {STIX_LIMIT_BYTES // 1024} KiB of STIX"
                raise Refused("too-large", message, next_step="Send it with `bayanihan push`.")
            content["envelope"] = base64.b64encode(whole).decode("ascii")
        draft_id = str(uuid.UUID(bytes=self._random(16), version=4))
        by = viewer.voice if viewer.serves else ""
        draft = Draft(draft_id, viewer.filed_under, self._ledger.now_us(), content, by)
        self.acts.note(viewer, "reported", [draft_id])
        self.drafts.put(draft)
        return draft

    def edit(
        self, viewer: Viewer, draft_id: str, change: dict[str, Any], seen: int | None = None
    ) -> Draft:
        """Change a draft, which must be of the version `seen` where one is given. Blocks.

        Raises:
            Refused: `not-found`, `bad-parameter`, `bad-value`; `conflict` when it was
                published, or somebody else changed it.
        """
        draft, version = self.drafts.get(viewer, draft_id)
        if draft.content["published"]:
            raise Refused("conflict", "This draft was published", next_step="Report it again.")
        draft.content = edited(draft.content, change, self._judge)
        draft.content.pop(_CONFIRMED, None)
        self.acts.note(viewer, "edited", [draft_id])
        self.drafts.put(draft, version if seen is None else seen)
        return draft

    def drop(self, viewer: Viewer, draft_id: str) -> None:
        """Drop a draft for good. Blocks. Raises `Refused("not-found")`."""
        self.drafts.get(viewer, draft_id)
        self.acts.note(viewer, "dropped", [draft_id])
        self.drafts.drop(viewer, draft_id)

    def shown(self, viewer: Viewer, draft: Draft) -> dict[str, Any]:
        """A draft as a viewer is shown it. Blocks where it must look what they may see.

        What is like it was found for whoever reported; a named proxy sees of that what its own
        member sees.
        """
        told = shown(draft)
        if viewer.serves:
            about = self._ledger.newest_about
            similar = told["similar"]
            told["similar"] = [each for each in similar if about(viewer, each["id"], limit=1)]
        return told

    def never(self, draft: Draft) -> frozenset[str]:
        """The held values of a draft that nobody may restore, in their ASCII form."""
        return frozenset(
            each["ascii"]
            for each in draft.content["held"]
            if self._judge(Observable(each["type"], each["ascii"])) is not None
        )

    async def publish(self, viewer: Viewer, draft_id: str) -> Draft:
        """Enter what a draft holds into the record, as a person of the member confirms it.

        Raises:
            Refused: `not-permitted` for a constituent, whose CERT decides; `conflict` when it
                was published before; `bad-value` when nothing of it was accepted.
        """
        draft, version = await asyncio.to_thread(self._confirmed, viewer, draft_id)
        content = draft.content
        if "envelope" in content:
            data = base64.b64decode(content["envelope"])
        else:
            told = objects_of(draft.id, content, content[_CONFIRMED])
            data = msgspec.json.encode({"objects": told})
        terms = {name: content[name] for name in ("tlp", "group", "exercise")}
        answer = msgspec.to_builtins(await self._intake.take(viewer, data, terms))
        if not answer["accepted"] and not answer["duplicate"]:
            first = next(iter(answer["results"]), {"reason": "nothing was in it", "path": ""})
            message = f"Nothing of the draft was accepted: {first['reason']}"
            raise Refused("bad-value", message, where=first["path"])
        at = moment.render(self._ledger.now_us())
        content["published"] = {"at": at, "by": viewer.voice, **answer}
        await asyncio.to_thread(self.drafts.put, draft, version)
        return draft

    def _confirmed(self, viewer: Viewer, draft_id: str) -> tuple[Draft, int]:
        """A draft that a person confirms, with its version, once the moment is kept.

        What is made of it depends on that moment alone: whoever publishes at the same time,
        or again after the hub was ended in between, enters the same bytes and nothing twice.
        """
        draft, version = self.drafts.get(viewer, draft_id)
        if viewer.constituent:
            raise Refused(
                "not-permitted",
                f"It waits as a draft for {viewer.member}, whose people confirm and publish it",
                next_step="Nothing: your CERT sees the draft.",
            )
        if draft.content["published"]:
            raise Refused("conflict", "This draft was published already", where=draft.id)
        if _CONFIRMED in draft.content:
            return draft, version
        self.acts.note(viewer, "confirmed", [draft_id])
        draft.content[_CONFIRMED] = self._ledger.now_us()
        self.drafts.put(draft, version)
        return self.drafts.get(viewer, draft_id)


def shown(draft: Draft) -> dict[str, Any]:
    """A draft as its address answers it."""
    kept = {name: value for name, value in draft.content.items() if name not in _INSIDE}
    return {
        "id": draft.id,
        "address": f"/api/reports/{draft.id}",
        "origin": draft.origin,
        "by": draft.by or draft.origin,
        "created": moment.render(draft.created_us),
        "state": "published" if draft.content["published"] else "draft",
        "stix": "envelope" in draft.content,
        **kept,
    }


def checked_wish(given: dict[str, str]) -> Wish:
    """The reporter's words as a wish. Raises `Refused`: see `wish_of`; also for a TLP level."""
    wish = wish_of(given)
    if wish.tlp and wish.tlp not in LEVELS:
        raise Refused(
            "bad-parameter",
            f"{wish.tlp[:40]!r} is no TLP level",
            where="tlp",
            next_step=f"Give one of {', '.join(LEVELS)}.",
        )
    return wish


def evidence_of(form: Form) -> bytes:
    """The evidence in a form. Raises `Refused`: `empty`, or `bad-parameter` for two at once."""
    if not form.file or not form.file.strip():
        raise Refused("empty", "Send a file, or a text", where="file")
    if form.name and form.fields.get("text", "").strip():
        raise Refused("bad-parameter", "Send a file or a text, not both", where="text")
    return form.file


def evidence_body() -> Callable[[Request[Any, Any, Any]], Upload]:
    """What takes in the bodies of requests that bring evidence, bounded together."""
    return Uploads(REPORT_LIMIT_BYTES, TOGETHER_LIMIT_BYTES).upload


def routes(desk: Desk) -> list[HTTPRouteHandler]:
    """The handlers of `/api/reports`."""
    body = evidence_body()

    @post("/api/reports", status_code=201, request_max_body_size=None)
    async def report_evidence(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """Report evidence as a form (`file` or `text`, `vector`, `note`, `tlp`, `publish`).

        The answer is a draft: what is proposed, held and removed, and why. With `publish` it
        is published at once, as a person's word; a constituent's waits for its own CERT.
        """
        viewer = viewer_in(request.scope)
        require(viewer, "report", for_another=True)
        with body(request) as upload:
            form = read_form(await upload.read(), request.headers.get("content-type", ""))
            evidence = evidence_of(form)
            given = {**dict(request.query_params), **form.fields}
            wish = checked_wish({name: str(value) for name, value in given.items()})
            draft = await asyncio.to_thread(desk.draft, viewer, evidence, wish)
        if viewer.constituent:
            return {**shown(draft), "waits_for": viewer.member}
        if str(given.get("publish", "")).lower() not in ("true", "1", "yes", "on"):
            return desk.shown(viewer, draft)
        return desk.shown(viewer, await desk.publish(viewer, draft.id))

    @get("/api/reports")
    async def list_reports(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """The drafts that you may see, the newest first: your own and your constituents'."""
        viewer = viewer_in(request.scope)
        require(viewer, "report", for_another=True)
        found = await asyncio.to_thread(desk.drafts.seen_by, viewer)
        kept = ("id", "address", "origin", "by", "created", "state", "kind", "vector", "language")
        return {"reports": [{name: shown(draft)[name] for name in kept} for draft in found]}

    return [report_evidence, list_reports, *_of_drafts(desk)]


def _of_drafts(desk: Desk) -> list[HTTPRouteHandler]:
    """The handlers of one draft."""

    @get("/api/reports/{draft_id:str}")
    async def show_report(
        request: Request[Any, Any, Any], draft_id: FromPath[str]
    ) -> dict[str, Any]:
        """One draft."""
        viewer = viewer_in(request.scope)
        require(viewer, "report", for_another=True)
        draft, _ = await asyncio.to_thread(desk.drafts.get, viewer, draft_id)
        return await asyncio.to_thread(desk.shown, viewer, draft)

    @patch("/api/reports/{draft_id:str}")
    async def edit_report(
        request: Request[Any, Any, Any], draft_id: FromPath[str], data: JSONBody[dict[str, Any]]
    ) -> dict[str, Any]:
        """Edit a draft: `{drop, restore, note, vector, tlp, group, ai}`."""
        viewer = viewer_in(request.scope)
        require(viewer, "report", for_another=True)
        draft = await asyncio.to_thread(desk.edit, viewer, draft_id, data)
        return await asyncio.to_thread(desk.shown, viewer, draft)

    @post("/api/reports/{draft_id:str}/publish", status_code=200)
    async def publish_report(
        request: Request[Any, Any, Any], draft_id: FromPath[str]
    ) -> dict[str, Any]:
        """Publish a draft, as a person of its member confirms it."""
        viewer = viewer_in(request.scope)
        require(viewer, "report", for_another=True)
        draft = await desk.publish(viewer, draft_id)
        return await asyncio.to_thread(desk.shown, viewer, draft)

    @delete("/api/reports/{draft_id:str}", status_code=200)
    async def drop_report(
        request: Request[Any, Any, Any], draft_id: FromPath[str]
    ) -> dict[str, Any]:
        """Drop a draft for good. What was published stays published."""
        viewer = viewer_in(request.scope)
        require(viewer, "report", for_another=True)
        await asyncio.to_thread(desk.drop, viewer, draft_id)
        return {"id": draft_id, "dropped": True}

    return [show_report, edit_report, publish_report, drop_report]
