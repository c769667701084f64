"""The three error families, their codes, and one renderer per surface.

A caller can do one of three things about an error, so there are three families:

* `Refused`: what was sent is at fault. Mend it and send it again.
* `Unavailable`: the hub cannot take it now. Wait, then send the same again.
* `Broken`: the hub's own record, disk or set-up is at fault. Its operator must act.

Each error carries a code from `CODES`, a sentence, the next step, and where in the
input it arose. This module imports nothing of ours, so every room may raise from it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

Family = Literal["refused", "unavailable", "broken"]


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the error catalogue: HTTP status and the default next step."""

    status: int
    family: Family
    next_step: str


CODES: dict[str, Code] = {
    # what was sent
    "not-http": Code(400, "refused", "Send HTTP/1.1 as RFC 9112 has it."),
    "not-json": Code(400, "refused", "Send valid JSON in UTF-8."),
    "not-an-envelope": Code(
        422,
        "refused",
        'Send one STIX object, a bundle, or an envelope {"objects": [...]}.',
    ),
    "empty": Code(400, "refused", "Send at least one object."),
    "too-large": Code(413, "refused", "Split the input into smaller pieces and send each."),
    "too-slow": Code(408, "refused", "Send the whole body without a long pause."),
    "too-deep": Code(400, "refused", "Flatten the object: nesting is limited."),
    "duplicate-key": Code(400, "refused", "Give each key once in each JSON object."),
    "bad-number": Code(400, "refused", "Use a number that JSON readers agree on."),
    "bad-text": Code(400, "refused", "Remove lone surrogates and invalid UTF-8."),
    "bad-value": Code(400, "refused", "Correct the value at the place named."),
    "missing-property": Code(400, "refused", "Add the property that is named."),
    "nested-bundle": Code(400, "refused", "Send the inner bundle's objects by themselves."),
    "conflict": Code(
        409,
        "refused",
        "Give the changed object a later `modified`; a published version never changes.",
    ),
    "bad-parameter": Code(400, "refused", "Correct the parameter that is named."),
    "bad-cursor": Code(400, "refused", "Start again without a cursor."),
    "bad-signature": Code(400, "refused", "Sign the exact bytes again with the registered key."),
    "hub-key-changed": Code(
        409,
        "refused",
        "Ask the hub's operator, by another way than the hub, whether its key was changed. Only "
        "then remove the file that is named, or give the new key with --hub-key.",
    ),
    "history-rewritten": Code(
        409, "refused", "Keep the witness file, and ask the operator for the proof."
    ),
    "reset": Code(410, "refused", "Start again without a cursor: the hub's history was restored."),
    "not-found": Code(404, "refused", "Check the name, or your right to see it."),
    "method-not-allowed": Code(405, "refused", "Use a method that the reference lists here."),
    "not-signed-in": Code(
        401,
        "refused",
        "Send `Authorization: Bearer byn_...`, or the key as the password of any user name.",
    ),
    "not-permitted": Code(403, "refused", "Use the key of somebody who may; the message says who."),
    "not-acceptable": Code(
        406, "refused", "Send `Accept: application/taxii+json;version=2.1`, or no Accept at all."
    ),
    "wrong-media-type": Code(415, "refused", "Send `Content-Type: application/json`."),
    "erased": Code(410, "refused", "Nothing: the body was erased; its proof remains."),
    "withdrawn": Code(410, "refused", "Drop what you hold of it; its author took it back."),
    "pending": Code(
        403, "refused", "A person must accept the new agent key: `bayanihan key trust`."
    ),
    "bad-setting": Code(500, "refused", "Correct the setting in hub.toml."),
    "wrong-use": Code(400, "refused", "See `--help`."),
    "cannot-read": Code(400, "refused", "Check that the file exists and can be read."),
    "cannot-write": Code(400, "refused", "Check that the folder exists and may be written."),
    "in-use": Code(409, "refused", "Stop the other one, or name another file."),
    "check-failed": Code(409, "refused", "Mend the check command or the feed; the old file stays."),
    "reload-failed": Code(409, "refused", "Mend the reload command; the old file was put back."),
    "no-isolation": Code(409, "refused", "Install bubblewrap, or name a weaker isolation."),
    "tool-failed": Code(409, "refused", "Mend the tool; what it said last is shown."),
    "lease-lost": Code(409, "refused", "Take another shard: what came late is asked again."),
    "not-attestable": Code(409, "refused", "Run the trial again in isolation, L1 or stronger."),
    "not-trusted": Code(403, "refused", "Ask the authority for its key, or refuse the statement."),
    "expired": Code(410, "refused", "Run the trial again and have it signed anew."),
    "revoked": Code(410, "refused", "Do not rely on it; ask its authority for the reason."),
    "not-reproduced": Code(409, "refused", "Do not rely on it; tell its authority what differed."),
    # not now
    "too-many": Code(429, "unavailable", "Wait for the seconds named, then send it again."),
    "overloaded": Code(503, "unavailable", "Wait for the seconds named, then send it again."),
    "starting": Code(503, "unavailable", "Wait until /health/ready answers 200."),
    "stopping": Code(503, "unavailable", "Send it again when the hub is back."),
    "hub-unreachable": Code(
        503, "unavailable", "Start the hub with `bayanihan up`, or name it with --hub."
    ),
    "feed-damaged": Code(
        502, "unavailable", "Wait: it is fetched again. See what stands between here and the hub."
    ),
    "feed-refused": Code(
        503, "unavailable", "Wait: the hub tries again. Its operator sees why in `feed --list`."
    ),
    "disk-full": Code(507, "unavailable", "Free space on the hub's disk; nothing was stored."),
    "store-away": Code(
        503, "unavailable", "Wait: the hub goes on by itself when its database is back."
    ),
    "clock-behind": Code(
        503, "unavailable", "Wait for the seconds named; set the hub's clock if it stays so."
    ),
    # ours
    "data-locked": Code(500, "broken", "Stop the other hub that uses this data directory."),
    "data-newer": Code(500, "broken", "Use the version that wrote this data directory."),
    "record-damaged": Code(500, "broken", "Run `bayanihan verify`; restore the last backup."),
    "history-lost": Code(
        500,
        "broken",
        "Promote the server that has the missing entries, or begin a new history: see `restore`.",
    ),
    "clock-jumped": Code(500, "broken", "Set the machine's clock, then start the hub again."),
    "internal": Code(500, "broken", "Report the error id to the operator."),
}


class BayanihanError(Exception):
    """Base of the three families. Raise a family, catch this.

    Args:
        code: a key of `CODES`.
        message: one sentence for a person, without the next step.
        where: JSON path, parameter, file or setting at fault; "" when there is none.
        next_step: replaces the catalogue's next step when something better is known.
        retry_after_s: for `Unavailable`: seconds after which it is worth trying again.
    """

    family: Family = "broken"

    def __init__(
        self,
        code: str,
        message: str,
        *,
        where: str = "",
        next_step: str = "",
        retry_after_s: int | None = None,
    ) -> None:
        entry = CODES[code]
        assert entry.family == self.family, f"{code} belongs to {entry.family}"
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.next_step = next_step or entry.next_step
        self.status = entry.status
        self.retry_after_s = retry_after_s


class Refused(BayanihanError):
    """What was sent is at fault: mend it and send it again."""

    family: Family = "refused"


class Unavailable(BayanihanError):
    """The hub cannot take it now: wait and send the same again."""

    family: Family = "unavailable"


class Broken(BayanihanError):
    """The hub's own record, disk or set-up is at fault: its operator must act."""

    family: Family = "broken"


def as_dict(error: BayanihanError) -> dict[str, Any]:
    """The JSON shape that every endpoint and `--json` command answers with."""
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "next_step": error.next_step,
            "where": error.where,
        }
    }


def as_json(error: BayanihanError) -> bytes:
    """`as_dict` as UTF-8 bytes."""
    return _as_bytes(as_dict(error))


def _as_bytes(document: dict[str, Any]) -> bytes:
    # Half a surrogate pair is written as the escape that JSON has for it.
    return json.dumps(document, ensure_ascii=False).encode(errors="backslashreplace")


_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def plain(text: str) -> str:
    """Text of others made safe to print: what steers a terminal or turns its lines is escaped.

    Line ends are kept; a value that must stay on one line goes through `one_line` first.
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    """As `plain`, on a single line."""
    return plain(text).replace("\n", "\\n").replace("\t", "\\t")


TAXII_MEDIA_TYPE = "application/taxii+json;version=2.1"


def as_taxii(error: BayanihanError) -> bytes:
    """The TAXII error message as UTF-8 bytes (TAXII 2.1 section 3.6.1)."""
    document = {
        "title": error.message,
        "description": error.next_step,
        "error_code": error.code,
        "http_status": str(error.status),
        **({"details": {"where": error.where}} if error.where else {}),
    }
    return _as_bytes(document)


def as_text(error: BayanihanError) -> str:
    """One sentence plus the next step, for the command line."""
    place = f" ({error.where})" if error.where else ""
    sentence, next_step = one_line(error.message + place), one_line(error.next_step)
    return f"{sentence} [{error.code}]\n  Next: {next_step}"
