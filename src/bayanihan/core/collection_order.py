"""API roots and collections as an operator orders them in `hub.toml`, under `[taxii]`."""

from __future__ import annotations

import msgspec

ROLES = ("public", "operator", "member", "constituent")


class CollectionOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One collection.

    With `own` it holds what was submitted to it and nothing else; `types`, `vectors` and
    `consumers` narrow it. `read` and `write` list roles, member codes or origins. `tlp` and
    `group` are for what comes unmarked; `preload` names a file that it begins with.
    """

    id: str
    alias: str
    title: str
    description: str = ""
    own: bool = False
    types: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    consumers: tuple[str, ...] = ()
    exercise: bool = False
    read: tuple[str, ...] = ROLES
    write: tuple[str, ...] = ()
    tlp: str = ""
    group: str = ""
    preload: str = ""


class RootOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One API root."""

    name: str
    title: str
    description: str = ""
    collections: tuple[CollectionOrder, ...] = ()


class TaxiiOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole table `[taxii]`.

    `max_content_length` is in bytes. `takes_stix` accepts submissions that call themselves
    `application/stix+json`, as one widely used client does; each is noted in the log.
    """

    title: str = "Bayanihan"
    description: str = ""
    contact: str = ""
    max_content_length: int = 16 * 1024 * 1024
    takes_stix: bool = True
    roots: tuple[RootOrder, ...] = ()
