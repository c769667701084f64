"""An attestation satisfies a duty while the record says that it stands, and no longer."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from bayanihan.core.marking import PUBLIC, Audience
from bayanihan.errors import Refused
from bayanihan.ledger import Draft, Ledger
from bayanihan.web.law import Desk, evidence, register
from bayanihan.web.law.evidence import read_statement
from tests.web.law.conftest import CLERK, JUDGE, OTHER, READER, Clock
from tests.web.law.test_register import TODAY, body

ARTEFACT = "a" * 64
DUTY = "eu/art15/5"
ON = "2028-01-01"


def envelope(artefact: str = ARTEFACT, **predicate: Any) -> bytes:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "loan-assistant", "digest": {"sha256": artefact}}],
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "predicate": predicate,
    }
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    told = {"payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": []}
    return json.dumps(told).encode()


def attest(ledger: Ledger, content: bytes, kind: str = "attestation", origin: str = "VN") -> str:
    ledger.append([Draft(kind, Audience("clear"), "x", origin, "attestation--1", content)])
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def entered(desk: Desk, digest: str, artefact: str = ARTEFACT) -> str:
    claim = [{"digest": digest, "kind": "robustness", "start": "2020-01-01"}]
    facts = {**body()["facts"], "profiling": True, "fraud_detection_only": False}
    more = {"facts": facts, "attestations": claim, "artefact": f"sha256:{artefact}"}
    return str(register.enter(desk, CLERK, body(**more), TODAY)["id"])


def duty(desk: Desk, record_id: str, member: str = "EU") -> dict[str, Any]:
    told = evidence.owed(desk, JUDGE, record_id, [member], ON)
    return next(one for one in told["duties"] if one["duty"] == DUTY)


def caught_up(desk: Desk, record_id: str) -> str:
    """What was appended behind the desk is folded with the next act."""
    register.enter(desk, CLERK, body(system="another"), TODAY)
    return record_id


def test_an_attestation_in_the_record_satisfies_until_its_author_withdraws_it(
    desk: Desk, ledger: Ledger, clock: Clock
) -> None:
    digest = attest(ledger, envelope())
    entry = entered(desk, digest)
    assert (duty(desk, entry)["satisfied"], duty(desk, entry)["satisfied_by"]) == (True, digest)
    clock.to("2026-12-24T00:00:00+00:00")
    attest(ledger, b"{}", kind="withdrawn", origin="SG")  # somebody else's word takes nothing back
    assert duty(desk, caught_up(desk, entry))["satisfied"]
    attest(ledger, b"{}", kind="withdrawn")
    told = duty(desk, caught_up(desk, entry))
    assert (told["satisfied"], "revoked on 2026-12-24" in told["satisfied_by"]) == (False, True)


def test_an_authority_decides_that_it_is_revoked_or_that_the_system_drifted(
    desk: Desk, ledger: Ledger
) -> None:
    digest = attest(ledger, envelope())
    entry = entered(desk, digest)
    order = {"state": "drifted", "since": "2027-06-01", "reason": "a new model since 1 June"}
    for viewer, code in (
        (CLERK, "not-permitted"),
        (READER, "not-permitted"),
        (PUBLIC, "not-signed-in"),
    ):
        with pytest.raises(Refused) as refusal:
            evidence.judge(desk, viewer, digest, order)
        assert refusal.value.code == code
    evidence.judge(desk, JUDGE, digest, order)  # SG did not issue it: it counts in SG alone
    assert duty(desk, entry)["satisfied"]
    told = evidence.judge(desk, OTHER, digest, order)  # VN did: it counts everywhere
    assert [one["member"] for one in told["decisions"]] == ["SG", "VN"]
    assert "drifted on 2027-06-01" in duty(desk, entry)["satisfied_by"]
    assert not duty(desk, entry)["satisfied"]


@pytest.mark.parametrize(
    ("content", "artefact", "why"),
    [
        (envelope(expires="2027-01-01T00:00:00Z"), ARTEFACT, "expired on 2027-01-01"),
        (envelope(), "b" * 64, "drifted"),
        (b"no envelope", ARTEFACT, "drifted"),
        (b'{"payload": "!!"}', ARTEFACT, "drifted"),
    ],
)
def test_what_is_expired_or_about_something_else_does_not_count(
    desk: Desk, ledger: Ledger, content: bytes, artefact: str, why: str
) -> None:
    told = duty(desk, entered(desk, attest(ledger, content), artefact))
    assert (told["satisfied"], why in told["satisfied_by"]) == (False, True)


def test_an_erased_attestation_satisfies_nothing(desk: Desk, ledger: Ledger) -> None:
    digest = attest(ledger, envelope())
    entry = entered(desk, digest)
    assert duty(desk, entry)["satisfied"]
    ledger.erase(OTHER, "attestation--1", "sent in error")
    assert not duty(desk, entry)["satisfied"]


def test_what_the_record_does_not_hold_satisfies_nothing(desk: Desk) -> None:
    told = duty(desk, entered(desk, "sha256:" + "0" * 64))
    assert (told["satisfied"], told["satisfied_by"]) == (
        False, "no attestation of robustness was given",
    )  # fmt: skip
    with pytest.raises(Refused, match="no such attestation"):
        evidence.one(desk, JUDGE, "sha256:" + "0" * 64)


def test_the_duties_of_an_entry_are_for_those_who_read_it_in_full(desk: Desk) -> None:
    entry = entered(desk, "sha256:0")
    for viewer in (PUBLIC, READER):
        with pytest.raises(Refused) as refusal:
            evidence.owed(desk, viewer, entry, ["EU"], ON)
        assert refusal.value.code == "not-found"


@pytest.mark.parametrize(
    ("order", "where"),
    [
        ({"state": "old", "reason": "x"}, "$.state"),
        ({"state": "revoked", "since": "soon", "reason": "x"}, "$.since"),
        ({"state": "revoked"}, "$.reason"),
    ],
)
def test_what_is_wrong_with_a_decision_is_told(
    desk: Desk, ledger: Ledger, order: dict[str, Any], where: str
) -> None:
    digest = attest(ledger, envelope())
    caught_up(desk, "")
    with pytest.raises(Refused) as refusal:
        evidence.judge(desk, JUDGE, digest, order)
    assert refusal.value.where == where


def test_a_statement_is_read_or_has_no_subject() -> None:
    assert read_statement(envelope(expires="2027-01-01")) == (
        frozenset({f"sha256:{ARTEFACT}"}), "2027-01-01",
    )  # fmt: skip
    for raw in (b"", b"[]", b"5", b'{"payload":5}', b'{"payload":"bnVsbA=="}'):
        assert read_statement(raw) == (frozenset(), "")
