"""API roots and their collections: saved questions, each under an id that never changes.

Those that every hub has are made here: everything, one for each AI vector, one for each
kind of consumer, and the exercises. An operator adds roots and collections of their own,
so that an existing community can move its ids to this hub.

Source: TAXII 2.1 sections 4.2 (API root), 5.1 and 5.2 (collections).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bayanihan.core.ai import VECTORS
from bayanihan.core.collection_order import ROLES, CollectionOrder, RootOrder
from bayanihan.core.marking import LEVELS, Viewer
from bayanihan.core.scope import require, require_if_signed_in
from bayanihan.errors import Refused
from bayanihan.readers.taxii.facts import CONSUMERS, facts_of
from bayanihan.readers.taxii.question import Question

# Ours, fixed for ever: the namespace from which the ids of built-in collections are made.
NAMESPACE = uuid.UUID("5d4c1f9e-64a4-5f0e-9d0b-6d2f0c4b7e11")
REGION = "region"
EXERCISE_PREFIX = "exercise-"

PUBLIC, OPERATOR, MEMBER, CONSTITUENT = ROLES
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_TYPE = re.compile(r"[a-z0-9][a-z0-9-]{0,249}")
_ORIGIN = re.compile(r"[A-Z]{2}(/[A-Za-z0-9-]{1,64})?")
_EVERYBODY = frozenset(ROLES)
_SIGNED_IN = _EVERYBODY - {PUBLIC}

_CONSUMER_TITLES = {
    "network": "For name servers, firewalls and proxies",
    "mail": "For mail filters",
    "endpoint": "For endpoints and servers",
    "analyst": "For people who read",
}


class Collection(msgspec.Struct, frozen=True):
    """One collection: the question it saves, and who may read it and write to it.

    `readers` and `writers` hold roles, member codes and origins. `terms` are what a
    submission to it is taken under, beside the key's own; `preload` is the file that it
    begins with.
    """

    id: str
    alias: str
    title: str
    description: str
    question: Question
    readers: frozenset[str] = _EVERYBODY
    writers: frozenset[str] = frozenset()
    terms: tuple[tuple[str, str], ...] = ()
    preload: str = ""

    def submission_terms(self) -> dict[str, Any]:
        """What a submission to it is taken under, whether it is an exercise included."""
        own: dict[str, Any] = dict(self.terms)
        return own | {"exercise": self.question.exercise, "collection": self.question.home}

    def shows(self, object_id: str, body: bytes) -> bool:
        """Whether an object that is submitted to it is one that it asks for."""
        asked = self.question
        if not (asked.types or asked.vectors or asked.consumers):
            return True
        facts = facts_of(object_id, body)
        return asked.asks(facts.type, facts.vector, facts.consumers, asked.home)

    def can_read(self, viewer: Viewer) -> bool:
        """Whether this caller may read it: what in it, their rights decide."""
        allowed = not viewer.key or "read" in viewer.scopes
        return allowed and bool(names_of(viewer) & self.readers)

    def can_write(self, viewer: Viewer) -> bool:
        """Whether this caller may submit to it; who serves a member reports with its drafts."""
        allowed = "report" in viewer.scopes and not viewer.serves
        return allowed and bool(names_of(viewer) & self.writers)

    def require_read(self, viewer: Viewer) -> None:
        """Let a caller pass who may read. Raises `Refused`."""
        require_if_signed_in(viewer, "read")
        if not self.can_read(viewer):
            raise _forbidden(viewer, "read this collection")

    def require_write(self, viewer: Viewer) -> None:
        """Let a caller pass who may write. Raises `Refused`."""
        require(viewer, "report")
        if not self.can_write(viewer):
            raise _forbidden(viewer, "write to this collection")


class Root(msgspec.Struct, frozen=True):
    """One API root: its name in the address, and its collections by id and by alias."""

    name: str
    title: str
    description: str
    collections: tuple[Collection, ...]

    def find(self, name: str) -> Collection:
        """The collection of an id or an alias. Raises `Refused("not-found")`."""
        for collection in self.collections:
            if name in (collection.id, collection.alias):
                return collection
        raise Refused("not-found", "There is no such collection in this API root")


def _forbidden(viewer: Viewer, what: str) -> Refused:
    if not viewer.key:
        return Refused("not-signed-in", f"A key is needed to {what}")
    step = "Choose a collection that says so, or ask the operator."
    return Refused("not-permitted", f"Your key may not {what}", next_step=step)


def names_of(viewer: Viewer) -> frozenset[str]:
    """What a caller goes by: a role, and for members the code and the origin."""
    if not viewer.key:
        return frozenset({PUBLIC})
    if not viewer.member:
        return frozenset({OPERATOR})
    role = CONSTITUENT if viewer.constituent else MEMBER
    return frozenset({role, viewer.member, viewer.origin})


def built_in(alias: str, title: str, description: str, question: Question) -> Collection:
    """A collection of every hub: the same id everywhere."""
    number = str(uuid.uuid5(NAMESPACE, alias))
    return Collection(number, alias, title, description, question)


def region() -> Root:
    """The API root that every hub has."""
    everything = built_in(
        "everything",
        "Everything",
        "All that you may see; submissions go here.",
        Question(),
    )
    exercises = built_in(
        f"{EXERCISE_PREFIX}everything",
        "Exercises",
        "Objects of exercises, and nothing real; what is submitted here is an exercise.",
        Question(exercise=True),
    )
    vectors = [
        built_in(
            f"vector-{vector}",
            f"AI-driven: {vector.replace('-', ' ').replace(' ai', ' AI')}",
            f"What states the AI vector {vector}; read only.",
            Question(vectors=frozenset({vector})),
        )
        for vector in VECTORS
    ]
    consumers = [
        built_in(
            f"for-{name}",
            _CONSUMER_TITLES[name],
            f"What {name} tools or people can act on; read only.",
            Question(consumers=number),
        )
        for name, number in CONSUMERS.items()
    ]
    open_ones = [
        msgspec.structs.replace(each, writers=_SIGNED_IN) for each in (everything, exercises)
    ]
    return Root(
        REGION,
        "The region",
        "The members' shared record of AI-driven threats.",
        tuple(sorted([*open_ones, *vectors, *consumers], key=lambda each: each.id)),
    )


def roots_of(orders: Sequence[RootOrder]) -> dict[str, Root]:
    """Every API root by its name: the region first, then the operator's.

    Raises:
        Refused: `bad-setting` for a name, an id or an alias that is used twice, for a
            question that nothing can answer, and for an exercise by another name.
    """
    roots = {REGION: region()}
    for order in orders:
        where = f"hub.toml: taxii.roots.{order.name}"
        _refuse_name(order.name, where)
        if order.name in roots:
            raise Refused("bad-setting", f"There are two roots {order.name!r}", where=where)
        collections = [_collection(each, where) for each in order.collections]
        ordered = tuple(sorted(collections, key=lambda each: each.id))
        roots[order.name] = Root(order.name, order.title, order.description, ordered)
        _refuse_repeated(ordered, where)
    return roots


def _refuse_repeated(collections: Sequence[Collection], where: str) -> None:
    names = [name for each in collections for name in (each.id, each.alias)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"Two collections of one root go by {twice[0]!r}"
        raise Refused("bad-setting", message, where=where)


def _collection(order: CollectionOrder, root: str) -> Collection:
    where = f"{root}.{order.alias}"
    _refuse_name(order.id, f"{where}.id")
    _refuse_name(order.alias, f"{where}.alias")
    for name in (*order.read, *order.write):
        if name not in ROLES and not _ORIGIN.fullmatch(name):
            message = f"{name!r} is no role ({', '.join(ROLES)}), member code or origin"
            raise Refused("bad-setting", message, where=where)
    if order.tlp and order.tlp not in LEVELS:
        raise Refused("bad-setting", f"{order.tlp!r} is no TLP level", where=f"{where}.tlp")
    if order.exercise != order.alias.startswith(EXERCISE_PREFIX):
        message = f"A collection of exercises, and no other, is named {EXERCISE_PREFIX}..."
        raise Refused("bad-setting", message, where=where)
    for kind in order.types:
        if not _TYPE.fullmatch(kind):
            raise Refused("bad-setting", f"{kind!r} is no type of object", where=f"{where}.types")
    _refuse_unknown(order.vectors, VECTORS, f"{where}.vectors")
    _refuse_unknown(order.consumers, CONSUMERS, f"{where}.consumers")
    terms: Mapping[str, str] = {"tlp": order.tlp, "group": order.group}
    question = Question(
        types=frozenset(order.types),
        vectors=frozenset(order.vectors),
        consumers=sum(CONSUMERS[name] for name in set(order.consumers)),
        home=order.id if order.own else "",
        exercise=order.exercise,
    )
    return Collection(
        order.id,
        order.alias,
        order.title,
        order.description,
        question,
        readers=frozenset(order.read),
        writers=frozenset(order.write),
        terms=tuple((name, value) for name, value in terms.items() if value),
        preload=order.preload,
    )


def _refuse_name(name: str, where: str) -> None:
    if not _NAME.fullmatch(name):
        message = f"{name!r} cannot stand in an address: letters, digits, dots and hyphens"
        raise Refused("bad-setting", message, where=where)


def _refuse_unknown(
    names: Sequence[str], known: Sequence[str] | Mapping[str, int], where: str
) -> None:
    for name in names:
        if name not in known:
            message = f"{name!r} is none of {', '.join(known)}"
            raise Refused("bad-setting", message, where=where)
