"""The first start: eleven members from data, the region, and the operator's key."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files

import msgspec

from bayanihan.core.marking import Viewer
from bayanihan.registry.changes import KeyAdded, MemberAdded, RegistryChange
from bayanihan.registry.keys import SCOPES, make_key

FOUNDER = Viewer(key="founding", person="founding")


class MemberFact(msgspec.Struct, frozen=True):
    """A member as data: the facts, and where they were found."""

    code: str
    name: str
    cert: str
    languages: tuple[str, ...]
    sources: tuple[str, ...]


class _MemberFile(msgspec.Struct):
    as_of: str
    note: str
    members: tuple[MemberFact, ...]


@cache
def member_facts() -> tuple[MemberFact, ...]:
    """The eleven members of the shipped file, in the order of their codes."""
    text = files("bayanihan.registry").joinpath("members.json").read_bytes()
    return msgspec.json.decode(text, type=_MemberFile).members


def founding_changes(
    at_us: int, entropy: Callable[[int], bytes]
) -> tuple[list[RegistryChange], str]:
    """The changes that found a hub, and the text of the operator's key."""
    members: list[RegistryChange] = [
        MemberAdded(at_us, fact.code, fact.name, fact.cert, fact.languages)
        for fact in member_facts()
    ]
    key_id, text, digest = make_key(entropy)
    admin = KeyAdded(
        at_us,
        id=key_id,
        digest=digest.hex(),
        member="",
        constituent="",
        person="operator",
        label="admin",
        scopes=SCOPES,
        level="amber+strict",
        group="region",
    )
    return [*members, admin], text
