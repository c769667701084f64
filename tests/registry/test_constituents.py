"""A constituent that reports directly is named to its own member, and to nobody else."""

from __future__ import annotations

import uuid

import msgspec
import pytest

from bayanihan.ledger import Evidence, leaf_of
from bayanihan.readers.package import check
from bayanihan.readers.package.archive import unpacked
from tests.sim.objects import indicator
from tests.sim.process import RunningHub


@pytest.fixture(scope="module")
def name(shared_hub: RunningHub) -> str:
    name = f"bank{uuid.uuid4().hex[:12]}"
    shared_hub.constituent("MY", name)
    return name


def first_event(hub: RunningHub, key: str, object_id: str) -> str:
    with hub.client(key, timeout=20.0) as client, client.stream("GET", "/api/stream") as lines:
        return next(line for line in lines.iter_lines() if object_id in line)


def test_every_exit_tells_others_the_member_and_its_own_staff_the_bank(
    hub: RunningHub, name: str
) -> None:
    bank, my, vn = hub.key("MY", constituent=name, person="clerk"), hub.key("MY"), hub.key("VN")
    one, shut = indicator(), indicator()
    assert hub.push(bank, one, tlp="green")["accepted"] == 1
    # Its author is in the audience by name, for constituents see nothing so strict.
    assert hub.push(bank, shut, tlp="amber+strict")["accepted"] == 1
    assert name not in hub.ask("GET", f"/api/proofs/{shut['id']}", vn).text
    assert name not in first_event(hub, vn, one["id"])
    proofs = {
        who: hub.ask("GET", f"/api/proofs/{one['id']}", key)
        for who, key in (("MY", my), ("VN", vn), ("HUB", hub.admin))
    }
    whole = proofs["MY"].json()["proofs"][0]["evidence"]
    assert whole["origin"] == f"MY/{name}"
    evidence = msgspec.convert(whole, Evidence)
    assert leaf_of(evidence).hex() == evidence.leaf
    for who in ("VN", "HUB"):
        assert name not in proofs[who].text
        told = proofs[who].json()["proofs"][0]["evidence"]
        assert (told["origin"], told["author"], told["salt"]) == ("MY", "MY", "")
        assert told["leaf"] == whole["leaf"], "what stands in the tree is the same"
    assert hub.ask("DELETE", f"/api/objects/{one['id']}", bank).status_code == 200
    for key in (my, vn, hub.admin, bank):
        text = hub.ask("GET", "/api/objects?limit=1000", key).text
        assert (one["id"] in text, name in text) == (True, False)


def test_a_package_for_others_says_which_half_of_the_proof_is_there(
    hub: RunningHub, name: str
) -> None:
    bank, one = hub.key("MY", constituent=name), indicator()
    hub.push(bank, one, tlp="green")

    def export(key: str) -> bytes:
        return hub.ask("POST", f"/api/cases/{one['id']}/package", key, json={}).content

    whole, half = export(hub.key("MY")), export(hub.key("VN"))
    assert not any("MY keeps the name" in each for each in check(whole).held)
    (act,) = check(half).manifest.custody
    assert (act.held_by, act.by, act.withheld) == ("MY", "MY", True)
    assert any("MY keeps the name" in each for each in check(half).held)
    assert not any(name.encode() in body for body in unpacked(half).values())
    assert any(name.encode() in body for body in unpacked(whole).values())


def test_a_claim_and_a_false_positive_of_a_bank_do_not_name_it(hub: RunningHub, name: str) -> None:
    value = f"d{uuid.uuid4().hex[:10]}.com"
    one = indicator(pattern=f"[domain-name:value = '{value}']")
    hub.push(hub.key("MY", constituent=name), one, tlp="green")
    sg_bank = f"house{uuid.uuid4().hex[:10]}"
    hub.constituent("SG", sg_bank)
    both = {"MY": name, "SG": sg_bank}
    for code, bank in both.items():
        key = hub.key(code, constituent=bank)
        said = {"act": "false-positive", "value": value, "reason": "it is ours"}
        assert hub.ask("POST", "/api/rulings", key, json=said).status_code in (200, 201)
    vn = hub.key("VN")
    for path in ("/api/rulings", "/api/notices", "/api/feeds", "/feeds/indicators.csv"):
        text = hub.ask("GET", path, vn).text + hub.ask("GET", path, hub.admin).text
        assert not any(bank in text for bank in both.values()), path
