"""Signed heads and proofs: how a member checks that the record was never rewritten.

A head is signed at most once a second and outside the writer, so that signing costs
appending nothing. The latest is kept, and one a minute.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Response

from bayanihan.core import signing
from bayanihan.core.checkpoint import Checkpoint, sign, verifier_key
from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.merkle import Frontier, peaks_of
from bayanihan.core.scope import require
from bayanihan.core.signing import SigningKey
from bayanihan.errors import Refused, Unavailable
from bayanihan.ledger import Change, Ledger, Where, apply_changes, evidence_of, told_to

logger = logging.getLogger(__name__)

SIGN_EVERY_S = 1.0
HEADS = "head"
MINUTE_PREFIX = "minute/"
_MINUTE_US = 60_000_000
_PROOFS_LIMIT = 100


class Heads:
    """Signs the ledger's head as it moves.

    Args:
        ledger: whose head.
        name: the log's name, the first line of each checkpoint.
        key: the hub's signing key.
    """

    def __init__(self, ledger: Ledger, name: str, key: SigningKey) -> None:
        self._ledger = ledger
        self.name = name
        self.key = key
        self.latest = ""
        self._size = -1
        self.failed: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def verifier_key(self) -> str:
        """The public key as one line, for witnesses."""
        return verifier_key(self.name, self.key.public)

    def sign(self) -> list[Change]:
        """Sign the present head if it moved; what to keep of it in state."""
        head = self._ledger.head()
        if head.size == self._size:
            return []
        checkpoint = Checkpoint(self.name, head.size, head.root, self._ledger.epoch)
        self.latest = sign(checkpoint, self.key)
        self._size = head.size
        minute = self._ledger.now_us() // _MINUTE_US
        value = msgspec.json.encode(self.latest)
        return [Change(HEADS, key, value) for key in ("latest", f"{MINUTE_PREFIX}{minute:012d}")]

    def start(self) -> None:
        """Begin to sign; needs a running event loop."""
        self._task = asyncio.ensure_future(self._run(self.sign()))

    async def stop(self) -> None:
        """Stop signing."""
        if self._task:
            self._task.cancel()

    async def _run(self, changes: list[Change]) -> None:
        while True:
            try:
                if changes:
                    await self._ledger.change_soon(partial(apply_changes, changes=changes))
                self.failed, changes = None, []
                await asyncio.sleep(SIGN_EVERY_S)
                await self._ledger.wait_soon(self._size, 60.0)
                changes = self.sign()
            except Unavailable as error:
                logger.warning("the head could not be kept and is tried again: %s", error)
                await asyncio.sleep(SIGN_EVERY_S)
            except Exception as error:
                if self.failed is None:
                    logger.exception("heads are not signed or not kept")
                self.failed = error
                await asyncio.sleep(SIGN_EVERY_S)


def _member(request: Request[Any, Any, Any]) -> Viewer:
    """Tree sizes and positions are known to members' own staff and the operator only."""
    viewer = viewer_in(request.scope)
    require(viewer, "read")
    if viewer.constituent:
        raise Refused("not-permitted", "Heads and proofs are for members' own staff")
    return viewer


def proofs_of(
    ledger: Ledger, viewer: Viewer, object_id: str, size: int | None, after: int
) -> dict[str, Any]:
    """A page of the proofs of an object's entries, as `/api/proofs/{object_id}` tells it. Blocks.

    Args:
        ledger: the record.
        viewer: who asks.
        object_id: what about.
        size: leaves of the tree whose root they lead to; None for the present one.
        after: the position after which the page begins.

    Raises:
        Refused: `not-found` for no such object or tree.
    """
    size = size or ledger.head().size
    if size > ledger.head().size:
        raise Refused("not-found", "There is no tree of that size yet", where="size")
    where = Where(kinds=("object", "withdrawn", "erased"), object_id=object_id)
    page = ledger.read(viewer, after, _PROOFS_LIMIT, where)
    if not page.items and not after:
        raise Refused("not-found", "There is no such object", where=object_id)
    proofs = []
    for item in page.items:
        position = item.entry.position
        evidence = evidence_of(ledger.store, position)
        if evidence and position <= size:
            path = [signing.to_text(node) for node in ledger.prove(position, size)]
            shown = msgspec.to_builtins(told_to(viewer, evidence))
            proofs.append({"evidence": shown, "path": path})
    root = signing.to_text(Frontier(size, peaks_of(size, ledger.store.node)).root())
    onward = ledger.cursors.seal(page.last) if page.last else ""
    told = {"id": object_id, "size": size, "root": root, "proofs": proofs}
    return {**told, "more": page.more, "next": onward}


def routes(heads: Heads, ledger: Ledger) -> list[HTTPRouteHandler]:
    """The handlers of `/api/hub`, `/api/checkpoint` and `/api/proofs`."""

    @get("/api/hub")
    async def describe_hub() -> dict[str, str]:
        """The hub's name and the public key that signs its heads."""
        return {"name": heads.name, "verifier_key": heads.verifier_key}

    @get("/api/checkpoint")
    async def show_checkpoint(request: Request[Any, Any, Any]) -> Response[str]:
        """The latest signed head, as a C2SP tlog-checkpoint."""
        _member(request)
        return Response(heads.latest, media_type="text/plain")

    @get("/api/checkpoint/consistency")
    async def show_consistency(
        request: Request[Any, Any, Any],
        old: Annotated[int, QueryParameter(ge=1)],
        new: Annotated[int, QueryParameter(ge=1)],
    ) -> dict[str, Any]:
        """The proof that the tree of `new` leaves extends that of `old`."""
        _member(request)
        path = await asyncio.to_thread(ledger.extend, old, new)
        return {"old": old, "new": new, "path": [signing.to_text(node) for node in path]}

    @get("/api/proofs/{object_id:str}")
    async def show_proofs(
        request: Request[Any, Any, Any],
        object_id: FromPath[str],
        size: Annotated[int | None, QueryParameter(ge=1)] = None,
        after: FromQuery[str] = "",
    ) -> dict[str, Any]:
        """For each entry of an object that you may see: its leaf's pre-image and its proof.

        Proofs lead to the root of the tree of `size` leaves, the present one unless asked:
        ask for the size of a signed head to check an entry against it. What was entered
        after that head is left out. Where `more` is true, `next` is the cursor to go on
        `after`. Where another member's constituent reported, `salt` is empty: the leaf is
        proven to stand there, and what it commits to is for that member to show.
        """
        viewer = _member(request)
        position = ledger.cursors.open(after)
        return await asyncio.to_thread(proofs_of, ledger, viewer, object_id, size, position)

    return [describe_hub, show_checkpoint, show_consistency, show_proofs]
