"""Takedown requests: valid by the schema, readable as a mail, and nothing slips in by a value."""

from __future__ import annotations

import email
import json
from email.policy import default
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bayanihan.core.observables import Observable, domain, url
from bayanihan.core.xarf import Contact, mail_of, report_of
from bayanihan.errors import Refused

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "schemas" / "xarf-content.json").read_text()
)
ASKS = Contact("The CERT", "desk@cert.example", "cert.example")
REPORT_ID = "0c6f1d5e-7f0d-4c3e-9d5b-0c1f2a3b4c5d"
AT = "2026-01-01T00:00:00.000000Z"


def report(observable: Observable, vector: str = "phishing", note: str = "") -> dict[str, Any]:
    return report_of(observable, vector, AT, REPORT_ID, ASKS, note)


@pytest.mark.parametrize("vector", ["", "phishing", "malware", "identity-theft"])
@pytest.mark.parametrize(
    "observable",
    [
        url("https://login.bad.example/a?b=c"),
        url("http://192.0.2.7:8080/x"),
        domain("ngân-hàng.example"),
    ],
)
def test_a_report_is_valid_by_the_schema(observable: Observable, vector: str) -> None:
    made = report(observable, vector, "n" * 2_000)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(SCHEMA, format_checker=checker).validate(made)
    assert made["url"].isascii()


def test_the_mail_has_three_parts_and_no_live_link_for_people() -> None:
    made = report(url("https://login.bad.example/a"), note="It asks for a card number.")
    raw = mail_of(made, "abuse@host.example", ASKS)
    mail = email.message_from_bytes(raw, policy=default)
    assert mail.get_content_type() == "multipart/report"
    assert mail.get_param("report-type") == "feedback-report"
    kinds = [part.get_content_type() for part in mail.iter_parts()]
    assert kinds == ["text/plain", "message/feedback-report", "application/json"]
    words, feedback, body = mail.iter_parts()
    assert "https://login" not in words.get_content()
    assert "hxxps://login[.]bad[.]example/a" in words.get_content()
    assert b"Feedback-Type: fraud" in feedback.as_bytes()
    assert json.loads(body.get_content()) == made


@pytest.mark.parametrize(
    "to",
    ["", "nobody", "a@b", "a@b.example\r\nBcc: x@y.example", "a b@c.example", "a@c.example,d@e.f"],
)
def test_an_address_that_is_none_is_refused(to: str) -> None:
    with pytest.raises(Refused, match="no mail address"):
        mail_of(report(domain("bad.example")), to, ASKS)


@pytest.mark.parametrize(
    ("observable", "vector"),
    [
        (Observable("ipv4", "192.0.2.1"), "phishing"),
        (Observable("domain", "bad.example"), "reconnaissance"),
        (Observable("domain", "bad.example"), "information-manipulation"),
    ],
)
def test_what_is_no_content_is_refused(observable: Observable, vector: str) -> None:
    with pytest.raises(Refused):
        report(observable, vector)
