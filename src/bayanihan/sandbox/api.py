"""`/api/attestations`: a signed attestation enters the record, if this hub trusts its signers.

The hub's trust is `trust.toml` in its data directory, read anew for each attestation. The entry
is public, as its signers meant it, and its body is the envelope byte for byte.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import uuid
from pathlib import Path
from typing import Any

from litestar import Request, post
from litestar.handlers import HTTPRouteHandler

from bayanihan.core.marking import Audience, Viewer, viewer_in
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.ledger import Draft, Ledger
from bayanihan.sandbox.attest import decode_envelope
from bayanihan.sandbox.trust import read_trust, verify

TRUST_FILE = "trust.toml"
_NAMES = uuid.UUID("5cb3ce2c-3cf0-4a4f-9d0c-6c8f1fcf4a68")


def draft_of(viewer: Viewer, data: bytes, trust_path: Path, now: dt.datetime) -> Draft:
    """The entry for an envelope that holds under the hub's trust.

    Raises:
        Refused: see `verify`; `not-trusted` where the hub trusts nobody yet.
    """
    envelope = decode_envelope(data, "$")
    if not trust_path.exists():
        raise Refused(
            "not-trusted",
            "This hub trusts no authority yet",
            next_step=f"Its operator names authorities in {TRUST_FILE} of the data directory.",
        )
    verified = verify(envelope, read_trust(trust_path), now)
    issued = dt.datetime.fromisoformat(verified.statement.predicate.issued)
    name = hashlib.sha256(data).hexdigest()
    return Draft(
        "attestation",
        Audience("clear"),
        author=viewer.person,
        origin=viewer.origin,
        object_id=f"attestation--{uuid.uuid5(_NAMES, name)}",
        body=data,
        # The same envelope twice is a duplicate.
        version_us=int(issued.timestamp()) * 1_000_000,
    )


def routes(ledger: Ledger, folder: Path) -> list[HTTPRouteHandler]:
    """The handler, over the hub's record and its data directory."""

    @post("/api/attestations", status_code=200)
    async def enter(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """A signed attestation about a trial enters the record, public and byte for byte."""
        viewer = viewer_in(request.scope)
        require(viewer, "sandbox")
        data = await request.body()
        now = dt.datetime.fromtimestamp(ledger.now_us() / 1e6, dt.UTC)
        draft = await asyncio.to_thread(draft_of, viewer, data, folder / TRUST_FILE, now)
        (appended,) = await ledger.append_soon([draft])
        return {
            "id": draft.object_id,
            "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
            "result": appended.outcome,
        }

    return [enter]
