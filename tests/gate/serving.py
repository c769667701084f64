"""A named proxy at the gate: TH is served by SG for a while, and its drafts are seen by some."""

from __future__ import annotations

import datetime
import json
import secrets

from tests.gate.model import Said, Who
from tests.gate.world import World


def serving(world: World) -> list[Who]:
    """Who reports in another's name now."""
    return [who for who in world.people if who.serves and not who.ended]


def lend(world: World) -> None:
    """TH, by its own administrator, is served by SG, where both are there and it is not yet."""
    if not {"SG", "TH"} <= world.region.groups["region"] or serving(world):
        return
    order = {"member": "TH", "scopes": ["admin"]}
    key = json.loads(world.ask("POST", "/api/keys", world.operator, order).body)["key"]
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=9)
    paper = {"title": "Letter", "signed": "2026-11-01", "sha256": "0" * 64}
    consent = {"proxy": "SG", "until": then.strftime("%Y-%m-%dT%H:%M:%SZ"), **paper}
    answer = world.ask("POST", "/api/members/TH/proxy", Who("", key), consent)
    assert answer.status == 201, answer
    world.hire("SG for TH", "SG", person="deputy", scopes=("report", "read"), serves="TH")


def hand_back(world: World) -> None:
    """TH takes its affairs back."""
    assert world.ask("POST", "/api/members/TH/hand-back", world.operator).status == 200
    for who in serving(world):
        who.ended = True


def report(world: World, author: Who) -> None:
    """Evidence becomes a draft, which is shared with nobody but its own side."""
    word = f"e{secrets.token_hex(8)}"
    form = f"text={word}+verify+at+https://{word}.example.com/login&note={word}"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = world.ask("POST", "/api/reports", author, form.encode(), headers=headers)
    assert answer.status == 201, answer
    world.region.said.append(
        Said(
            json.loads(answer.body)["id"],
            author.person,
            author.filed_under,
            "red",
            set(),
            (),
            set(),
            exercise=False,
            secrets=(word,),
            kind="draft",
            number=len(world.region.said),
        )
    )
