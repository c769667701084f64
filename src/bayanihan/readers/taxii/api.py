"""The TAXII 2.1 endpoints.

Every handler checks in one order: the address (404), the right (401, 403), the media types
(406, 415), the parameters (400). How errors are written is decided by the address.

Source: TAXII 2.1 sections 4 (API roots) and 5 (collections).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec
from litestar import Request, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Response

from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.errors import Refused
from bayanihan.ledger import Ledger
from bayanihan.readers.taxii import answers, query
from bayanihan.readers.taxii.catalogue import Catalogue
from bayanihan.readers.taxii.collections import Collection as Shelf
from bayanihan.readers.taxii.collections import Root
from bayanihan.readers.taxii.pages import Shelves
from bayanihan.readers.taxii.query import Filters, Onward
from bayanihan.readers.taxii.shared import Answer, Shared
from bayanihan.readers.taxii.status import Outcome, Statuses, objects_of, outcomes_of
from bayanihan.readers.taxii.versions import ALL

logger = logging.getLogger(__name__)

PATH = "/taxii2"
OBJECT_LIMIT = 10_000
_HOST = re.compile(r"[A-Za-z0-9._\-]{1,253}(:[0-9]{1,5})?|\[[0-9a-fA-F:.]{2,45}\](:[0-9]{1,5})?")
_OBJECTS = re.compile(rf"{PATH}/([^/]+)/collections/([^/]+)/objects/?")
_Request = Request[Any, Any, Any]


class Upload(Protocol):
    """The body of one request, as intake takes it in."""

    async def read(self) -> bytes:
        """The whole body. Raises `Refused`, `Unavailable`."""
        ...


class Entrance(Protocol):
    """The way in, which another room keeps."""

    def upload(self, request: _Request) -> AbstractContextManager[Upload]:
        """Take the body of a request in, bounded."""
        ...

    async def submit(self, viewer: Viewer, data: bytes, terms: Mapping[str, Any]) -> Sequence[Any]:
        """Submit an envelope; a result with `id`, `result`, `code`, `path` and `reason` each."""
        ...

    async def withdraw(self, viewer: Viewer, object_id: str, *, exercise: bool) -> None:
        """Take back what the viewer published under an id, for real or as an exercise."""
        ...


class Discovery(msgspec.Struct, frozen=True):
    """What the discovery resource says of this server.

    `address` is where others reach it; "" means where the request came to.
    """

    title: str
    description: str = ""
    contact: str = ""
    address: str = ""


class Interface:
    """What the handlers share.

    Args:
        ledger: the record.
        catalogue: what stands in the collections.
        roots: the API roots by name.
        discovery: see `Discovery`.
        entrance: the way in.
        statuses: the statuses of submissions.
        max_content_length: bytes of one submission.
        takes_stix: whether a submission may call itself STIX instead of TAXII.
    """

    def __init__(
        self,
        ledger: Ledger,
        catalogue: Catalogue,
        roots: Mapping[str, Root],
        discovery: Discovery,
        entrance: Entrance,
        statuses: Statuses,
        *,
        max_content_length: int,
        takes_stix: bool,
    ) -> None:
        self.ledger = ledger
        self.roots = roots
        self.discovery = discovery
        self.entrance = entrance
        self.statuses = statuses
        self.max_content_length = max_content_length
        self.takes_stix = takes_stix
        self.shelves = Shelves(ledger, catalogue)
        self.shared = Shared(ledger, catalogue)

    def root(self, name: str) -> Root:
        """An API root. Raises `Refused("not-found")`."""
        root = self.roots.get(name)
        if root is None:
            raise Refused("not-found", "There is no such API root")
        return root

    def after(self, asked: query.Asked, cursor: str) -> int:
        """The position to go on after: the later of `next` and `added_after`."""
        after = self.ledger.cursors.open(cursor, where="next")
        if after > self.ledger.length and after > self.ledger.store.last()[0]:
            raise Refused("reset", "The record ends before this place", where="next")
        if asked.added_after_us is None:
            return after
        return max(after, self._position_at(asked.added_after_us))

    def _position_at(self, us: int) -> int:
        last, stamp_us = self.ledger.store.last()
        return last if us >= stamp_us else self.ledger.store.position_at(us)

    def onward(self, shelf: Shelf, filters: Filters, last: int, *, more: bool) -> str:
        """The `next` of a page, "" when it is the last one."""
        if not more:
            return ""
        return query.sealed(self.ledger.cursors.seal(last), Onward(shelf.id, filters))

    def reading(
        self, request: _Request, root: FromPath[str], name: FromPath[str], allowed: Collection[str]
    ) -> Reading:
        """A request to read a collection, checked."""
        viewer = viewer_in(request.scope)
        shelf = self.shelf(viewer, root, name)
        return self.asked(viewer, shelf, _checked(request, allowed))

    def shelf(self, viewer: Viewer, root: str, name: str) -> Shelf:
        """A collection that a viewer may read. Raises `Refused`."""
        shelf = self.root(root).find(name)
        shelf.require_read(viewer)
        return shelf

    def asked(self, viewer: Viewer, shelf: Shelf, fields: Mapping[str, str]) -> Reading:
        """What the parameters of a request to read ask for. Raises `Refused`."""
        asked = query.asked_of(fields)
        cursor, filters = query.continued(asked, shelf.id)
        return Reading(viewer, shelf, filters, self.after(asked, cursor), asked.limit)

    def plain(self, scope: Any) -> Awaitable[Answer] | None:
        """A page of a collection's objects for a GET by its ASGI scope; None for other GETs."""
        found = _OBJECTS.fullmatch(scope["path"])
        if found is None:
            return None
        asked = (answers.accept_of(scope), scope["query_string"])
        return self.page(viewer_in(scope), found[1], found[2], *asked)

    async def page(
        self, viewer: Viewer, root: str, name: str, accept: str, query_string: bytes
    ) -> Answer:
        """A page of a collection's objects. Raises `Refused`, `Unavailable`."""
        shelf = self.shelf(viewer, root, name)
        answers.require_acceptable(accept)
        question = (root, shelf.id, query_string)
        known = self.shared.find(viewer, question)
        if known is not None:
            return known
        keep = self.shared.keeper(viewer, question)
        fields = query.fields_of(query_string, query.PAGING | query.MATCHING)
        asked = self.asked(viewer, shelf, fields)
        page = await self.shelves.bodies(
            viewer, shelf.question, asked.filters, asked.after, asked.limit
        )
        onward = self.onward(shelf, asked.filters, page.last, more=page.more)
        body = answers.envelope("objects", page.bodies, onward)
        answer = Answer(answers.plain_headers(page.stamps_us), body)
        keep(answer)
        return answer

    async def exists(self, viewer: Viewer, shelf: Shelf, object_id: str) -> bool:
        """Whether any version of an object stands in a collection, for this viewer."""
        filters = Filters(ids=(object_id,), words=(ALL,))
        found = await self.shelves.select(viewer, shelf.question, filters, 0, 1)
        return bool(found.places)

    async def own(self, viewer: Viewer, shelf: Shelf, object_id: str, filters: Filters) -> set[int]:
        """The positions at which an object of the viewer's own matches filters.

        Raises:
            Refused: `not-found` when nothing matches, `not-permitted` when all that does
                was published by others.
        """
        filters = msgspec.structs.replace(filters, ids=(object_id,))
        page = await self.shelves.items(viewer, shelf.question, filters, 0, query.PAGE_LIMIT)
        if not page.items:
            raise _no_object(object_id)
        own = {item.entry.position for item in page.items if item.entry.origin == viewer.origin}
        if not own:
            message = "Only who published an object takes it back"
            raise Refused("not-permitted", message, next_step="Ask its publisher.")
        return own


class Reading(msgspec.Struct, frozen=True):
    """A checked request to read: by whom, what, after which position and how much."""

    viewer: Viewer
    shelf: Shelf
    filters: Filters
    after: int
    limit: int

    def of_object(self, object_id: str, words: tuple[str, ...] = ()) -> Filters:
        """The filters narrowed to one object."""
        narrowed = msgspec.structs.replace(self.filters, ids=(object_id,))
        return msgspec.structs.replace(narrowed, words=words) if words else narrowed


def _address_of(request: _Request) -> str:
    """Where a request came to, "" when it does not say: one known client cannot do without."""
    host = request.headers.get("host", "")
    return f"{request.scope['scheme']}://{host}" if _HOST.fullmatch(host) else ""


def _checked(request: _Request, allowed: Collection[str] = ()) -> dict[str, str]:
    """The parameters of a request whose answer would be taken. Raises `Refused`."""
    answers.require_acceptable(answers.accept_of(request.scope))
    return query.fields_of(request.scope["query_string"], allowed)


def _no_object(object_id: str) -> Refused:
    return Refused("not-found", "There is no such object in this collection", where=object_id)


def routes(interface: Interface) -> list[HTTPRouteHandler]:
    """Every handler below `/taxii2/`."""
    return [
        *_server_routes(interface),
        *_collection_routes(interface),
        *_reading_routes(interface),
        *_object_routes(interface),
        *_writing_routes(interface),
    ]


def _server_routes(interface: Interface) -> list[HTTPRouteHandler]:
    @get(f"{PATH}/", include_in_schema=False)
    async def discover(request: _Request) -> Response[bytes]:
        """TAXII discovery: this server and its API roots."""
        _checked(request)
        known = interface.discovery
        told = {"title": known.title, "description": known.description, "contact": known.contact}
        told = {name: value for name, value in told.items() if value}
        address = known.address or _address_of(request)
        roots = [f"{address}{PATH}/{name}/" for name in interface.roots]
        return answers.answer(answers.encoded({**told, "default": roots[0], "api_roots": roots}))

    @get(f"{PATH}/{{root:str}}/", include_in_schema=False)
    async def show_api_root(request: _Request, root: FromPath[str]) -> Response[bytes]:
        """A TAXII API root."""
        found = interface.root(root)
        _checked(request)
        told = answers.described_root(found, interface.max_content_length)
        return answers.answer(answers.encoded(told))

    @get(f"{PATH}/{{root:str}}/status/{{status_id:str}}/", include_in_schema=False)
    async def show_status(
        request: _Request, root: FromPath[str], status_id: FromPath[str]
    ) -> Response[bytes]:
        """What became of your submission, for two days."""
        found = interface.root(root)
        viewer = viewer_in(request.scope)
        if not viewer.key:
            raise Refused("not-signed-in", "A key is needed to see a status")
        _checked(request)
        return answers.answer(interface.statuses.find(viewer, found.name, status_id))

    return [discover, show_api_root, show_status]


def _collection_routes(interface: Interface) -> list[HTTPRouteHandler]:
    @get(f"{PATH}/{{root:str}}/collections/", include_in_schema=False)
    async def list_collections(request: _Request, root: FromPath[str]) -> Response[bytes]:
        """The collections of an API root."""
        found, viewer = interface.root(root), viewer_in(request.scope)
        _checked(request)
        return answers.answer(answers.encoded(answers.collections_of(found, viewer)))

    @get(f"{PATH}/{{root:str}}/collections/{{name:str}}/", include_in_schema=False)
    async def show_collection(
        request: _Request, root: FromPath[str], name: FromPath[str]
    ) -> Response[bytes]:
        """One collection, and what you may do with it."""
        found, viewer = interface.root(root).find(name), viewer_in(request.scope)
        _checked(request)
        return answers.answer(answers.encoded(answers.described(found, viewer)))

    return [list_collections, show_collection]


def _reading_routes(interface: Interface) -> list[HTTPRouteHandler]:
    allowed = query.PAGING | query.MATCHING

    @get(f"{PATH}/{{root:str}}/collections/{{name:str}}/objects/", include_in_schema=False)
    async def page_collection(
        request: _Request, root: FromPath[str], name: FromPath[str]
    ) -> Response[bytes]:
        """A page of a collection's objects, as they were submitted."""
        scope = request.scope
        asked = (root, name, answers.accept_of(scope), scope["query_string"])
        page = await interface.page(viewer_in(scope), *asked)
        return Response(page.body, headers={k.decode(): v.decode() for k, v in page.headers})

    @get(f"{PATH}/{{root:str}}/collections/{{name:str}}/manifest/", include_in_schema=False)
    async def page_manifest(
        request: _Request, root: FromPath[str], name: FromPath[str]
    ) -> Response[bytes]:
        """A page of what a collection holds, without the objects themselves."""
        asked = interface.reading(request, root, name, allowed)
        page = await interface.shelves.items(
            asked.viewer, asked.shelf.question, asked.filters, asked.after, asked.limit
        )
        onward = interface.onward(asked.shelf, asked.filters, page.last, more=page.more)
        return answers.answer(
            answers.envelope("objects", list(map(answers.manifest_record, page.items)), onward),
            headers=answers.added_headers([item.entry.stamp_us for item in page.items]),
        )

    return [page_collection, page_manifest]


def _object_routes(interface: Interface) -> list[HTTPRouteHandler]:
    place = f"{PATH}/{{root:str}}/collections/{{name:str}}/objects/{{object_id:str}}/"

    @get(place, include_in_schema=False)
    async def show_versions_of_object(
        request: _Request, root: FromPath[str], name: FromPath[str], object_id: FromPath[str]
    ) -> Response[bytes]:
        """One object: its last version, or those that are asked for."""
        asked = interface.reading(request, root, name, query.PAGING | query.OBJECT)
        page = await interface.shelves.items(
            asked.viewer,
            asked.shelf.question,
            asked.of_object(object_id),
            asked.after,
            asked.limit,
        )
        if not page.items and not await interface.exists(asked.viewer, asked.shelf, object_id):
            raise _no_object(object_id)
        onward = interface.onward(asked.shelf, asked.filters, page.last, more=page.more)
        return answers.answer(
            answers.envelope("objects", [item.body for item in page.items], onward),
            headers=answers.added_headers([item.entry.stamp_us for item in page.items]),
        )

    @get(f"{place}versions/", include_in_schema=False)
    async def list_versions(
        request: _Request, root: FromPath[str], name: FromPath[str], object_id: FromPath[str]
    ) -> Response[bytes]:
        """The versions of one object, in the order in which they were added."""
        allowed = query.PAGING | {"match[spec_version]"}
        asked = interface.reading(request, root, name, allowed)
        page = await interface.shelves.items(
            asked.viewer,
            asked.shelf.question,
            asked.of_object(object_id, (ALL,)),
            asked.after,
            asked.limit,
        )
        if not page.items and not await interface.exists(asked.viewer, asked.shelf, object_id):
            raise _no_object(object_id)
        versions = dict.fromkeys(map(answers.version_of, page.items))
        onward = interface.onward(asked.shelf, asked.filters, page.last, more=page.more)
        return answers.answer(
            answers.envelope("versions", list(map(answers.encoded, versions)), onward),
            headers=answers.added_headers([item.entry.stamp_us for item in page.items]),
        )

    return [show_versions_of_object, list_versions]


def _writing_routes(interface: Interface) -> list[HTTPRouteHandler]:
    place = f"{PATH}/{{root:str}}/collections/{{name:str}}/objects/"

    @post(place, status_code=202, include_in_schema=False, request_max_body_size=None)
    async def add_objects(
        request: _Request, root: FromPath[str], name: FromPath[str]
    ) -> Response[bytes]:
        """Submit an envelope; each object gets its own place in the status."""
        found, viewer = interface.root(root), viewer_in(request.scope)
        shelf = found.find(name)
        shelf.require_write(viewer)
        _checked(request)
        _require_envelope(request, viewer, takes_stix=interface.takes_stix)
        with interface.entrance.upload(request) as upload:
            data = await upload.read()
            sent = objects_of(data, OBJECT_LIMIT, shelf.shows)
            results = await interface.entrance.submit(viewer, data, shelf.submission_terms())
        outcomes: list[Outcome] = outcomes_of(sent, results)
        return answers.answer(
            await interface.statuses.keep(viewer, found.name, outcomes), status=202
        )

    @delete(f"{place}{{object_id:str}}/", status_code=200, include_in_schema=False)
    async def delete_object(
        request: _Request, root: FromPath[str], name: FromPath[str], object_id: FromPath[str]
    ) -> Response[bytes]:
        """Withdraw an object that you published: it leaves every collection."""
        viewer = viewer_in(request.scope)
        shelf = interface.root(root).find(name)
        shelf.require_write(viewer)
        shelf.require_read(viewer)
        asked = query.asked_of(_checked(request, query.OBJECT))
        whole = Filters(words=(ALL,), spec_versions=asked.filters.spec_versions)
        own = await interface.own(viewer, shelf, object_id, whole)
        if asked.filters.words or asked.filters.times_us:
            _require_whole(own, await interface.own(viewer, shelf, object_id, asked.filters))
        await interface.entrance.withdraw(viewer, object_id, exercise=shelf.question.exercise)
        await interface.shelves.settled()
        return answers.answer(b"")

    return [add_objects, delete_object]


def _require_envelope(request: _Request, viewer: Viewer, *, takes_stix: bool) -> None:
    content_type = request.headers.get("content-type", "")
    if answers.is_taxii(content_type):
        return
    if takes_stix and answers.is_stix(content_type):
        logger.info("%s submits as application/stix+json; taken as TAXII", viewer.key)
        return
    raise Refused(
        "wrong-media-type",
        "A submission is application/taxii+json;version=2.1",
        where="Content-Type",
        next_step="Send `Content-Type: application/taxii+json;version=2.1`.",
    )


def _require_whole(own: set[int], asked: set[int]) -> None:
    """A withdrawal takes every version back. Raises `Refused` when fewer are asked for."""
    if own != asked:
        raise Refused(
            "bad-parameter",
            "A withdrawal takes back every version of an object",
            where="match[version]",
            next_step="Leave match[version] out, or publish a new version.",
        )
