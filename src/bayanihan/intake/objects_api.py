"""POST `/api/objects`: STIX objects in, as the bytes they are."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
from litestar import Request, post
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from bayanihan.core import stix
from bayanihan.core.marking import LEVELS, Group, Viewer
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.intake.objects import (
    Admission,
    Candidate,
    Result,
    Terms,
    refusal_of,
    result_of,
    summary_of,
)
from bayanihan.ledger import Ledger, Where

SUBMISSION_LIMIT_BYTES = 64 * 1024 * 1024
SUBMISSION_LIMIT_OBJECTS = 100_000
# Objects checked before other requests get a turn.
SLICE = 100
APPEND_LIMIT = 5_000


class Directory(Protocol):
    """What intake asks of the registry."""

    def group(self, name: str) -> Group:
        """A group as constituted now."""
        ...

    def group_markings(self) -> Mapping[str, str]:
        """Group marking id -> group name."""
        ...


Defaults = Callable[[Viewer], tuple[str, str]]
"""A viewer's key's default level and group."""


async def read_body(request: Request[Any, Any, Any], limit_bytes: int) -> bytes:
    """The request's body, gunzipped if it says so, refused while it is still arriving.

    Raises:
        Refused: `too-large`, or `not-json` for a broken gzip stream.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        raise Refused("wrong-media-type", f"The content encoding {encoding!r} is not known here")
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16) if encoding == "gzip" else None
    chunks: list[bytes] = []
    size_bytes = 0
    async for chunk in request.stream():
        try:
            plain = inflate.decompress(chunk, limit_bytes + 1) if inflate else chunk
        except zlib.error as error:
            raise Refused("not-json", f"The gzip stream is broken: {error}") from error
        size_bytes += len(plain)
        if size_bytes > limit_bytes or (inflate and inflate.unconsumed_tail):
            limit_mib = limit_bytes // 1024 // 1024
            raise Refused("too-large", f"One submission may hold {limit_mib} MiB")
        chunks.append(plain)
    if inflate and not inflate.eof:
        raise Refused("not-json", "The gzip stream ends too early")
    return b"".join(chunks)


def terms_of(
    viewer: Viewer, params: Mapping[str, Any], defaults: Defaults, directory: Directory
) -> Terms:
    """The terms that a request's parameters and its key's defaults amount to."""
    default, default_group = defaults(viewer)
    unmarked = params.get("tlp") or default
    if unmarked not in LEVELS:
        raise Refused("bad-parameter", f"{unmarked!r} is no TLP level", where="tlp")
    group = directory.group(params.get("group") or default_group)
    return Terms(
        viewer,
        default=default,
        unmarked=unmarked,
        groups=(group,),
        to=tuple(sorted(set(params.get("to") or ()))),
        exercise=bool(params.get("exercise")),
    )


class Intake:
    """Takes submissions into the ledger.

    Args:
        ledger: where accepted objects go.
        directory: the registry's groups.
        defaults: a viewer's key's default level and group.
    """

    def __init__(self, ledger: Ledger, directory: Directory, defaults: Defaults) -> None:
        self._ledger = ledger
        self._directory = directory
        self._defaults = defaults

    def _knows_statement(self, viewer: Viewer) -> Callable[[str], bool]:
        """Whether the viewer's own origin has published a marking as a statement."""

        def known(ref: str) -> bool:
            page = self._ledger.read(viewer, 0, 10, Where(object_id=ref))
            own = [item for item in page.items if item.entry.origin == viewer.origin]
            return any(stix.check(item.body).statement for item in own)

        return known

    async def take(self, viewer: Viewer, data: bytes, params: Mapping[str, Any]) -> dict[str, Any]:
        """Check, mark and append one submission; the fixed answer to a push.

        Raises:
            Refused: when nothing in it can be told apart as objects.
            Unavailable: when the ledger cannot take it now; nothing is then stored.
        """
        objects = stix.split(data).objects
        if len(objects) > SUBMISSION_LIMIT_OBJECTS:
            raise Refused(
                "too-large", f"One submission may hold {SUBMISSION_LIMIT_OBJECTS} objects"
            )
        admission = Admission(
            terms_of(viewer, params, self._defaults, self._directory),
            dict(self._directory.group_markings()),
            self._directory.group,
            self._knows_statement(viewer),
        )
        found: list[Candidate | Result] = []
        for number, raw in enumerate(objects):
            try:
                found += admission.check(raw)
            except Refused as refusal:
                found.append(refusal_of(raw, refusal))
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
        return summary_of(await self._append(admission, found))

    async def _append(self, admission: Admission, found: list[Candidate | Result]) -> list[Result]:
        results: list[Result] = []
        for start in range(0, len(found), APPEND_LIMIT):
            part = found[start : start + APPEND_LIMIT]
            drafts = [admission.mark(each) for each in part if isinstance(each, Candidate)]
            appended = iter(await self._ledger.append_soon(drafts) if drafts else ())
            results += [
                each if isinstance(each, Result) else result_of(each.checked, next(appended))
                for each in part
            ]
        return results


def routes(ledger: Ledger, directory: Directory, defaults: Defaults) -> list[HTTPRouteHandler]:
    """The handler of POST `/api/objects`."""
    intake = Intake(ledger, directory, defaults)

    @post("/api/objects", status_code=200, request_max_body_size=None)
    async def push_objects(
        request: Request[Any, Any, Any],
        tlp: str = "",
        group: str = "",
        to: list[str] | None = None,
        exercise: bool = False,
    ) -> Response[bytes]:
        """Submit one STIX object, a bundle or an envelope; each object gets its own answer."""
        viewer: Viewer = request.scope["viewer"]  # type: ignore[typeddict-item]
        require(viewer, "report")
        data = await read_body(request, SUBMISSION_LIMIT_BYTES)
        params = {"tlp": tlp, "group": group, "to": to, "exercise": exercise}
        answer = await intake.take(viewer, data, params)
        return Response(msgspec.json.encode(answer), media_type="application/json")

    return [push_objects]
