"""`/dispute`: the form with which a site's owner disputes a block, without an account."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from bayanihan.errors import BayanihanError
from bayanihan.readers.feeds import Complaint, Disputes
from bayanihan.web.render import markup, page
from bayanihan.web.session import check_origin

FORM_LIMIT_BYTES = 16_384


def routes(disputes: Disputes) -> list[HTTPRouteHandler]:
    """The handlers of the form."""

    @get("/dispute", include_in_schema=False)
    async def show_dispute() -> Response[bytes]:
        """The form to dispute a block."""
        return _form()

    @post("/dispute", include_in_schema=False, request_max_body_size=FORM_LIMIT_BYTES)
    async def take_dispute(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Take a dispute. The answer is the same whether anything is blocked or not."""
        check_origin(request.headers.get("origin"), request.headers.get("host", ""))
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        given = {name: form.get(name, [""])[0] for name in ("value", "reason", "contact")}
        address = request.client.host if request.client else ""
        try:
            taken = await disputes.take(Complaint(**given), address)
        except BayanihanError as error:
            return _form(given, error)
        return _form(taken=taken["id"])

    return [show_dispute, take_dispute]


def _form(
    given: dict[str, str] | None = None, refusal: BayanihanError | None = None, taken: str = ""
) -> Response[bytes]:
    text = markup(
        "dispute.html",
        viewer=None,
        exercise=False,
        given=given or {},
        refusal=refusal,
        taken=taken,
    )
    return page(text, status=refusal.status if refusal else 200)
