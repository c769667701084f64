"""Takedown requests as X-ARF version 4, in a mail of the form of RFC 5965. Nothing is sent by us.

The JSON Schema of what is made here is `docs/schemas/xarf-content.json`, in our own words.

Source: XARF v4 specification, core and content category; RFC 5965; RFC 3462.
"""

from __future__ import annotations

from email.message import EmailMessage, Message
from email.mime.multipart import MIMEMultipart
from email.policy import SMTP
from typing import Any

import msgspec

from bayanihan.core.observables import Observable, host_of
from bayanihan.errors import Refused

VERSION = "4.0.0"
# AI vector -> the type of the content category, and the feedback type of RFC 5965.
TYPES = {"phishing": ("phishing", "fraud"), "malware": ("malware", "virus")}
FRAUD = ("fraud", "fraud")
_FRAUD_VECTORS = frozenset({"identity-theft"})
_NOTE_LIMIT = 1_000
# RFC 5322, 2.1.1: beyond it a line must be folded on its way.
_MAIL_LINE_BYTES = 900


class Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks: organisation, mail address, domain."""

    org: str
    contact: str
    domain: str


def report_of(
    observable: Observable, vector: str, at: str, report_id: str, asks: Contact, note: str
) -> dict[str, Any]:
    """The report about one page or host.

    Args:
        observable: a URL or a domain.
        vector: the AI vector of the indicator, "" where it states none: then it is phishing.
        at: when it was accepted by the hub, RFC 3339.
        report_id: a random UUID.
        asks: who asks.
        note: a sentence for who reads it.

    Raises:
        Refused: `bad-value` for what is no content that can be taken down.
    """
    if observable.type not in ("url", "domain"):
        message = f"A {observable.type} is no page or site that can be taken down"
        raise Refused("bad-value", message, where="pattern")
    kind = TYPES.get(vector or "phishing", FRAUD if vector in _FRAUD_VECTORS else None)
    if kind is None:
        message = f"What is reported as {vector} is not asked to be taken down"
        raise Refused(
            "bad-value", message, where="vector", next_step="Warn people, or use a notice instead."
        )
    is_url = observable.type == "url"
    host = host_of(observable).value if is_url else observable.value
    contact = msgspec.to_builtins(asks)
    told: dict[str, Any] = {
        "xarf_version": VERSION,
        "report_id": report_id,
        "timestamp": at,
        "reporter": contact,
        "sender": contact,
        "source_identifier": host,
        "category": "content",
        "type": kind[0],
        "url": observable.value if is_url else f"http://{host}/",
        "evidence_source": "user_report",
        "verification_method": "user_report",
        "description": note[:_NOTE_LIMIT],
    }
    if not host.replace(".", "").isdigit() and ":" not in host:
        told["domain"] = host
    if kind[0] == "fraud":
        told["fraud_type"] = "other"
    return {name: value for name, value in told.items() if value != ""}


def mail_of(report: dict[str, Any], to: str, asks: Contact) -> bytes:
    """The mail to send: words for a person, the feedback report, and the JSON.

    Raises:
        Refused: `bad-value` for an address that is none.
    """
    for address, where in ((to, "to"), (asks.contact, "contact")):
        name, at, domain = address.rpartition("@")
        if not (name and at and "." in domain) or not address.isascii() or " " in address:
            raise Refused("bad-value", f"{address[:80]!r} is no mail address", where=where)
        if not address.isprintable() or any(char in address for char in ',;:<>"()[]\\'):
            raise Refused("bad-value", f"{address[:80]!r} is no mail address", where=where)
    mail = MIMEMultipart("report", boundary=f"xarf-{report['report_id']}", policy=SMTP)
    mail.set_param("report-type", "feedback-report")
    mail["From"] = asks.contact
    mail["To"] = to
    mail["Subject"] = f"Takedown request ({report['type']}): {report['source_identifier']}"
    mail["Message-ID"] = f"<{report['report_id']}@{asks.domain}>"
    mail["X-XARF"] = "PLAIN"
    words = EmailMessage(policy=SMTP)
    text = _words(report)
    words.set_content(text, cte=_readable(text.encode()))
    mail.attach(words)
    mail.attach(_feedback(report))
    body = msgspec.json.format(msgspec.json.encode(report), indent=2)
    part = EmailMessage(policy=SMTP)
    cte = _readable(body)
    part.set_content(body, maintype="application", subtype="json", filename="xarf.json", cte=cte)
    for each in (words, part):
        del each["MIME-Version"]
    mail.attach(part)
    return mail.as_bytes()


def _readable(body: bytes) -> str:
    """How a part travels so that a person can read the file before sending it."""
    short = all(len(line) <= _MAIL_LINE_BYTES for line in body.split(b"\n"))
    return "7bit" if body.isascii() and short else "quoted-printable"


def _words(report: dict[str, Any]) -> str:
    shown = report["url"].replace("http", "hxxp", 1).replace(".", "[.]")
    note = report.get("description", "")
    return (
        f"To the abuse desk.\n\n{report['reporter']['org']} asks you to take down what is served"
        f" here,\nreported as {report['type']}:\n\n    {shown}\n\n"
        + (f"{note}\n\n" if note else "")
        + f"It was reported on {report['timestamp']}.\n"
        "The same is attached for machines (X-ARF). Please answer to the sender's address;\n"
        f"reference {report['report_id']}.\n"
    )


def _feedback(report: dict[str, Any]) -> Message:
    kinds = dict((*TYPES.values(), FRAUD))
    fields = {
        "Feedback-Type": kinds[report["type"]],
        "User-Agent": "Bayanihan/1",
        "Version": "1",
        "Received-Date": report["timestamp"],
        "Reported-Domain": report.get("domain", ""),
        "Reported-URI": report["url"],
    }
    part = Message(policy=SMTP)
    part["Content-Type"] = "message/feedback-report"
    part.set_payload("".join(f"{name}: {value}\r\n" for name, value in fields.items() if value))
    return part
