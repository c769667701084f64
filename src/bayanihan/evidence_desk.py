"""Wires what evidence passes through: the reader, the drafts, and the search for its like."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from bayanihan.core.fingerprint import Fingerprints
from bayanihan.core.marking import Viewer
from bayanihan.core.observables import Observable
from bayanihan.hub import Hub
from bayanihan.intake import objects_api, reports_api
from bayanihan.readers import alike
from bayanihan.readers.active import ActiveItem
from bayanihan.readers.alike.api import Lookup
from bayanihan.readers.alike.campaigns import Campaigns


def lookup_of(hub: Hub) -> Lookup:
    """What answers whether the neighbours have seen something, or its like."""

    def active(found: Observable, rights: Sequence[int], exercise: bool) -> ActiveItem | None:
        return hub.active.named(found, rights, hub.ledger.now_us(), exercise=exercise)

    search = alike.Search(hub.alike, lambda named: _shared(hub, named))
    return Lookup(hub.ledger, search, active, hub.reader.examine)


def campaigns_of(hub: Hub, lookup: Lookup) -> Campaigns:
    """What answers which cases are variants of one another."""
    return Campaigns(hub.ledger, hub.alike, lambda named: _shared(hub, named), lookup.catch_up)


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
