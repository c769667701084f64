"""Assembles the package of a case from the record, up to one position."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from litestar import Request, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.response import Response

from bayanihan.core import checkpoint, moment, signing
from bayanihan.core.marking import REGION, STRICTNESS, Audience, Group, Viewer, admitting, viewer_in
from bayanihan.core.merkle import Frontier, peaks_of
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.ledger import Draft, Entry, Ledger, Where, evidence_of, told_to
from bayanihan.readers.package.archive import MANIFEST, SIGNATURE, packed
from bayanihan.readers.package.check import (
    CHECKPOINT,
    COVER,
    DOMAIN,
    FORMAT,
    Act,
    Listed,
    Manifest,
)
from bayanihan.readers.package.cover import cover

ENTRIES_LIMIT = 500
PURPOSE_LIMIT = 500
# What was published with a case stands right behind it, in one batch.
_BEHIND = 300
_KINDS = ("object", "withdrawn", "erased")

Redacted = Callable[[Viewer, str], bytes]
"""The redacted evidence of a case as JSON, for its own side; raises `Refused("not-found")`."""


class PackageOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a case is exported.

    `purpose` says for what the redacted evidence of the viewer's own side goes in; "" leaves it
    out. `position` is the length of the record that it shows, 0 for the present one.
    """

    purpose: str = ""
    position: int = 0


class _Report(msgspec.Struct):
    type: str = ""
    object_refs: list[str] = []


_report = msgspec.json.Decoder(_Report).decode


class Packages:
    """Exports cases.

    Args:
        ledger: the record.
        name, key: the hub's name and signing key, as it signs heads with.
        redacted: see `Redacted`.
        group: gives a group as constituted now.
        entropy: random bytes for the ids of recorded exports.
    """

    def __init__(
        self,
        ledger: Ledger,
        name: str,
        key: signing.SigningKey,
        redacted: Redacted,
        group: Callable[[str], Group],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._ledger = ledger
        self._name = name
        self._key = key
        self._redacted = redacted
        self._group = group
        self._entropy = entropy

    def export(self, viewer: Viewer, case: str, order: PackageOrder) -> bytes:
        """The ZIP of a case. Blocks.

        Raises:
            Refused: `not-found`, `erased`, `too-large`; `not-permitted` for constituents.
        """
        if viewer.constituent:
            raise Refused(
                "not-permitted",
                "Packages are exported by members' own staff: they hold proofs of the record",
                next_step=f"Ask your CERT in {viewer.member}.",
            )
        if len(order.purpose) > PURPOSE_LIMIT:
            message = f"A purpose has {PURPOSE_LIMIT} characters at most"
            raise Refused("bad-parameter", message, where="purpose")
        size = order.position or self._ledger.head().size
        if not 0 < size <= self._ledger.head().size:
            raise Refused("not-found", "There is no such position yet", where="position")
        files: dict[str, bytes] = {}
        if order.purpose:
            files["redacted.json"] = self._redacted(viewer, case)
        entries = self._entries(viewer, case, size)
        acts = [self._act(viewer, n + 1, each, size, files) for n, each in enumerate(entries)]
        whole = self._whole(viewer, case, order.purpose, size, acts, files)
        if order.purpose:
            self._record(viewer, case, order.purpose, whole)
        if any(act.proof and evidence_of(self._ledger.store, act.position) is None for act in acts):
            raise Refused("erased", "This case was erased while it was exported", where=case)
        return whole

    def _entries(self, viewer: Viewer, case: str, size: int) -> list[Entry]:
        """What the record has of a case and of what was published with it, in its order."""
        own = self._about(viewer, case, size)
        if not any(entry.header.kind == "object" for entry in own):
            # What was erased is not found by its name any more, but by the word that says so.
            if self._ledger.newest_about(viewer, case, ("erased",), limit=1):
                raise Refused("erased", "This case was erased", where=case)
            raise Refused("not-found", "There is no such case", where=case[:80])
        found = {entry.position: entry for entry in own}
        for object_id in self._published_with(viewer, case, own, size):
            found |= {each.position: each for each in self._about(viewer, object_id, size)}
            if len(found) > ENTRIES_LIMIT:
                message = f"The package of a case holds {ENTRIES_LIMIT} entries at most"
                raise Refused("too-large", message, next_step="Export its objects by themselves.")
        return [found[position] for position in sorted(found)]

    def _about(self, viewer: Viewer, object_id: str, size: int) -> list[Entry]:
        found = self._ledger.newest_about(viewer, object_id, _KINDS)
        return [entry for entry in found if entry.position <= size]

    def _published_with(self, viewer: Viewer, case: str, own: list[Entry], size: int) -> list[str]:
        """The objects of the reports that name the case and stand right behind it."""
        named: dict[str, None] = {}
        for entry in own:
            if entry.header.kind != "object" or entry.erased:
                continue
            where = Where(exercise=entry.header.exercise, until=size)
            page = self._ledger.read(viewer, entry.position, _BEHIND, where)
            for item in page.items:
                if item.entry.origin != entry.origin or b'"report"' not in item.body:
                    continue
                told = _report(item.body)
                if told.type == "report" and case in told.object_refs:
                    named |= dict.fromkeys([item.entry.object_id, *told.object_refs])
        named.pop(case, None)
        return list(named)

    def _act(
        self, viewer: Viewer, number: int, entry: Entry, size: int, files: dict[str, bytes]
    ) -> Act:
        position = entry.position
        known = evidence_of(self._ledger.store, position)
        told = told_to(viewer, known) if known else None
        level = self._ledger.store.audiences()[entry.header.audience - 1].level
        act = Act(
            entry.header.kind,
            entry.object_id,
            moment.render(entry.stamp_us),
            "the hub's clock at acceptance, part of the proven leaf",
            told.author if told else "",
            told.origin if told else "",
            level,
            position,
        )
        if told is None:  # erased: its header and leaf stay, what it said is gone
            return act
        file, proof = f"entries/{number:04}.json", f"proofs/{number:04}.json"
        files[file] = self._ledger.body(viewer, position)
        path = [signing.to_text(node) for node in self._ledger.prove(position, size)]
        told_proof = {"evidence": msgspec.to_builtins(told), "size": size, "path": path}
        files[proof] = msgspec.json.encode(told_proof)
        return msgspec.structs.replace(act, file=file, proof=proof, withheld=told.salt == "")

    def _whole(
        self,
        viewer: Viewer,
        case: str,
        purpose: str,
        size: int,
        acts: list[Act],
        files: dict[str, bytes],
    ) -> bytes:
        root = Frontier(size, peaks_of(size, self._ledger.store.node)).root()
        head = checkpoint.Checkpoint(self._name, size, root, self._ledger.epoch)
        files[CHECKPOINT] = checkpoint.sign(head, self._key).encode()
        entries = [self._ledger.store.entry(act.position) for act in acts]
        facts: dict[str, Any] = {
            "hub": self._name,
            "verifier_key": checkpoint.verifier_key(self._name, self._key.public),
            "case": case,
            "position": size,
            "exercise": any(entry.header.exercise for entry in entries if entry),
            "exported_for": viewer.origin,
            "personal": bool(purpose),
            "purpose": purpose,
        }
        level = max((act.level for act in acts), key=STRICTNESS.__getitem__)
        files[COVER] = cover(acts, _listed(files), level=level, **facts)
        manifest = Manifest(
            format=FORMAT,
            epoch=self._ledger.epoch.hex(),
            custody=tuple(acts),
            files=tuple(_listed(files)),
            **facts,
        )
        files[MANIFEST] = msgspec.json.encode(manifest)
        signature = self._key.sign(DOMAIN + files[MANIFEST])
        files[SIGNATURE] = signing.to_text(signature).encode() + b"\n"
        return packed(files)

    def _record(self, viewer: Viewer, case: str, purpose: str, whole: bytes) -> None:
        """Enter that redacted evidence left, why, and for whom: before it does."""
        act = {
            "act": "evidence-exported",
            "case": case,
            "purpose": purpose,
            "sha256": hashlib.sha256(whole).hexdigest(),
            "by": viewer.person,
            "at": moment.render(self._ledger.now_us()),
        }
        region = self._group(REGION)
        codes = tuple(code for code in (viewer.member,) if code)
        own = Audience("amber+strict", (Group(REGION, region.version, codes),))
        draft = Draft(
            "decision",
            admitting(own, viewer),
            author=viewer.person,
            origin=viewer.origin,
            object_id=f"export--{uuid.UUID(bytes=self._entropy(16), version=4)}",
            body=msgspec.json.encode(act),
        )
        self._ledger.append([draft])


def _listed(files: Mapping[str, bytes]) -> list[Listed]:
    return [
        Listed(path, hashlib.sha256(body).hexdigest(), len(body))
        for path, body in sorted(files.items())
    ]


def routes(packages: Packages) -> list[HTTPRouteHandler]:
    """The handler of `/api/cases/{object_id}/package`."""

    @post("/api/cases/{object_id:str}/package", status_code=200)
    async def export_case(
        request: Request[Any, Any, Any], object_id: FromPath[str], data: JSONBody[PackageOrder]
    ) -> Response[bytes]:
        """A case as a signed ZIP: its bytes, custody, times and proofs, to check off-line.

        With a `purpose` its own side's redacted evidence goes in, and that is recorded.
        """
        viewer = viewer_in(request.scope)
        require(viewer, "read")
        if data.purpose:
            require(viewer, "report")
        whole = await asyncio.to_thread(packages.export, viewer, object_id, data)
        headers = {"Cache-Control": "private, no-store"}
        return Response(whole, media_type="application/zip", headers=headers)

    return [export_case]
