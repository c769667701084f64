"""Denials at the gate: a word that only some readers may see, beside what they may not see."""

from __future__ import annotations

import secrets
import uuid

from bayanihan.core.denial import Denial, sign
from bayanihan.core.signing import SigningKey, to_text
from tests.gate.model import Said, Who
from tests.gate.world import World

OFFICE = SigningKey(b"o" * 32)


def deny(world: World, author: Who, level: str) -> None:
    """An office of a member denies something, and all cases with it, to some readers."""
    word, office = f"d{secrets.token_hex(8)}", f"office-{author.member}".lower()
    order = {"office": office, "public": to_text(OFFICE.public)}
    path = f"/api/members/{author.member}/offices"
    assert world.ask("POST", path, world.operator, order).status == 201
    latest = world.region.said[-5:]
    said = Denial(
        id=f"denial--{uuid.uuid4()}",
        member=author.member,
        office=office,
        statement=word,
        at="2026-01-01T00:00:00Z",
        cases=tuple(sorted({one.object_id for one in latest if one.kind != "draft"}))
        or ("incident--00000000-0000-4000-8000-000000000000",),
    )
    body = {"document": sign(said, OFFICE), "tlp": level}
    answer = world.ask("POST", "/api/denials", author, body)
    assert answer.status == 201, answer
    amber = level.startswith("amber")
    world.region.said.append(
        Said(
            said.id,
            author.person,
            author.origin,
            level,
            set(world.region.groups["region"]) if amber else set(),
            ("region",) if amber else (),
            set(),
            exercise=False,
            secrets=(word,),
            kind="denial",
        )
    )
