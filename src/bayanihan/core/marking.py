"""Who may see what: TLP 2.0 as a rule over viewers and audiences.

An `Audience` is fixed when an entry is appended; a `Viewer` is whoever reads now. The
one question, `may_see`, is a pure function of the two, and it is monotone: for one
viewer, what was hidden once stays hidden. Groups are therefore part of an audience *as
they were constituted* at the append, with a version, and a member that leaves loses
every version up to then for good.

Source: FIRST Traffic Light Protocol 2.0; OASIS STIX 2.1 section 7.2 and the TLP 2.0
extension of the STIX common objects.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

LEVELS = ("clear", "green", "amber", "amber+strict", "red")
STRICTNESS = {level: rank for rank, level in enumerate(LEVELS)}

REGION = "region"

TLP_2_IDS = {
    "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
TLP_1_IDS = {
    "clear": "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
    "green": "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
    "amber": "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
    "red": "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
}
LEVEL_OF_ID = {ref: level for ids in (TLP_1_IDS, TLP_2_IDS) for level, ref in ids.items()}

# Ours, fixed for ever: the namespace from which a group's marking id is derived.
GROUP_NAMESPACE = uuid.UUID("0d3dd8d2-7d9e-5c86-9a53-6f2f0f0a6b11")


def group_marking_id(name: str) -> str:
    """The marking-definition id that limits an object to the group `name`."""
    return f"marking-definition--{uuid.uuid5(GROUP_NAMESPACE, name)}"


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named set of members as constituted: each joining or leaving is a new version."""

    name: str
    version: int
    members: tuple[str, ...]


class Audience(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may see an entry.

    `level` is one of `LEVELS`. With `amber` and `amber+strict` a member must be in *every*
    group of `groups`. `persons` may see it whatever the level; RED has nobody else.
    """

    level: str
    groups: tuple[Group, ...] = ()
    persons: tuple[str, ...] = ()

    def members(self) -> frozenset[str]:
        """The members that every group has in common, as constituted."""
        if not self.groups:
            return frozenset()
        return frozenset.intersection(*(frozenset(group.members) for group in self.groups))


class Viewer(msgspec.Struct, frozen=True):
    """Whoever reads.

    `key` and `person` are ids; `member` is a member's code or "" for the operator;
    `constituent` is "" for the member's own staff. `lost` pairs a group's name with the
    last version of it that this viewer's member lost by leaving. An unauthenticated reader
    is `PUBLIC`.

    A named proxy's officer reads as any of their own member's staff, and reports in the name
    of the member that they serve: `serves` is its code, `serves_since_us` when that began.
    """

    key: str = ""
    person: str = ""
    member: str = ""
    constituent: str = ""
    scopes: frozenset[str] = frozenset()
    lost: tuple[tuple[str, int], ...] = ()
    serves: str = ""
    serves_since_us: int = 0

    @property
    def origin(self) -> str:
        """Whose this viewer is: what their own submissions are filed under."""
        if not self.member:
            return "HUB" if self.key else ""
        return f"{self.member}/{self.constituent}" if self.constituent else self.member

    @property
    def filed_under(self) -> str:
        """The origin of what this viewer reports: of the member that they serve, or their own."""
        return self.serves or self.origin

    @property
    def voice(self) -> str:
        """Who speaks: the origin, or both names where one serves another."""
        return f"{self.origin} for {self.serves}" if self.serves else self.origin


PUBLIC = Viewer()


def viewer_in(scope: Mapping[str, Any]) -> Viewer:
    """Whoever makes a request, as the entrance wrote it into the request's ASGI scope.

    Raises:
        KeyError: for a scope that did not come through the entrance.
    """
    viewer: Viewer = scope["viewer"]
    return viewer


def voice_of(origin: str, author: str) -> str:
    """Who spoke in an entry: its origin, or both names (`TH for TL`) where another served it.

    Persons are named below their voice, and no other name of theirs can hold a blank.
    """
    voice = author.partition("/")[0]
    return voice if voice.endswith(f" for {origin}") else origin


def house_of(origin: str) -> str:
    """Whose an origin is, as everybody is told: the member (`TH` of `TH/bank`), or `HUB`."""
    return origin.partition("/")[0]


def told_origin(viewer: Viewer, origin: str) -> str:
    """An origin as a viewer is told it.

    Which of its constituents reported is for a member's own staff and for that constituent;
    everybody else, the operator too, is told the member.
    """
    house = house_of(origin)
    own_staff = viewer.member == house and not viewer.constituent
    return origin if own_staff or viewer.origin == origin else house


def may_see(viewer: Viewer, audience: Audience) -> bool:
    """Whether `viewer` may see an entry of `audience`. `admin` confers nothing here."""
    if audience.level == "clear":
        return True
    if not viewer.key:
        return False
    if audience.level == "green" or (viewer.person and viewer.person in audience.persons):
        return True
    if audience.level == "red" or not viewer.member:
        return False
    if audience.level == "amber+strict" and viewer.constituent:
        return False
    for name, version in viewer.lost:
        if any(group.name == name and group.version <= version for group in audience.groups):
            return False
    return viewer.member in audience.members()


def canonical(audience: Audience) -> Audience:
    """The one spelling of an audience: groups, their members and persons sorted, each once."""
    groups = {
        (group.name, group.version, tuple(sorted(set(group.members)))) for group in audience.groups
    }
    return Audience(
        audience.level,
        tuple(Group(name, version, members) for name, version, members in sorted(groups)),
        tuple(sorted(set(audience.persons))),
    )


def strictest(levels: Collection[str]) -> str:
    """The strictest of one or more levels."""
    return max(levels, key=STRICTNESS.__getitem__)


def admitting(audience: Audience, author: Viewer) -> Audience:
    """`audience`, widened by its author alone where the author could not see it.

    An author always sees their own entries, and RED is the author and those named.
    """
    if author.person and not may_see(author, audience):
        persons = tuple(sorted({*audience.persons, author.person}))
        return Audience(audience.level, audience.groups, persons)
    return audience


def effective(
    refs: Collection[str],
    *,
    statements: Collection[str],
    groups: Mapping[str, str],
    unmarked: str,
    default: str,
) -> tuple[str, tuple[str, ...]]:
    """The level and the group names that a set of marking references amounts to.

    Args:
        refs: marking-definition ids of the object, granular ones included.
        statements: ids known to be statements, which restrict nothing.
        groups: group marking id -> group name.
        unmarked: the level of an object that carries no level of its own.
        default: the level that an unknown marking counts as.

    Returns:
        The strictest level, and the names of the groups to intersect, sorted; () means
        that the object names none and the submitter's default group applies.
    """
    levels: list[str] = []
    names: set[str] = set()
    for ref in refs:
        level = LEVEL_OF_ID.get(ref)
        if level is not None:
            levels.append(level)
        elif ref in groups:
            names.add(groups[ref])
        elif ref not in statements:
            levels.append(default)
    if names and not levels:
        levels.append(default)
    return (strictest(levels) if levels else unmarked), tuple(sorted(names))
