"""Takedown requests over real sockets: what may be asked, by whom."""

from __future__ import annotations

import email
import json
import uuid
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from bayanihan.core.ai import EXTENSION_ID
from tests.sim.command import run
from tests.sim.process import RunningHub

ORDER = {
    "to": "abuse@host.example",
    "asks": {"org": "The CERT", "contact": "desk@cert.example", "domain": "cert.example"},
}


def indicator(pattern: str, vector: str = "phishing") -> dict[str, Any]:
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid4()}",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "pattern": pattern,
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        "extensions": {EXTENSION_ID: {"extension_type": "property-extension", "vector": vector}},
    }


def page() -> dict[str, Any]:
    return indicator(f"[url:value = 'https://{uuid.uuid4().hex}.com/x']")


def asked(hub: RunningHub, key: str, one: dict[str, Any], **more: Any) -> Any:
    path = f"/api/objects/{one['id']}/takedown"
    return hub.ask("POST", path, key, json={**ORDER, **more})


def test_a_request_is_drafted_for_what_is_public_or_ones_own(
    at: RunningHub, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    hub, th, vn = at, at.key("TH"), at.key("VN")
    public, own = page(), page()
    hub.push(th, public, tlp="clear")
    hub.push(th, own, tlp="amber")
    assert asked(hub, vn, public).status_code == 200
    assert asked(hub, th, own).status_code == 200
    refused = asked(hub, vn, own)
    assert (refused.status_code, "TLP:AMBER" in refused.text) == (403, True)
    assert asked(hub, "", public).status_code == 401
    out = tmp_path / "t.eml"
    words = ("--to", "abuse@host.example", "--org", "X", "--contact", "a@b.example", "--out", out)
    code, told, err = run(capfd, "takedown", public["id"], *words, "--key", vn)
    assert (code, "send it from your own mail" in told) == (0, True), err
    assert b"base64" not in out.read_bytes()  # a person reads it before sending it
    assert b"X asks you to take down what is served here," in out.read_bytes()
    (_, feedback, body) = email.message_from_bytes(out.read_bytes(), policy=default).iter_parts()
    assert public["pattern"].split("'")[1].encode() in feedback.as_bytes()
    assert json.loads(body.get_content())["type"] == "phishing"
    hub.ask("DELETE", f"/api/objects/{public['id']}", th)
    assert asked(hub, vn, public).status_code == 410


def test_what_must_not_be_taken_down_is_refused_with_the_reason(hub: RunningHub) -> None:
    th, host = hub.key("TH"), f"{uuid.uuid4().hex}.com"
    for one, words in (
        (indicator("[domain-name:value = 'www.google.com']"), "not asked to be taken down"),
        (indicator(f"[domain-name:value = '{host}']", "information-manipulation"), "informs"),
        (indicator("[ipv4-addr:value = '198.51.100.7']"), "no page or site"),
    ):
        hub.push(th, one, tlp="clear")
        answer = asked(hub, th, one)
        assert (answer.status_code, words in answer.text) == (400, True), answer.text
    drill = page()
    hub.push(th, drill, tlp="clear", exercise=True)
    assert "exercise" in asked(hub, th, drill).text
    one = page()
    hub.push(th, one, tlp="clear")
    assert asked(hub, th, one, to="x@y.example\nBcc: z@y.example").status_code == 400
    assert asked(hub, th, {"id": f"indicator--{uuid.uuid4()}"}).status_code == 404
