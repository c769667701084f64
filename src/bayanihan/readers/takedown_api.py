"""`/api/objects/{id}/takedown`: an indicator as a takedown request to send. The hub sends none."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.response import Response

from bayanihan.core import moment, pattern, xarf
from bayanihan.core.ai import EXTENSION_ID, INFORM_ONLY
from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.observables import Observable
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.ledger import Entry, Ledger

_LINE_LIMIT = 200


class TakedownOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to ask, who asks, and a sentence for who reads it."""

    to: str
    asks: xarf.Contact
    note: str = ""


class _Indicator(msgspec.Struct):
    type: str
    pattern: str = ""
    pattern_type: str = ""
    revoked: bool = False
    extensions: dict[str, dict[str, Any]] = {}


class Takedowns:
    """Makes requests.

    Args:
        ledger: the record.
        latest: the standing version of an object that a viewer may see; raises `Refused`.
        never: why a thing must never be blocked, for real; None where it may.
        entropy: random bytes for ids.
    """

    def __init__(
        self,
        ledger: Ledger,
        latest: Callable[[Viewer, str], Entry],
        never: Callable[[Observable], str | None],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._ledger = ledger
        self._latest = latest
        self._never = never
        self._entropy = entropy

    def mail(self, viewer: Viewer, object_id: str, order: TakedownOrder) -> bytes:
        """The mail about an indicator. Blocks.

        Raises:
            Refused: `not-found`, `withdrawn`; `not-permitted` for what its marking keeps from
                strangers; `bad-value` for an exercise, for what only informs, for what must never
                be blocked, and for what is no page or site.
        """
        for text, where in ((order.asks.org, "org"), (order.asks.domain, "domain")):
            if not text or len(text) > _LINE_LIMIT or not text.isprintable():
                raise Refused("bad-value", "This is one line, not empty", where=where)
        entry = self._latest(viewer, object_id)
        told = self._indicator(viewer, entry, object_id)
        self._check_leave(viewer, entry)
        vector = str(told.extensions.get(EXTENSION_ID, {}).get("vector", ""))
        if vector in INFORM_ONLY:
            message = f"What is reported as {vector} informs people: it is never taken down"
            raise Refused("bad-value", message, where="vector")
        pages = [
            each for each in pattern.read(told.pattern).blocks if each.type in ("url", "domain")
        ]
        if not pages:
            message = "This indicator names no page or site that can be taken down"
            raise Refused("bad-value", message, where="pattern")
        if why := self._never(pages[0]):
            raise Refused(
                "bad-value", f"This is not asked to be taken down: {why}", where="pattern"
            )
        report_id = str(uuid.UUID(bytes=self._entropy(16), version=4))
        at = moment.render(entry.stamp_us)
        report = xarf.report_of(pages[0], vector, at, report_id, order.asks, order.note)
        return xarf.mail_of(report, order.to, order.asks)

    def _indicator(self, viewer: Viewer, entry: Entry, object_id: str) -> _Indicator:
        if entry.header.exercise:
            message = "This is an exercise: nobody is asked to take anything down"
            raise Refused("bad-value", message, where=object_id)
        try:
            told = msgspec.json.decode(self._ledger.body(viewer, entry.position), type=_Indicator)
        except msgspec.MsgspecError:
            told = _Indicator("")
        if told.type != "indicator" or told.pattern_type != "stix" or told.revoked:
            message = "Only an indicator in force, with a STIX pattern, is asked to be taken down"
            raise Refused("bad-value", message, where=object_id)
        return told

    def _check_leave(self, viewer: Viewer, entry: Entry) -> None:
        """What goes to a stranger must be public, or one's own to tell."""
        level = self._ledger.store.audiences()[entry.header.audience - 1].level
        if level != "clear" and entry.origin != viewer.origin:
            raise Refused(
                "not-permitted",
                f"This is TLP:{level.upper()} and another's: it may not go to a host",
                where="tlp",
                next_step="Ask its author to send the request, or to publish it as TLP:CLEAR.",
            )


def routes(takedowns: Takedowns) -> list[HTTPRouteHandler]:
    """The handler."""

    @post("/api/objects/{object_id:str}/takedown", status_code=200)
    async def draft_takedown(
        request: Request[Any, Any, Any], object_id: FromPath[str], data: JSONBody[TakedownOrder]
    ) -> Response[bytes]:
        """A takedown request (X-ARF) about an indicator, as a mail for you to send."""
        viewer = viewer_in(request.scope)
        require(viewer, "report")
        mail = await asyncio.to_thread(takedowns.mail, viewer, object_id, data)
        return Response(mail, media_type="message/rfc822")

    return [draft_takedown]
