"""Wires what evidence passes through: the reader, the drafts, and the search for its like."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bayanihan.core.fingerprint import Fingerprints, fingerprints_of
from bayanihan.core.marking import Viewer
from bayanihan.core.observables import Observable
from bayanihan.core.signing import canonical
from bayanihan.errors import Refused
from bayanihan.hub import Hub
from bayanihan.intake import objects_api, reports_api
from bayanihan.intake.denials_api import Denying
from bayanihan.readers import alike
from bayanihan.readers.active import ActiveItem
from bayanihan.readers.alike.api import Lookup
from bayanihan.readers.alike.campaigns import Campaigns, Denied, Truth
from bayanihan.readers.denials.api import Shelf
from bayanihan.readers.objects_api import latest
from bayanihan.readers.package import Packages
from bayanihan.readers.takedown_api import Takedowns
from bayanihan.registry import OfficeKey


def shelf_of(hub: Hub) -> Shelf:
    """What reads signed denials."""

    def office(code: str, name: str) -> tuple[str, Sequence[OfficeKey]]:
        known = hub.registry.offices.get(code, name)
        return (known.title, known.keys) if known else ("", ())

    return Shelf(hub.ledger, hub.denials, office)


def denials_about(hub: Hub, shelf: Shelf) -> Callable[[Viewer, str], list[dict[str, Any]]]:
    """What finds the denials about an object, for its page."""

    def about(viewer: Viewer, object_id: str) -> list[dict[str, Any]]:
        try:
            entry = latest(hub.ledger, viewer, object_id)
            told = msgspec.json.decode(hub.ledger.body(viewer, entry.position), type=_Extended)
        except (Refused, msgspec.MsgspecError):
            return []
        prints = fingerprints_of(told.extensions)
        return shelf.about(viewer, prints, object_id, exercise=entry.header.exercise)

    return about


# What a package shows of its own side's draft: never more than was redacted.
_REDACTED = ("kind", "language", "evidence", "text", "removed", "note", "ai", "left_out")


class _Extended(msgspec.Struct):
    extensions: dict[str, msgspec.Raw] | None = None


def packages_of(hub: Hub, desk: reports_api.Desk) -> Packages:
    """What exports cases as evidence packages."""

    def redacted(viewer: Viewer, case: str) -> bytes:
        draft, _ = desk.drafts.get(viewer, case.removeprefix("incident--"))
        told = {name: draft.content[name] for name in _REDACTED if name in draft.content}
        return canonical({"case": case, "origin": draft.origin, **told})

    return Packages(
        hub.ledger,
        hub.heads.name,
        hub.heads.key,
        redacted,
        hub.registry.group,
        secrets.token_bytes,
    )


def takedowns_of(hub: Hub) -> Takedowns:
    """What drafts takedown requests."""

    def never(found: Observable) -> str | None:
        return hub.never_block.reason(found)

    return Takedowns(
        hub.ledger,
        lambda viewer, object_id: latest(hub.ledger, viewer, object_id),
        never,
        secrets.token_bytes,
    )


def denying_of(hub: Hub) -> Denying:
    """What takes signed denials in."""

    def current(code: str, name: str) -> bytes | None:
        known = hub.registry.offices.get(code, name)
        return known.current.public if known and known.current else None

    known = hub.denials.known
    return Denying(hub.ledger, hub.registry, current, known, hub.erasures.note)


def lookup_of(hub: Hub, shelf: Shelf) -> Lookup:
    """What answers whether the neighbours have seen something, or its like."""

    def active(found: Observable, rights: Sequence[int], exercise: bool) -> ActiveItem | None:
        return hub.active.named(found, rights, hub.ledger.now_us(), exercise=exercise)

    search = alike.Search(hub.alike, lambda named: _shared(hub, named))

    def denied(viewer: Viewer, prints: Fingerprints, exercise: bool) -> list[dict[str, Any]]:
        return shelf.about(viewer, prints, exercise=exercise)

    return Lookup(hub.ledger, search, active, hub.reader.examine, denied)


def campaigns_of(hub: Hub, lookup: Lookup, shelf: Shelf) -> Campaigns:
    """What answers which cases are variants of one another."""

    def denied(rights: Sequence[int], exercise: bool) -> Denied:
        matcher = shelf.matcher(rights, exercise=exercise)
        return lambda prints, case: [each for each, _ in matcher.about(prints, case)]

    return Campaigns(
        hub.ledger,
        hub.alike,
        lambda named: _shared(hub, named),
        lookup.catch_up,
        Truth(shelf.edition, denied, shelf.told),
    )


def report_desk(hub: Hub, lookup: Lookup) -> reports_api.Desk:
    """Where evidence becomes drafts, and drafts are published."""

    def like(viewer: Viewer, prints: Fingerprints, exercise: bool) -> list[alike.Match]:
        return lookup.of_prints(viewer, prints, exercise)

    return reports_api.Desk(
        hub.ledger,
        objects_api.Intake(hub.ledger, hub.registry, hub.defaults),
        hub.reader,
        lambda found: _never_blocked(hub, found),
        like,
        secrets.token_bytes,
    )


def _shared(hub: Hub, named: str) -> bool:
    """Whether a `type:value` is shared by strangers, so that it joins no two cases."""
    kind, _, value = named.partition(":")
    return _never_blocked(hub, Observable(kind, value)) is not None


def _never_blocked(hub: Hub, found: Observable) -> str | None:
    """Why a thing must never be blocked; names and ranges for documentation may be told."""
    return hub.never_block.reason(found, exercise=True)
