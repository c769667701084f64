"""A hub in this process, the people who act in it, and the model that watches."""

from __future__ import annotations

import asyncio
import atexit
import json
import secrets
import tempfile
import time
import uuid
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from litestar.exceptions import LitestarDeprecationWarning

from bayanihan.app import create_app
from bayanihan.commands.verify import verified
from bayanihan.config import Settings
from bayanihan.core.entrance_order import LimitsOrder
from bayanihan.core.fingerprint import EXTENSION_ID as FINGERPRINTS
from bayanihan.core.marking import TLP_1_IDS, TLP_2_IDS, group_marking_id
from bayanihan.hub import Hub
from bayanihan.intake.evidence import Reader
from bayanihan.registry import SCOPES
from tests.gate.answer import Answer
from tests.gate.model import Region, Said, Who, may_see, must_see

MEMBERS = ("SG", "VN", "TH")
GROUPS = {"pair": ("SG", "VN"), "trio": ("SG", "TH", "VN"), "one": ("TH",)}
READING = ("report", "read", "feed", "receipt", "notice")
UNKNOWN_MARKING = "marking-definition--7d3f9f0c-2f0d-4f39-9d52-6f5b6d0c5a11"
QUIET_TURNS = 40
TOGETHER = "together.example"
# Whoever is turned away looks at nothing.
UNLIMITED = LimitsOrder(1_000_000, 1_000, public_requests_per_s=1_000_000)


class SharedReader(Reader):
    """One process that reads evidence for all worlds: it keeps nothing between two files."""

    def stop(self) -> None:
        """A world that closes leaves it running; it ends with the tests."""


READER = SharedReader()
atexit.register(super(SharedReader, READER).stop)


class World:
    """Opens a hub with its people; `close` it at the end.

    Args:
        store: where its record is; "" for a file.
    """

    def __init__(self, store: str = "") -> None:
        self._closing = ExitStack()
        self._store = store
        try:
            self._open()
        except BaseException:
            self._closing.close()
            raise

    def _open(self) -> None:
        folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory()))
        # What an engine thinks of a file is no question of who may see it, and takes long.
        settings = Settings(engines=False, limits=UNLIMITED, store=self._store)
        self.hub = Hub(folder / "data", settings, READER)
        self._closing.callback(self.hub.close)
        with warnings.catch_warnings():
            # The framework will want parameters declared in another way one day.
            warnings.simplefilter("ignore", LitestarDeprecationWarning)
            self.app = create_app(self.hub)
        self.runner = self._closing.enter_context(asyncio.Runner())
        self.runner.run(self._start())
        self._closing.callback(lambda: self.runner.run(self._stop()))
        codes = set(self.hub.registry.members)
        self.region = Region({"region": codes})
        self.operator = Who(
            "operator", self.hub.new_admin_key, "operator", scopes=frozenset(SCOPES)
        )
        self.people: list[Who] = [Who("public"), self.operator]
        for name, members in GROUPS.items():
            self.set_group(name, set(members))
        for code in MEMBERS:
            self.arrive(code)
        self.hire("regulator", "SG", scopes=("regulate",))
        self.hire("authority", "SG", person="judge", scopes=("regulate", "read"))
        self.hire("authority there", "VN", person="judge", scopes=("regulate", "read"))
        self.hire("firewall", "VN", scopes=("feed",))
        self.sign_in(self.operator)

    async def _start(self) -> None:
        self.hub.broadcast.start()
        self.hub.heads.start()

    async def _stop(self) -> None:
        await self.hub.broadcast.stop()
        await self.hub.heads.stop()

    def close(self) -> None:
        """End the hub; the checker must find its record whole."""
        with self._closing:
            assert verified(self.hub.folder, self._store).faults == []

    # speaking to the hub

    async def asked(
        self, method: str, path: str, headers: dict[str, str], body: bytes, *, endless: bool
    ) -> Answer:
        """One request straight to the application; an endless answer is left when it rests."""
        gone, started = asyncio.Event(), [False]
        sent: list[Any] = []

        async def receive() -> Any:
            if not started[0]:
                started[0] = True
                return {"type": "http.request", "body": body, "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        place, _, question = path.partition("?")
        scope: Any = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "method": method,
            "path": place,
            "raw_path": place.encode(),
            "query_string": question.encode(),
            "root_path": "",
            "scheme": "http",
            "http_version": "1.1",
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8420),
            "extensions": {},
            "state": {},
        }
        running = asyncio.ensure_future(self.app(scope, receive, send))
        quiet = 0
        while endless and not running.done() and quiet < QUIET_TURNS:
            before = len(sent)
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(sent) == before else 0
        if endless:
            gone.set()
        await running
        chunks = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(sent[0]["status"], list(sent[0].get("headers", [])), chunks)

    def ask(
        self,
        method: str,
        path: str,
        who: Who | None = None,
        body: Any = b"",
        *,
        by_cookie: bool = False,
        endless: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        headers = {"host": "hub", "content-type": "application/json", **(headers or {})}
        if who and by_cookie:
            headers["cookie"] = who.cookie
        elif who and who.key:
            headers["authorization"] = f"Bearer {who.key}"
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        # Each `Runner.run` would handle the interrupt anew, which takes longer than most answers.
        asked = self.asked(method, path, headers, data, endless=endless)
        return self.runner.get_loop().run_until_complete(asked)

    def settle(self) -> None:
        """Wait until every projection stands where the ledger does."""
        until_s = time.monotonic() + 20
        while any(map(self.hub.folding.lag, self.hub.folding.projections)):
            assert time.monotonic() < until_s, "the projections do not come up"
            time.sleep(0.002)

    # people

    def hire(
        self,
        name: str,
        member: str,
        constituent: str = "",
        person: str = "",
        scopes: tuple[str, ...] = READING,
        serves: str = "",
    ) -> Who:
        order = {"member": member, "constituent": constituent, "person": person}
        order |= {"serves": serves} if serves else {}
        answer = self.ask("POST", "/api/keys", self.operator, {**order, "scopes": list(scopes)})
        assert answer.status == 201, answer
        made = json.loads(answer.body)
        who = Who(name, made["key"], made["person"], member, constituent, frozenset(scopes))
        who.serves, who.serves_from = serves, len(self.region.said)
        self.people.append(who)
        self.sign_in(who)
        return who

    def arrive(self, code: str) -> None:
        """The people of a member: two of its staff, and one at a constituent."""
        if code not in self.region.constituents:
            bank = self.region.constituents[code] = f"bank{secrets.token_hex(8)}"
            path = f"/api/members/{code}/constituents"
            assert self.ask("POST", path, self.operator, {"name": bank}).status == 201
        self.hire(f"{code} first", code, person="first")
        self.hire(f"{code} second", code, person="second")
        self.hire(f"{code} bank", code, self.region.constituents[code], person="clerk")

    def sign_in(self, who: Who) -> None:
        form = {"content-type": "application/x-www-form-urlencoded", "origin": "http://hub"}
        answer = self.ask("POST", "/sign-in", None, f"key={who.key}".encode(), headers=form)
        cookies = [value for name, value in answer.headers if name.lower() == b"set-cookie"]
        if "read" in who.scopes:
            assert answer.status == 303, answer
            who.cookie = cookies[0].decode().partition(";")[0]

    @property
    def authors(self) -> list[Who]:
        return [who for who in self.people if "report" in who.scopes and not who.ended]

    # what happens

    def set_group(self, name: str, members: set[str]) -> None:
        here = sorted(members & self.region.groups["region"])
        answer = self.ask("POST", f"/api/groups/{name}", self.operator, {"members": here})
        assert answer.status == 200, answer
        self.region.set_group(name, set(here))

    def leave(self, code: str) -> None:
        assert self.ask("POST", f"/api/members/{code}/leave", self.operator).status == 200
        self.region.leave(code)
        for who in self.people:
            who.ended |= code in (who.member, who.serves)

    def join(self, code: str) -> None:
        assert self.ask("POST", f"/api/members/{code}/join", self.operator).status == 200
        self.region.join(code)
        self.arrive(code)

    def submit(
        self,
        author: Who,
        marks: list[str],
        granular: list[str],
        *,
        tlp: str = "",
        group: str = "",
        to: str = "",
        exercise: bool = False,
        over: Said | None = None,
    ) -> None:
        """Say something new, or a later version of what was said before."""
        token, label = f"n{secrets.token_hex(8)}", f"v{secrets.token_hex(8)}"
        version = sum(1 for said in self.region.said if over and said.object_id == over.object_id)
        one: dict[str, Any] = {
            "type": "indicator",
            "spec_version": "2.1",
            "id": over.object_id if over else f"indicator--{uuid.uuid4()}",
            "created": "2026-01-01T00:00:00.000Z",
            "modified": f"2026-01-02T00:00:00.{version:03}Z",
            "name": token,
            "description": f"about {token}",
            "indicator_types": ["malicious-activity"],
            "pattern": f"[domain-name:value = '{label}.example.com']",
            "pattern_type": "stix",
            "valid_from": "2026-01-01T00:00:00Z",
            "extensions": {
                FINGERPRINTS: {
                    "extension_type": "property-extension",
                    # The second joins all cases to one campaign, of which nobody counts too much.
                    "infrastructure": [f"domain:{label}.example.com", f"domain:{TOGETHER}"],
                }
            },
        }
        words = self._marking(author) if "words" in marks + granular else ""
        if marks:
            one["object_marking_refs"] = [self._ref(mark, words) for mark in marks]
        if granular:
            one["granular_markings"] = [
                {"marking_ref": self._ref(mark, words), "selectors": ["name"]} for mark in granular
            ]
        raw = json.dumps(one).encode()
        every = marks + granular
        secret = (token, label, words) if words else (token, label)
        self._push(author, raw, one["id"], secret, every, tlp, group, to, exercise)

    def _ref(self, mark: str, words: str) -> str:
        if mark.startswith("group:"):
            return group_marking_id(mark[6:])
        if mark == "words":
            return words
        if mark == "other":
            return UNKNOWN_MARKING
        return TLP_2_IDS[mark] if secrets.randbelow(2) or mark not in TLP_1_IDS else TLP_1_IDS[mark]

    def _marking(self, author: Who) -> str:
        """A statement by the author: it restricts nothing of theirs."""
        ref = f"marking-definition--{uuid.uuid4()}"
        one = {
            "type": "marking-definition",
            "spec_version": "2.1",
            "id": ref,
            "created": "2026-01-01T00:00:00.000Z",
            "definition_type": "statement",
            "definition": {"statement": f"s{secrets.token_hex(8)}"},
        }
        raw = json.dumps(one).encode()
        self._push(author, raw, ref, (one["definition"]["statement"],), [], "", "", "", False)  # type: ignore[index]
        return ref

    def _push(
        self,
        author: Who,
        raw: bytes,
        object_id: str,
        words: tuple[str, ...],
        marks: list[str],
        tlp: str,
        group: str,
        to: str,
        exercise: bool,
    ) -> None:
        params = {"tlp": tlp, "group": group, "to": to, "exercise": str(exercise).lower()}
        question = "&".join(f"{name}={value}" for name, value in params.items() if value)
        question = question.replace("+", "%2B").replace("/", "%2F")
        answer = self.ask("POST", f"/api/objects?{question}", author, raw)
        member = author.member or "HUB"
        if group and member != "HUB" and member not in self.region.groups[group]:
            assert answer.status == 400, answer
            return
        if to and answer.status == 400:  # somebody whom the author has no business to name
            assert json.loads(answer.body)["error"]["where"] == "to", answer
            return
        assert answer.status == 200, answer
        (result,) = json.loads(answer.body)["results"]
        level, groups, members = self.region.audience(marks, tlp, group, member)
        if to and level != "red":
            assert (result["result"], result["path"]) == ("refused", "to"), result
            return
        deaf = author.serves not in members and level not in ("clear", "green")
        if author.serves and deaf:  # nothing is said in a name that would not hear it
            assert (result["result"], result["code"]) == ("refused", "not-permitted"), result
            return
        if result["result"] == "duplicate":
            return
        assert result["result"] == "accepted", result
        self.region.said.append(
            Said(
                object_id,
                author.person,
                author.filed_under,
                level,
                set(members),
                groups,
                {to} if to else set(),
                exercise,
                words,
                raw,
                marked=bool(marks),
            )
        )

    # the law's record

    def register(self, author: Who, *, police: bool, national: bool) -> None:
        """Enter a system: a word that all may read unless it is police work, and one of facts."""
        word, inside = f"t{secrets.token_hex(8)}", f"f{secrets.token_hex(8)}"
        fields = "provider trade_name purpose data status states declaration instructions"
        body = {
            "system": inside,
            "facts": {"annex_iii": ["6a" if police else "2" if national else "4a"]},
            "register": dict.fromkeys(fields.split(), word),
            "voluntary": True,
        }
        answer = self.ask("POST", "/api/law/register", author, body)
        assert answer.status == 201, answer
        record_id = json.loads(answer.body)["id"]
        here = {author.member} if national and not police else self.region.groups["region"]
        groups = ("region",)
        told = () if police else (word,)
        rest = (inside, word) if police else (inside,)
        for level, members, words in (("clear", set[str](), told), ("amber+strict", here, rest)):
            self.region.said.append(
                Said(
                    record_id, author.person, author.origin, level, set(members),
                    groups if members else (), set(), False, words, kind="law",
                )
            )  # fmt: skip

    def open_case(self, authority: Who, level: str) -> None:
        """An authority opens a case for an audience of its choice."""
        word = f"c{secrets.token_hex(8)}"
        body = {"procedure": "eu/art79", "subject": word, "reason": word, "tlp": level}
        answer = self.ask("POST", "/api/law/cases", authority, body)
        assert answer.status == 201, answer
        case_id = json.loads(answer.body)["id"]
        here = self.region.groups["region"] if level.startswith("amber") else set()
        groups = ("region",) if here else ()
        self.region.said.append(
            Said(
                case_id, authority.person, authority.origin, level, set(here), groups, set(),
                False, (word,), kind="law",
            )
        )  # fmt: skip

    def file_report(self, author: Who) -> None:
        """Draft and file what is owed to one member: the two of them see it, and nobody else."""
        word = f"r{secrets.token_hex(8)}"
        body = {
            "system": word,
            "facts": {"roles": ["deployer"], "sector": "finance", "critical_infrastructure": True},
            "kind": ["cyber"], "aware": "2026-11-01T00:00:00Z", "says": word,
            "member": ["MY"], "fields": dict.fromkeys(("affected", "measures", "contact"), word),
        }  # fmt: skip
        answer = self.ask("POST", "/api/law/incidents", author, body)
        assert answer.status == 201, answer
        drafts = json.loads(answer.body)["filings"]
        assert drafts, "nothing is owed, so nothing is looked at"
        for draft in drafts:
            path = f"/api/law/filings/{draft['id']}/file"
            answer = self.ask("POST", path, author, {})
            assert answer.status == 200, answer
            members = {author.member, "MY"} & self.region.groups["region"]
            self.region.said.append(
                Said(
                    draft["id"], author.person, author.origin, "amber+strict", members,
                    ("region",), set(), False, (word,), kind="law",
                )
            )  # fmt: skip

    def share_again(self, author: Who, said: Said, tlp: str, group: str) -> None:
        """The same bytes for another audience, where they carry no marking of their own."""
        if said.erased or said.marked or said.kind != "object":
            return
        words = said.secrets
        self._push(author, said.raw, said.object_id, words, [], tlp, group, "", said.exercise)

    def own(self, who: Who, said: Said) -> list[Said]:
        """What stands of an object that a reader's own organisation said."""
        return [
            each
            for each in self.region.said
            if (each.object_id, each.origin) == (said.object_id, who.filed_under)
            if each.kind == "object" and not each.erased
            if not who.serves or each.author.startswith(f"{who.origin} for {who.serves}/")
        ]

    def withdraw(self, who: Who, said: Said) -> None:
        reason = f"r{secrets.token_hex(8)}"
        answer = self.ask("DELETE", f"/api/objects/{said.object_id}?reason={reason}", who)
        own = self.own(who, said)
        owed = [each for each in own if must_see(who, each)]
        seen = [each for each in own if may_see(who, each)]
        assert answer.status == (200 if owed else 404) or seen != owed, answer
        if answer.status == 404:
            return
        for each in seen:
            self.region.said.append(
                Said(
                    each.object_id,
                    who.person,
                    each.origin,
                    each.level,
                    set(each.members),
                    each.groups,
                    # Exactly the audience that the object went to, its author included.
                    {*each.persons, each.author},
                    each.exercise,
                    (reason,),
                    kind="withdrawn",
                )
            )

    def erase(self, who: Who, said: Said) -> None:
        """Erase what a reader's own organisation said, as far as they may see it."""
        about = [e for e in self.region.said if e.object_id == said.object_id and not e.erased]
        own = [each for each in about if each.origin == who.origin and may_see(who, each)]
        if any(not must_see(who, each) for each in own):
            return  # whether they still see it is left open, and so what would be erased
        answer = self.ask("POST", f"/api/objects/{said.object_id}/erase", who)
        if who.serves:
            assert answer.status == 403, answer
            return
        assert answer.status == (200 if own else 404), answer
        for each in own:
            each.erased = True
