"""`/api/lookup`: have my neighbours seen this, or its like?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery

from bayanihan.core import moment
from bayanihan.core.examined import Examined
from bayanihan.core.fingerprint import Fingerprints
from bayanihan.core.form import read_form
from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.observables import Observable
from bayanihan.core.scope import require_if_signed_in
from bayanihan.errors import Refused
from bayanihan.ledger import Ledger
from bayanihan.readers.alike.match import Evidence, Match
from bayanihan.readers.alike.search import MATCH_LIMIT, Search

FILE_LIMIT_BYTES = 25 * 1024 * 1024
TEXT_LIMIT = 8_000
_EXACT_LIMIT = 50

Examine = Callable[[bytes, str], Examined]
"""Reads evidence; blocks."""


class Named(Protocol):
    """What an active value is told as."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The indicators that name it."""

    @property
    def valid_from_us(self) -> int:
        """Since when it holds."""


Active = Callable[[Observable, Sequence[int], bool], Named | None]
"""An active value as some audiences see it, for an exercise or for real."""
Body = Callable[[Any], Any]
"""One request's body, counted and bounded: a context manager with `read`."""


Denied = Callable[[Viewer, Fingerprints, bool], list[dict[str, Any]]]
"""The denials about some evidence, as a viewer may see them, for an exercise or for real."""


class Lookup:
    """Answers what is like some evidence, as one viewer may see it.

    Args:
        ledger: for the viewer's rights.
        search: finds cases.
        active: finds indicators that name a value.
        examine: reads evidence.
        denied: see `Denied`.
    """

    def __init__(
        self, ledger: Ledger, search: Search, active: Active, examine: Examine, denied: Denied
    ) -> None:
        self._ledger = ledger
        self._search = search
        self._active = active
        self._examine = examine
        self._denied = denied

    def catch_up(self, length: int) -> None:
        """Wait a moment for what was published before the question. Blocks."""
        self._search.catch_up(length)

    def of_prints(self, viewer: Viewer, prints: Fingerprints, exercise: bool) -> list[Match]:
        """Cases like some fingerprints. Blocks."""
        found = self._search.like(prints, self._ledger.rights(viewer), exercise=exercise)
        self._note_red(viewer, found)
        return found

    def of_evidence(self, viewer: Viewer, data: bytes, exercise: bool) -> dict[str, Any]:
        """Cases like some evidence, what denies it, and indicators of what it names. Blocks."""
        length = self._ledger.length
        examined = self._examine(data, viewer.member)
        self._search.catch_up(length)
        rights = self._ledger.rights(viewer)
        matches = self._search.like(examined.prints, rights, exercise=exercise)
        named = [each for each in examined.findings if each.role in ("named", "sender")]
        exact: dict[str, Match] = {}
        for finding in named[:_EXACT_LIMIT]:
            item = self._active(Observable(finding.type, finding.value), rights, exercise)
            for object_id in item.ids if item else ():
                since = moment.render(item.valid_from_us) if item else ""
                told = (Evidence("exact", 1.0, (f"{finding.type}:{finding.value}",)),)
                exact.setdefault(object_id, Match(object_id, since, told, "", exercise))
        found = [*matches, *exact.values()][:MATCH_LIMIT]
        self._note_red(viewer, found)
        prints = examined.prints
        return {
            "matches": msgspec.to_builtins(found),
            "denials": self._denied(viewer, prints, exercise),
            "crowded": self._search.crowded(prints.infrastructure, rights, exercise=exercise),
            "left_out": list(examined.left_out),
            "language": examined.language.tag,
        }

    def _note_red(self, viewer: Viewer, found: Sequence[Match]) -> None:
        """That a RED case is there is a word of it too."""
        if not self._ledger.sharing(viewer)[1]:
            return  # they see nothing RED
        for each in found:
            self._ledger.note_told(viewer, self._ledger.newest_about(viewer, each.id))


def routes(lookup: Lookup, body: Body) -> list[HTTPRouteHandler]:
    """The handlers of `/api/lookup`.

    Args:
        lookup: answers.
        body: gives the bounded body of a request.
    """

    @get("/api/lookup")
    async def lookup_text(
        request: Request[Any, Any, Any], q: FromQuery[str], exercise: FromQuery[bool] = False
    ) -> dict[str, Any]:
        """Look up a value or a short text (`q`) among what you may see."""
        viewer = viewer_in(request.scope)
        require_if_signed_in(viewer, "read")
        if not q.strip() or len(q) > TEXT_LIMIT:
            raise Refused(
                "bad-parameter", f"Give a text of 1 to {TEXT_LIMIT} characters", where="q"
            )
        return await asyncio.to_thread(lookup.of_evidence, viewer, q.encode(), exercise)

    @post("/api/lookup", status_code=200, request_max_body_size=None)
    async def lookup_evidence(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """Look up a file or a text, sent as to `/api/reports`; nothing of it is kept."""
        viewer = viewer_in(request.scope)
        require_if_signed_in(viewer, "read")
        with body(request) as upload:
            form = read_form(await upload.read(), request.headers.get("content-type", ""))
            if not form.file:
                raise Refused("empty", "Send a file, or a text", where="file")
            told = form.fields.get("exercise", request.query_params.get("exercise", ""))
            exercise = str(told).lower() in ("true", "1", "yes", "on")
            return await asyncio.to_thread(lookup.of_evidence, viewer, form.file, exercise)

    return [lookup_text, lookup_evidence]
