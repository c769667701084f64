"""A mail as it was received: who sent it, who passed it on, what it says and carries.

Source: RFC 5322, RFC 2045 to 2047, RFC 6532, RFC 8601 (Authentication-Results).
"""

from __future__ import annotations

import email
import email.errors
import email.policy
import re
import warnings
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parseaddr

from bayanihan.core.examined import Finding
from bayanihan.core.observables import Observable, address
from bayanihan.core.observables import email as mail_address
from bayanihan.errors import Refused
from bayanihan.intake.evidence.markup import read_markup
from bayanihan.intake.evidence.part import PART_LIMIT, TEXT_LIMIT, Opened, Part, decoded

_HEADER = re.compile(
    rb"^(?:From|To|Subject|Received|Return-Path|Date|MIME-Version)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_FIRST_LINE = re.compile(rb"[A-Za-z][A-Za-z0-9-]{1,60}[ \t]*:|From ")
_BOUNDARY = re.compile(rb"^--[^\r\n]{1,200}\r?$", re.MULTILINE)
_HOP = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]{3,45})\]|\b((?:\d{1,3}\.){3}\d{1,3})\b")
_RECIPIENTS = ("To", "Cc", "Bcc", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To")
_SENDERS = ("From", "Reply-To", "Sender", "Return-Path")
_DEPTH_LIMIT = 30
_HOPS_LIMIT = 20
_FILES_LIMIT = 20


def is_mail(data: bytes) -> bool:
    """Whether bytes begin like a mail: two headers that every mail has."""
    head = re.split(rb"\r?\n\r?\n", data[:65_536], maxsplit=1)[0]
    return _FIRST_LINE.match(head) is not None and len(set(_HEADER.findall(head))) >= 2


def read_mail(data: bytes, opened: Opened) -> None:
    """Add what a mail holds to what a file falls into."""
    message = _parsed(data, opened)
    opened.parts.append(Part("subject", shown_header(message, "Subject")))
    _senders(message, opened)
    _recipients(message, opened)
    _hops(message, opened)
    parts, files = 0, 0
    for part, depth in _walk(message):
        parts += 1
        if parts > PART_LIMIT or depth > _DEPTH_LIMIT:
            opened.left_out.append(
                f"Of its parts the first {PART_LIMIT}, {_DEPTH_LIMIT} levels deep, were read."
            )
            break
        if part.is_multipart():
            continue
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment":
            _text(part, kind, opened)
        elif files < _FILES_LIMIT:
            files += 1
            opened.files.append((f"attachment {files}", payload_of(part)))
        else:
            files += 1
    if files > _FILES_LIMIT:
        opened.left_out.append(f"Of {files} attachments the first {_FILES_LIMIT} were read.")


def _parsed(data: bytes, opened: Opened) -> Message:
    lines = [found.start() for found in _BOUNDARY.finditer(data)]
    if len(lines) > PART_LIMIT + 1:
        opened.left_out.append(
            f"It has {len(lines)} boundaries; what follows the first {PART_LIMIT} was left out."
        )
        data = data[: lines[PART_LIMIT]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return email.message_from_bytes(data, policy=email.policy.compat32)
        except (RecursionError, ValueError, LookupError, email.errors.MessageError):
            opened.left_out.append("Its structure is broken or too deep: it was read as text.")
            message = Message()
            message.set_payload(decoded(data))
            return message


def _walk(message: Message) -> list[tuple[Message, int]]:
    found: list[tuple[Message, int]] = []
    waiting = [(message, 0)]
    while waiting and len(found) <= PART_LIMIT + 1:
        part, depth = waiting.pop()
        found.append((part, depth))
        inner = part.get_payload()
        if isinstance(inner, list) and depth <= _DEPTH_LIMIT:
            waiting += [(each, depth + 1) for each in reversed(inner) if isinstance(each, Message)]
    return found


def payload_of(part: Message) -> bytes:
    """The bytes of a part, whatever its encoding claims."""
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        payload = None
    return (
        payload if isinstance(payload, bytes) else str(part.get_payload()).encode(errors="replace")
    )


def _text(part: Message, kind: str, opened: Opened) -> None:
    try:
        charset = part.get_content_charset() or ""
    except (LookupError, ValueError):
        charset = ""
    text = decoded(payload_of(part), charset)
    if kind == "text/html":
        read_markup(text, "the HTML", opened)
    else:
        opened.parts.append(Part("the text", text[:TEXT_LIMIT]))


def shown_header(message: Message, name: str) -> str:
    """A header as a person reads it: encoded words decoded, one line."""
    raw = str(message.get(name, ""))[:10_000]
    try:
        pieces = decode_header(raw)
    except (email.errors.HeaderParseError, ValueError):
        return raw
    shown = []
    for piece, charset in pieces:
        shown.append(decoded(piece, charset or "") if isinstance(piece, bytes) else piece)
    return re.sub(r"\s+", " ", "".join(shown)).strip()


def _senders(message: Message, opened: Opened) -> None:
    told = " ".join(str(each) for each in message.get_all("Authentication-Results", [])[:5])
    failed = re.search(r"\b(?:dmarc|spf|dkim)=(?:fail|softfail)", told[:5_000], re.IGNORECASE)
    for name in _SENDERS:
        _, written = parseaddr(str(message.get(name, ""))[:1_000])
        try:
            found = mail_address(written)
        except Refused:
            continue
        why = f"The mail's {name} address."
        if failed and name != "Reply-To":
            why += f" The receiving host says {failed[0].lower()}: it is probably forged."
        opened.findings.append(Finding("email", found.value, why, name, "sender"))


def _recipients(message: Message, opened: Opened) -> None:
    raw = [str(each)[:5_000] for name in _RECIPIENTS for each in message.get_all(name, [])[:20]]
    for shown, written in getaddresses(raw)[:500]:
        if "@" in written:
            opened.victims.append(("recipient", written.lower()))
        if shown and "@" not in shown:
            holder = Message()
            holder["Name"] = shown.replace("\n", " ").replace("\r", " ")
            name = shown_header(holder, "Name")
            if len(name) > 2:
                opened.victims.append(("name", name))


def _hops(message: Message, opened: Opened) -> None:
    seen: set[Observable] = set()
    for line in [str(each)[:2_000] for each in message.get_all("Received", [])[:_HOPS_LIMIT]]:
        before_by = re.split(r"\sby\s", line, maxsplit=1)[0]
        for first, second in _HOP.findall(before_by):
            try:
                seen.add(address(first or second))
            except Refused:
                continue
    for hop in sorted(seen):
        why = "A host that passed the mail on; others may send by it too."
        opened.findings.append(Finding(hop.type, hop.value, why, "Received", "carrier"))
