"""The composition root: opens what a hub is made of and wires the rooms together."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, get
from litestar.exceptions import HTTPException
from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin

from bayanihan import __version__
from bayanihan.commands.law_files import open_rulebook, today
from bayanihan.commands.working_days import is_working_day
from bayanihan.errors import BayanihanError, Broken, Unavailable
from bayanihan.evidence_desk import (
    campaigns_of,
    denials_about,
    denying_of,
    lookup_of,
    packages_of,
    report_desk,
    shelf_of,
    takedowns_of,
)
from bayanihan.hub import Hub
from bayanihan.intake import acts, denials_api, reports_api, take_back
from bayanihan.intake import objects_api as intake_api
from bayanihan.intake.reports_api import evidence_body
from bayanihan.intake.upload import Uploads
from bayanihan.readers import (
    feeds_api,
    heads,
    metrics,
    objects_api,
    receipts_api,
    stream,
    takedown_api,
    taxii,
)
from bayanihan.readers.alike import api as alike_api
from bayanihan.readers.alike import campaigns_api
from bayanihan.readers.denials import api as denials_shown
from bayanihan.readers.feeds import Spoken, hearing_api, match_api
from bayanihan.readers.package import assemble as package
from bayanihan.registry import api as registry_api
from bayanihan.registry import confirming, offices_api, policy_api, proxies_api
from bayanihan.sandbox import api as attestations
from bayanihan.sandbox import exchange_api
from bayanihan.sandbox.offer import PIECE_BYTES
from bayanihan.web import campaigns as campaign_pages
from bayanihan.web import dispute, pages, reports, rulings
from bayanihan.web.description import Description
from bayanihan.web.errors import on_any, on_http, on_ours
from bayanihan.web.law import law_handlers, law_pages, record_handlers, shelf_handlers
from bayanihan.web.shortcut import past_the_framework


def health(hub: Hub) -> list[HTTPRouteHandler]:
    """The handlers that say whether the hub lives and is ready."""

    @get("/health/live")
    async def live() -> dict[str, str]:
        """Whether the process answers at all."""
        return {"state": "live", "version": __version__}

    @get("/health/ready")
    async def ready() -> dict[str, str]:
        """Whether every part works, and the feeds hold all that was there before the start."""
        if failed := [part for part, fault in hub.faults.items() if fault]:
            message = f"This does not work, see the hub's log: {', '.join(failed)}"
            raise Broken("internal", message)
        if not hub.ready:
            raise Unavailable("starting", "The feeds are being brought up", retry_after_s=1)
        return {"state": "ready", "version": __version__}

    return [live, ready]


def handlers(hub: Hub) -> list[HTTPRouteHandler | ASGIRouteHandler]:
    """Every address that a hub answers at: the exits and entrances of all rooms."""
    rulebook = functools.cache(open_rulebook)
    desk = hub.law_desk(rulebook, is_working_day)
    shelf = shelf_of(hub)
    lookup = lookup_of(hub, shelf)
    reporting = report_desk(hub, lookup)
    campaigns = campaigns_of(hub, lookup, shelf)
    spoken = Spoken(hub.ledger, hub.rulings, hub.console.sees)
    return [
        *health(hub),
        *intake_api.routes(hub.push),
        *reports_api.routes(reporting),
        *alike_api.routes(lookup, evidence_body()),
        *campaigns_api.routes(campaigns),
        *takedown_api.routes(takedowns_of(hub)),
        *package.routes(packages_of(hub, reporting)),
        *denials_api.routes(denying_of(hub)),
        *denials_shown.routes(shelf),
        *take_back.routes(hub.ledger, hub.erasures.note, reporting.acts),
        *acts.routes(reporting.acts),
        *objects_api.routes(hub.ledger),
        *registry_api.routes(hub.office),
        *policy_api.routes(hub.office),
        *offices_api.routes(hub.office),
        *proxies_api.routes(hub.office),
        *feeds_api.routes(
            hub.press, hub.ledger.rights, hub.ledger.now_us, hub.matching.row, hub.going_on
        ),
        *hearing_api.routes(hub.ledger, hub.hearing, spoken, hub.disputes),
        *match_api.routes(hub.matching, hub.tracer),
        *receipts_api.routes(hub.protection),
        *stream.routes(hub.broadcast, hub.ledger),
        *heads.routes(hub.heads, hub.ledger),
        *metrics.routes(hub.measure),
        *attestations.routes(hub.ledger, hub.folder),
        *exchange_api.routes(hub.exchange, Uploads(PIECE_BYTES, 8 * PIECE_BYTES).upload),
        *taxii.routes(hub.taxii),
        *pages.routes(hub.console, hub.sessions, denials_about(hub, shelf)),
        *reports.routes(reporting, hub.sessions, evidence_body()),
        *campaign_pages.routes(campaigns, hub.sessions),
        *rulings.routes(spoken, hub.hearing, hub.console, hub.sessions),
        *dispute.routes(hub.disputes),
        *law_handlers(rulebook, today),
        *record_handlers(desk, today),
        *shelf_handlers(desk, today),
        *law_pages(desk, hub.sessions),
    ]


class _Litestar(Litestar):
    """The framework without what it finds installed: another package's pydantic.

    Nothing of ours is described by them, and loading them is a tenth of a start.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def create_app(hub: Hub) -> Any:
    """The ASGI application of an open hub."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        hub.broadcast.start()
        hub.heads.start()
        hub.confirmed.start()
        try:
            yield
        finally:
            await hub.confirmed.stop()
            await hub.heads.stop()
            await hub.broadcast.stop()

    app = _Litestar(
        handlers(hub),
        lifespan=[lifespan],
        exception_handlers={
            BayanihanError: on_ours,
            HTTPException: on_http,
            Exception: on_any,
        },
        openapi_config=OpenAPIConfig(
            title="Bayanihan",
            version=__version__,
            # All below this path is the framework's own, its errors included: no more than this.
            path="/api/openapi.json",
            render_plugins=[Description(stream.DESCRIBED)],
            use_handler_docstrings=True,
        ),
        logging_config=None,
    )
    reported = {("POST", intake_api.PATH): hub.push.plain}
    shorter = past_the_framework(app, reported, hub.taxii.plain)
    entered = hub.entrance.around(shorter)
    return confirming(entered, hub.confirmed, hub.caught_up) if hub.confirmed.shared else entered
