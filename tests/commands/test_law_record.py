"""The `law` verbs that keep something, against a real hub."""

from __future__ import annotations

import json
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bayanihan.commands.hub_client import HubClient
from bayanihan.commands.law import app
from bayanihan.errors import Refused
from tests.sim.process import RunningHub

SYSTEM = """
system: loan-assistant
name: Loan assistant
facts:
  roles: [provider, deployer]
  markets: [SG, EU]
  annex_iii: [5b]
  critical_infrastructure: true
register: {provider: Harbour Bank, trade_name: "=Loan", purpose: p, data: d, status: s,
  states: SG, declaration: DoC, instructions: i}
"""


class People:
    """Runs `law` as one of a few persons of Singapore, and gives what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capsys = capsys
        self.keys: dict[str, str] = {}
        self.file = folder / "system.yaml"
        self.file.write_text(SYSTEM, encoding="utf-8")
        name = f"p{uuid.uuid4().hex[:8]}"
        for scope in ("report", "regulate"):
            self.keys[scope] = self._key(scope, f"{name}-{scope}")

    def _key(self, scope: str, person: str) -> str:
        with HubClient(os.environ["BAYANIHAN_HUB"], "") as client:
            order = {"scopes": [scope, "read"], "member": "SG", "person": person}
            return str(client.json("POST", "/api/keys", json=order)["key"])

    def run(self, who: str, *words: str) -> str:
        app([*words, "--key", self.keys[who]])
        return self._capsys.readouterr().out

    def json(self, who: str, *words: str) -> Any:
        return json.loads(self.run(who, *words, "--json"))


@pytest.fixture
def people(at: RunningHub, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> People:
    return People(capsys, tmp_path)


def test_a_system_file_is_sent_whole(people: People) -> None:
    content = (
        SYSTEM + "artefact: sha256:aa\nattestations: [{digest: sha256:bb, kind: robustness}]\n"
    )
    people.file.write_text(content, encoding="utf-8")
    made = people.json("report", "enter", str(people.file))
    assert made["system"]["artefact"] == "sha256:aa"
    assert made["system"]["attestations"] == [{"digest": "sha256:bb", "kind": "robustness"}]
    order = ["--kind", "cyber", "--aware", "2026-11-01T00:00:00Z", "--member", "SG"]
    assert people.json("report", "filing", "report", str(people.file), *order)["filings"]


def test_register_file_and_decide(people: People) -> None:
    made = people.json("report", "enter", str(people.file))["id"]
    assert "section A (public)" in people.run("report", "enter", str(people.file), "--id", made)
    assert "Harbour Bank" in people.run("regulate", "registry", made)
    assert "Art. 15" in people.run("regulate", "registry", made, "--duties", "--member", "EU")
    now = datetime.now(UTC).isoformat()
    words = ["--kind", "cyber", "--aware", now, "--says", "x", "--member", "SG"]
    more = [f"--field={name}=y" for name in ("affected", "measures", "contact")]
    told = people.json("report", "filing", "report", str(people.file), *words, *more)
    (draft,) = told["filings"]
    assert "clock running" in people.run("report", "filing", "file", draft["id"])
    acknowledged = people.run(
        "regulate", "filing", "acknowledge", draft["id"], "--reference", "C-1"
    )
    assert "clock stopped" in acknowledged
    with pytest.raises(Refused, match="filed already"):
        people.run("report", "filing", "file", draft["id"])
    assert draft["id"] in people.run("report", "filing", "list")
    assert "nothing that you may see" in people.run("report", "case", "list")
    assert "Loan assistant" in people.run("report", "filing", "show", draft["id"])
    order = ["--subject", made, "--reason", "complaint 12"]
    case = people.json("regulate", "case", "open", "eu/art83", *order)["id"]
    step = ["case", "step", case, "restrict", "--office", "authority", "--reason", "r"]
    with pytest.raises(Refused, match="does not follow found"):
        people.run("regulate", *step)
    step[3] = "require-end"
    end = ["--prescribed", "2099-01-01T00:00:00Z"]
    assert "correction: 2099-01-01 08:00 SGT" in people.run("regulate", *step, *end)
    assert "complaint 12" in people.run("regulate", "case", "show", case)
    assert case in people.run("regulate", "case", "list")
    gone = people.run("report", "registry", made, "--withdraw", "no longer offered")
    assert gone == f"{made}: withdrawn\n"
    with pytest.raises(Refused, match="no such attestation"):
        people.run("regulate", "attestation", "sha256:00", "--judge", "revoked", "--reason", "r")


def test_the_example_that_ships_is_complete(people: People) -> None:
    example = Path(__file__).resolve().parents[2] / "examples/systems/bank-chatbot.yaml"
    made = people.json("report", "enter", str(example))
    assert (made["state"], made["section"]) == ("registered", "A")
    assert "Harbour Bank" in people.run("report", "registry", made["id"])


@pytest.mark.parametrize("form", ["csv", "html", "ics"])
def test_the_register_leaves_as_a_file(people: People, form: str) -> None:
    people.run("report", "enter", str(people.file))
    out = people.run("report", "registry", "--format", form).replace("\r\n ", "")
    assert "sha256:" in out
    assert "not legal advice" in out
    if form == "csv":
        assert ",'=Loan," in out  # no spreadsheet runs what somebody entered


@pytest.mark.parametrize(
    "words",
    [
        ["registry", "--withdraw", "x"],
        ["registry", "--duties"],
        ["case", "step", "case--1", "x", "--office", "o", "--reason", "r", "--factor", "none"],
        ["registry", "--format", "pdf"],
    ],
)
def test_wrong_use_is_told(people: People, words: list[str]) -> None:
    with pytest.raises(Refused) as refusal:
        people.run("regulate", *words)
    assert refusal.value.code in ("wrong-use", "bad-parameter")
