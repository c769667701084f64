"""Every way out of a hub, taken from its own route table, and how to look through each.

An address that is not known here fails the gate: whoever adds an exit says here how it is
looked through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from litestar.handlers import ASGIRouteHandler

from bayanihan.app import handlers
from tests.gate.answer import Answer
from tests.gate.model import (
    Who,
    may_see,
    must_see,
    shown,
    shown_in_feed,
    shown_of_law,
    unnamed,
    words_of,
)
from tests.gate.world import World

FEEDS_AT_ONCE = 6
NOWHERE = "indicator--00000000-0000-4000-8000-000000000000"
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_TAXII = {"accept": "application/taxii+json;version=2.1"}

# What is sent to the addresses that change things: each is refused, or changes nothing.
# `own` says that the object ids named must not be the reader's own.
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/api/reports"): b"",
    ("PATCH", "/api/reports/{draft_id}"): {"note": ""},
    ("POST", "/api/reports/{draft_id}/publish"): None,
    ("DELETE", "/api/reports/{draft_id}"): None,
    ("POST", "/api/lookup"): b"",
    ("POST", "/api/cases/{object_id}/package"): {},
    ("POST", "/api/denials"): {"document": {}},
    ("POST", "/api/objects/{object_id}/takedown"): {
        "to": "abuse@host.example",
        "asks": {"org": "a", "contact": "a@b.example", "domain": "b.example"},
    },
    ("DELETE", "/api/denials/{denial_id}"): None,
    ("POST", "/api/members/{code}/offices"): {"office": "", "public": ""},
    ("DELETE", "/api/members/{code}/offices/{name}"): None,
    ("POST", "/api/objects"): lambda ids: {
        "objects": [{"type": "indicator", "id": i} for i in ids]
    },
    ("POST", "/api/objects/{object_id}/erase"): None,
    ("DELETE", "/api/objects/{object_id}"): None,
    ("POST", "/api/members/{code}/constituents"): {"name": ""},
    ("POST", "/api/members/{code}/leave"): None,
    ("POST", "/api/members/{code}/join"): None,
    ("POST", "/api/members/{code}/protection"): {"shown": True},
    ("POST", "/api/groups/{name}"): {"members": ["XX"]},
    ("POST", "/api/keys"): {"scopes": ["none"]},
    ("DELETE", "/api/keys/{key_id}"): None,
    ("POST", "/api/keys/{key_id}/agents/{public}"): None,
    ("POST", "/api/members/{code}/proxy"): {
        "proxy": "",
        "title": "",
        "signed": "",
        "sha256": "",
        "until": "",
    },
    ("POST", "/api/members/{code}/hand-back"): None,
    ("POST", "/api/members/{code}/assets"): {"asset": ""},
    ("DELETE", "/api/members/{code}/assets"): None,
    ("POST", "/api/members/{code}/own-list"): {"entry": ""},
    ("DELETE", "/api/members/{code}/own-list"): None,
    ("POST", "/api/rulings"): {"act": "", "value": ""},
    ("POST", "/api/disputes"): {"value": "", "reason": ""},
    ("POST", "/api/match/lookups"): {"type": "", "value": ""},
    ("POST", "/api/match/traces"): {"lines": [], "reason": ""},
    ("POST", "/rulings"): None,
    ("DELETE", "/api/disputes/{dispute_id}"): None,
    ("POST", "/api/keys/{key_id}/rotate"): {},
    ("POST", "/api/keys/{key_id}/limits"): {},
    ("POST", "/api/receipts"): {"receipt": {}},
    ("POST", "/api/attestations"): {},
    ("POST", "/api/trials"): {},
    ("PUT", "/api/trials/{trial_id}/files/{name}"): {},
    ("POST", "/api/trials/{trial_id}/open"): {},
    ("DELETE", "/api/trials/{trial_id}"): None,
    ("POST", "/api/trials/{trial_id}/leases"): {},
    ("POST", "/api/trials/{trial_id}/leases/{lease_id}"): {},
    ("POST", "/api/law/classify"): {},
    ("POST", "/api/law/duties"): {},
    ("POST", "/api/law/adopt"): {"clause": "model/incident/first", "systems": "registered"},
    ("POST", "/api/law/clocks"): {},
    ("POST", "/api/law/assess"): {"facts": {}},
    ("POST", "/api/law/register"): {},
    ("POST", "/api/law/register/{record_id}/withdraw"): {"other": ""},
    ("DELETE", "/api/law/drafts/{record_id}"): None,
    ("POST", "/api/law/incidents"): {},
    ("POST", "/api/law/filings/{record_id}/file"): {"other": ""},
    ("POST", "/api/law/filings/{record_id}/acknowledge"): {"reference": ""},
    ("POST", "/api/law/cases"): {},
    ("POST", "/api/law/attestations/{digest}/judge"): {"state": "none"},
    ("POST", "/api/law/cases/{record_id}/steps"): {"step": "none"},
    ("POST", "/dispute"): b"value=&reason=",
    ("POST", "/reports"): b"",
    ("POST", "/reports/{draft_id}"): b"act=none",
    ("POST", "/sign-in"): b"key=byn_nobody_nothing",
    ("POST", "/sign-out"): None,
    ("POST", "/taxii2/{root}/collections/{name}/objects"): {"objects": [{"type": "indicator"}]},
    ("DELETE", "/taxii2/{root}/collections/{name}/objects/{object_id}"): None,
}
QUESTIONS = {
    "/api/checkpoint/consistency": "?old=1&new=2",
    "/api/objects": "?limit=1000",
    "/api/stream": "",
    "/api/law/register": "?view=authority",
    "/api/law/diff": "?before=eu-ai-act@2026-07-26&after=eu-ai-act@2026-07-27",
}
# TAXII is asked in more ways: every version, and page by page, so that cursors are looked at.
TAXII_QUESTIONS = {
    "/taxii2/{root}/collections/{name}/objects": ("", "?match[version]=all&limit=1"),
    "/taxii2/{root}/collections/{name}/manifest": ("", "?match[version]=first&limit=2"),
}


@dataclass(frozen=True)
class Exit:
    """One address with one method. `endless` answers do not end by themselves."""

    method: str
    path: str
    endless: bool = False

    @property
    def is_feed(self) -> bool:
        return self.path in ("/feeds/{feed}", "/api/feeds")

    @property
    def is_law(self) -> bool:
        return self.path.startswith(("/api/law", "/law"))

    @property
    def is_page(self) -> bool:
        return not self.path.startswith(("/api", "/taxii2", "/feeds/", "/health", "/metrics"))


def exits_of(world: World) -> list[Exit]:
    """The exits that the hub says it has."""
    found = []
    for handler in handlers(world.hub):
        for path in handler.paths:
            plain = _PARAMETER.sub(lambda match: f"{{{match[1]}}}", path)
            if isinstance(handler, ASGIRouteHandler):
                found.append(Exit("GET", plain, endless=True))
            else:
                found += [Exit(str(each), plain) for each in sorted(handler.http_methods)]
    return sorted(set(found), key=lambda each: (each.path, each.method))


@dataclass
class Feeds:
    """The feeds that were looked into, and which is next, over all worlds."""

    names: set[str] = field(default_factory=set)
    turn: int = 0


@dataclass
class Look:
    """What one look through the exits found and counted."""

    world: World
    feeds: Feeds = field(default_factory=Feeds)
    visited: set[Exit] = field(default_factory=set)
    triples: int = 0
    taxii: int = 0

    def all(self, readers: list[Who]) -> None:
        """Look through every exit as every reader."""
        self.world.settle()
        every = exits_of(self.world)
        for who in readers:
            for exit_ in every:
                self.through(exit_, who)
            self.completely(who)
            self.counted(who)

    def through(self, exit_: Exit, who: Who) -> None:
        """Look through one exit as one reader, by key, and by session where there is one."""
        for path, body in self._requests(exit_, who):
            headers = dict(_TAXII) if exit_.path.startswith("/taxii2") else {}
            if headers and exit_.method != "GET":
                headers["content-type"] = headers["accept"]
            answer = self.world.ask(
                exit_.method, path, who, body, headers=headers, endless=exit_.endless
            )
            self._judge(exit_, who, path, body, answer)
            if exit_.is_page and exit_.method == "GET" and who.cookie:
                answer = self.world.ask(exit_.method, path, who, by_cookie=True)
                # A session ends with its key: then it is the public that looks.
                seen_as = self.world.people[0] if who.ended else who
                self._judge(exit_, seen_as, path, body, answer)
        self.visited.add(exit_)

    def _requests(self, exit_: Exit, who: Who) -> Iterator[tuple[str, bytes]]:
        names = _PARAMETER.findall(exit_.path)
        place = (exit_.method, exit_.path)
        assert exit_.method in ("GET", "HEAD") or place in BODIES, f"no way to visit {exit_}"
        values = [self._values(exit_, name, who) for name in names]
        for chosen in product(*values):
            path = exit_.path.format(**dict(zip(names, chosen, strict=True)))
            path += "/" if path.startswith("/taxii2") else ""
            body = BODIES.get(place, b"")
            question = QUESTIONS.get(exit_.path, "")
            if exit_.path == "/api/lookup":
                question, body = self._asked_for(exit_.method)
            asked = TAXII_QUESTIONS.get(exit_.path) if exit_.method == "GET" else None
            for each in asked or (question,):
                yield path + each, self._encoded(body, who)

    def _asked_for(self, method: str) -> tuple[str, bytes]:
        """Everything that was said, asked after: whoever may not see it is told of none."""
        said = self.world.region.said[:40]
        names = " ".join(f"{word}.example.com" for each in said for word in each.secrets) or "no"
        return ("", names.encode()) if method == "POST" else (f"?q={names}", b"")

    def _encoded(self, body: Any, who: Who) -> bytes:
        if callable(body):
            body = body(self._others_ids(who))
        if body is None or isinstance(body, bytes):
            return body or b""
        return json.dumps(body).encode()

    def _others_ids(self, who: Who) -> list[str]:
        sides = (who.origin, who.filed_under)
        own = {said.object_id for said in self.world.region.said if said.origin in sides}
        return [*sorted({said.object_id for said in self.world.region.said} - own), NOWHERE]

    def _values(self, exit_: Exit, name: str, who: Who) -> list[str]:
        region, hub = self.world.region, self.world.hub
        if name == "object_id":
            if exit_.method != "GET":
                return self._others_ids(who)
            return [*sorted({said.object_id for said in region.said}), NOWHERE]
        if name == "feed":
            return self._some_feeds(1 if exit_.method == "HEAD" else FEEDS_AT_ONCE)
        if name == "record_id":
            kept = [said.object_id for said in region.said if said.kind == "law"]
            return [*kept, "case--none"] if exit_.method == "GET" else ["case--none"]
        if name == "campaign_id":  # a case leads to its campaign
            return [*sorted({said.object_id for said in region.said}), NOWHERE]
        if name == "draft_id":
            drafts = [said for said in region.said if said.kind == "draft"]
            if exit_.method != "GET":  # the others' alone: one's own would change
                drafts = [said for said in drafts if not may_see(who, said)]
            return [*(said.object_id for said in drafts), "nothing"]
        known = {
            "code": ["TH" if exit_.method == "GET" and "/proxy" in exit_.path else "XX"],
            "digest": ["sha256:00"],
            "denial_id": ["nothing"],
            "key_id": ["nobody"],
            "public": ["00"],
            "root": list(hub.taxii.roots),
            "trial_id": ["nothing"],
            "lease_id": ["nothing"],
            "contestant": ["0"],
            "dispute_id": ["nothing"],
            "status_id": ["00000000-0000-4000-8000-000000000000"],
        }
        if name == "name":
            if exit_.path.startswith("/taxii2"):
                shelves = [shelf.alias for shelf in hub.taxii.roots["region"].collections]
                return shelves[:1] if "object_id" in exit_.path else shelves
            return ["style.css"] if exit_.path.startswith("/static") else ["region"]
        assert name in known, f"no way to fill {{{name}}} of {exit_}"
        return known[name]

    def _some_feeds(self, count: int) -> list[str]:
        """The next few feeds: each is made anew for each reader."""
        feeds = sorted(self.world.hub.press.feeds)
        chosen = [feeds[(self.feeds.turn + step) % len(feeds)] for step in range(count)]
        self.feeds.turn += count
        self.feeds.names.update(chosen)
        return chosen

    def _judge(self, exit_: Exit, who: Who, path: str, body: bytes, answer: Answer) -> None:
        region = self.world.region
        assert answer.status < 500, (exit_, who.name, path, answer)
        assert answer.status != 429 or who.ended, "who is turned away looks at nothing"
        allowed: set[str] = set()
        if exit_.is_feed:
            if not who.key or "feed" in who.scopes:
                allowed = shown_in_feed(who, region, exercise="exercise-" in path)
                if exit_.path == "/api/feeds":  # says of each feed what it lacks, of both kinds
                    allowed |= shown_in_feed(who, region, exercise=True)
        elif exit_.is_law:
            allowed = shown_of_law(who, region)
        elif not who.key or "read" in who.scopes:
            allowed = shown(who, region)
        everything, sent = answer.everything, path.encode() + body
        # The law's record is filed in one's own name, and keys are managed.
        if not exit_.is_law and exit_.path != "/api/keys":
            for name in unnamed(who, region):
                told = name.encode()
                assert told not in everything or told in sent, (
                    f"{who.name} was told of {name} by {exit_.method} {path}"
                )
        for word in words_of(region) - allowed:
            told = word.encode()
            assert told not in everything or told in sent, (
                f"{who.name} was shown {word} by {exit_.method} {path}"
            )
        about = len({said.object_id for said in region.said})
        self.triples += about
        self.taxii += about if exit_.path.startswith("/taxii2") else 0

    def counted(self, who: Who) -> None:
        """A campaign counts no case that the reader may not see, and each that they must."""
        if who.ended or (who.key and "read" not in who.scopes):
            return
        for exercise in (False, True):
            asked = f"/api/campaigns?exercise={str(exercise).lower()}"
            told = json.loads(self.world.ask("GET", asked, who).body)
            here = [
                said
                for said in self.world.region.said
                if said.kind == "object" and said.exercise == exercise and not said.erased
                if said.level != "red" and said.object_id.startswith("indicator")
            ]
            may = {(each.origin, each.object_id) for each in here if may_see(who, each)}
            taken = {e.object_id for e in self.world.region.said if e.kind == "withdrawn"}
            must = {
                (each.origin, each.object_id)
                for each in here
                if must_see(who, each) and each.object_id not in taken
            }
            assert len(must) <= told["cases"] <= len(may), (who.name, told)
            in_one = sum(each["cases"] for each in told["campaigns"])
            assert in_one == (told["cases"] if told["cases"] > 1 else 0)

    def completely(self, who: Who) -> None:
        """What a reader may see is there: without this, a hub that shows nothing would pass."""
        if who.ended or (who.key and "read" not in who.scopes):
            return
        asked = "/api/objects?limit=1000"
        pages = [self.world.ask("GET", asked + more, who) for more in ("", "&exercise=true")]
        for said in self.world.region.said:
            if said.kind == "object" and not said.erased and must_see(who, said):
                body = pages[said.exercise].body
                assert said.raw in body, f"{who.name} was not shown {said.secrets}"
