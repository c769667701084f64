"""The TAXII interface over a record in memory of the test: no socket, no other room."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import httpx
from litestar import Litestar
from litestar.exceptions import HTTPException

from bayanihan.core.marking import Viewer
from bayanihan.errors import BayanihanError
from bayanihan.readers.taxii import Discovery, Interface, Statuses, roots_of, routes
from bayanihan.web.errors import on_any, on_http, on_ours
from bayanihan.web.sign_in import as_routed
from tests.readers.taxii.shelved import SG, Shelved

OBJECTS = "/taxii2/region/collections/everything/objects/"


class Closed:
    """An entrance that nobody uses: for tests that only read, and fail where they write."""

    def upload(self, request: Any) -> AbstractContextManager[Any]:
        raise AssertionError("a test that only reads came to the entrance")

    async def submit(self, viewer: Viewer, data: bytes, terms: Mapping[str, Any]) -> list[Any]:
        raise AssertionError("a test that only reads came to the entrance")

    async def withdraw(self, viewer: Viewer, object_id: str, *, exercise: bool) -> None:
        raise AssertionError("a test that only reads came to the entrance")


def interface(shelved: Shelved) -> Interface:
    """The interface, whose pages never wait for the fold."""
    found = Interface(
        shelved.ledger,
        shelved.catalogue,
        roots_of(()),
        Discovery("Test"),
        Closed(),
        Statuses(shelved.ledger, bytes),
        max_content_length=1_000_000,
        takes_stix=True,
    )
    found.shelves = shelved.shelves
    return found


def client(shelved: Shelved) -> httpx.AsyncClient:
    """A client of the interface; whoever sends a key is Singapore's duty officer."""
    app = Litestar(
        routes(interface(shelved)),
        exception_handlers={BayanihanError: on_ours, HTTPException: on_http, Exception: on_any},
        openapi_config=None,
        logging_config=None,
    )

    async def signed(scope: Any, receive: Any, send: Any) -> None:
        await app({**as_routed(scope), "viewer": SG}, receive, send)  # type: ignore[arg-type]

    return httpx.AsyncClient(
        transport=httpx.ASGITransport(signed),
        base_url="http://hub.example",
        headers={"Authorization": "Bearer k"},
    )
