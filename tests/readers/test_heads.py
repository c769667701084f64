"""Signed heads and proofs over real sockets, checked as an outsider checks them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from bayanihan.core.checkpoint import Checkpoint, opened, public_of
from bayanihan.core.marking import TLP_2_IDS, Audience
from bayanihan.core.merkle import verify_consistency, verify_inclusion
from bayanihan.core.signing import SigningKey, from_text
from bayanihan.ledger import Draft, Evidence, Ledger, leaf_of
from bayanihan.readers.heads import HEADS, SIGN_EVERY_S, Heads
from tests.sim.objects import indicator
from tests.sim.process import RunningHub

WITHIN_S = 20.0


def head(hub: RunningHub, key: str) -> Checkpoint:
    """The signed head, once its signature holds under the key that the hub shows."""
    name, public = public_of(hub.ask("GET", "/api/hub").json()["verifier_key"])
    return opened(hub.ask("GET", "/api/checkpoint", key).text, name, public)


def later_head(hub: RunningHub, key: str, than: int) -> Checkpoint:
    """The next head of a tree that has grown."""
    until_s = time.monotonic() + WITHIN_S
    while (found := head(hub, key)).size <= than:
        assert time.monotonic() < until_s, "no new head was signed"
        time.sleep(0.02)
    return found


def covering(hub: RunningHub, key: str, object_id: str) -> Checkpoint:
    """A signed head whose tree holds every entry of an object."""
    proofs = proved(hub, key, object_id)["proofs"]
    return later_head(hub, key, max(each["evidence"]["position"] for each in proofs) - 1)


def proved(hub: RunningHub, key: str, object_id: str, size: int = 0) -> dict[str, Any]:
    params = {"size": size} if size else {}
    answer = hub.ask("GET", f"/api/proofs/{object_id}", key, params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def nodes(path: list[str]) -> list[bytes]:
    return [from_text(node, size_bytes=32, where="path") for node in path]


def evidence_in(proof: dict[str, Any]) -> Evidence:
    return msgspec.convert(proof["evidence"], Evidence)


def holds(proof: dict[str, Any], size: int, root: bytes) -> bool:
    evidence = evidence_in(proof)
    leaf = leaf_of(evidence)
    return verify_inclusion(leaf, evidence.position - 1, size, nodes(proof["path"]), root)


def consistent(hub: RunningHub, key: str, old: Checkpoint, new: Checkpoint) -> bool:
    params = {"old": old.size, "new": new.size}
    path = hub.ask("GET", "/api/checkpoint/consistency", key, params=params).json()["path"]
    return verify_consistency(old.size, new.size, nodes(path), old.root, new.root)


def test_a_proof_holds_against_the_signed_head(hub: RunningHub) -> None:
    sg, vn = hub.key("SG"), hub.key("VN")
    one = indicator(object_marking_refs=[TLP_2_IDS["green"]])
    raw = json.dumps(one).encode()
    hub.push_bytes(sg, raw)
    signed = covering(hub, vn, one["id"])
    hub.push(sg, indicator())  # the tree has grown since that head
    answer = proved(hub, vn, one["id"], signed.size)
    (proof,) = answer["proofs"]
    assert from_text(answer["root"], size_bytes=32, where="root") == signed.root
    assert holds(proof, signed.size, signed.root)
    evidence = evidence_in(proof)
    assert (evidence.object_id, evidence.origin) == (one["id"], "SG")
    assert evidence.digest == hashlib.sha256(raw).hexdigest()
    assert leaf_of(evidence).hex() == evidence.leaf
    assert not holds(proof, signed.size, bytes(32))
    lie = {**proof, "evidence": {**proof["evidence"], "digest": "00" * 32}}
    assert not holds(lie, signed.size, signed.root)


def test_without_a_size_it_is_the_present_tree(hub: RunningHub) -> None:
    sg, one = hub.key("SG"), indicator()
    hub.push(sg, one)
    answer = proved(hub, sg, one["id"])
    root = from_text(answer["root"], size_bytes=32, where="root")
    assert [holds(proof, answer["size"], root) for proof in answer["proofs"]] == [True]
    assert answer["more"] is False


def test_what_came_after_a_head_is_not_in_its_tree(hub: RunningHub) -> None:
    sg, one = hub.key("SG"), indicator()
    before = head(hub, sg)
    hub.push(sg, one)
    assert proved(hub, sg, one["id"], before.size)["proofs"] == []
    for size in (0, 1 << 40):
        answer = hub.ask("GET", f"/api/proofs/{one['id']}", sg, params={"size": size})
        assert answer.status_code in (400, 404)
        assert answer.json()["error"]["where"] == "size"


def test_later_heads_extend_earlier_ones(hub: RunningHub) -> None:
    sg = hub.key("SG")
    first = head(hub, sg)
    hub.push(sg, *[indicator() for _ in range(40)])
    second = later_head(hub, sg, first.size)
    assert second.epoch == first.epoch
    assert consistent(hub, sg, first, second)
    false = msgspec.structs.replace(first, root=bytes(32))
    assert not consistent(hub, sg, false, second)
    for old, new in ((second.size, first.size), (1, 1 << 40)):
        params = {"old": old, "new": new}
        answer = hub.ask("GET", "/api/checkpoint/consistency", sg, params=params)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not-found")


def test_a_re_share_is_an_entry_of_its_own(hub: RunningHub) -> None:
    sg, one = hub.key("SG"), indicator()
    hub.push(sg, one, tlp="green")
    hub.push(sg, one, tlp="clear")
    first, second = (evidence_in(each) for each in proved(hub, sg, one["id"])["proofs"])
    assert first.position < second.position
    assert first.stamp_us < second.stamp_us
    assert (first.audience_definition.level, second.audience_definition.level) == ("green", "clear")
    assert first.digest == second.digest
    assert first.leaf != second.leaf


def test_proofs_outlive_an_erasure(hub: RunningHub) -> None:
    sg, one, other = hub.key("SG"), indicator(), indicator()
    hub.push(sg, one, other)
    signed = covering(hub, sg, other["id"])
    (kept,) = proved(hub, sg, one["id"], signed.size)["proofs"]
    assert hub.ask("POST", f"/api/objects/{one['id']}/erase", sg).status_code == 200
    after = later_head(hub, sg, signed.size)
    assert consistent(hub, sg, signed, after)
    assert holds(kept, signed.size, signed.root), "what was proved stays proved"
    (again,) = proved(hub, sg, other["id"], after.size)["proofs"]
    assert holds(again, after.size, after.root)
    told = [evidence_in(each).kind for each in proved(hub, sg, one["id"])["proofs"]]
    assert told == ["erased"], "the erased entry's facts are shown no more"


def test_what_was_upgraded_keeps_the_digest_of_the_original(hub: RunningHub) -> None:
    one = {k: v for k, v in indicator().items() if k not in ("spec_version", "indicator_types")}
    one |= {"labels": ["malicious-activity"]}
    del one["pattern_type"]
    raw = json.dumps(one).encode()
    sg = hub.key("SG")
    hub.push_bytes(sg, raw)
    body = hub.ask("GET", f"/api/objects/{one['id']}", sg).content
    (proof,) = proved(hub, sg, one["id"])["proofs"]
    evidence = evidence_in(proof)
    assert body != raw
    assert evidence.digest == hashlib.sha256(body).hexdigest()
    assert evidence.original == hashlib.sha256(raw).hexdigest()


def test_heads_and_proofs_are_for_members_staff(hub: RunningHub) -> None:
    hub.constituent("SG", "heads-bank")
    sg, one = hub.key("SG"), indicator(object_marking_refs=[TLP_2_IDS["clear"]])
    hub.push(sg, one)
    closed = (
        ("", 401),
        (hub.key("SG", constituent="heads-bank"), 403),
        # No other scope reads what `read` guards, and `regulate` least of all.
        (hub.key("SG", scopes=["regulate", "feed", "report", "receipt", "admin"]), 403),
    )
    paths = ("/api/checkpoint", "/api/checkpoint/consistency?old=1&new=2")
    for path in (*paths, f"/api/proofs/{one['id']}"):
        for key, status in closed:
            assert hub.ask("GET", path, key).status_code == status, path
        for key in (sg, hub.key("VN"), hub.admin):
            assert hub.ask("GET", path, key).status_code == 200, path
    hidden = indicator(object_marking_refs=[TLP_2_IDS["red"]])
    hub.push(sg, hidden)
    absent = hub.ask("GET", "/api/proofs/indicator--0", hub.key("VN")).json()["error"]
    found = hub.ask("GET", f"/api/proofs/{hidden['id']}", hub.key("VN")).json()["error"]
    assert (found["code"], found["message"]) == (absent["code"], absent["message"])


# --- in this process -------------------------------------------------------------------------


def note(number: int) -> list[Draft]:
    return [Draft("object", Audience("green"), "ana", "SG", f"note--{number}", b"{}", 1)]


def test_the_latest_head_and_the_last_of_each_minute_are_kept(tmp_path: Path) -> None:
    clock = [1_800_000_000_000_000]
    with closing(Ledger(tmp_path, now_us=lambda: clock[0], clock_us=lambda: clock[0])) as ledger:
        heads = Heads(ledger, "hub", SigningKey(bytes(32)))
        ledger.state.put(heads.sign())
        assert heads.sign() == [], "the same head is not signed again"
        for number in range(6):
            clock[0] += 20_000_000
            ledger.append(note(number))
            ledger.state.put(heads.sign())
        keys = [document.key for document in ledger.state.list(HEADS, limit=100)]
        assert keys[0] == "latest"
        assert [key.partition("/")[0] for key in keys[1:]] == ["minute"] * 3
        document = ledger.state.get(HEADS, "latest")
        assert document is not None
        assert msgspec.json.decode(document.value) == heads.latest


async def test_heads_are_signed_at_most_once_a_second(tmp_path: Path) -> None:
    """However fast the record grows. More time can only allow more heads."""
    with closing(Ledger(tmp_path)) as ledger:
        heads = Heads(ledger, "hub", SigningKey(bytes(32)))
        began_s = time.monotonic()
        heads.start()
        signed = {heads.latest}
        for number in range(100):
            await ledger.append_soon(note(number))
            await asyncio.sleep(0.01)
            signed.add(heads.latest)
        while opened(heads.latest, "hub", heads.key.public).size < 100:
            await asyncio.sleep(0.01)
            signed.add(heads.latest)
        assert len(signed) <= 2 + (time.monotonic() - began_s) / SIGN_EVERY_S
        await heads.stop()
        document = ledger.state.get(HEADS, "latest")
        assert document is not None, "the head at the start is kept as well"
