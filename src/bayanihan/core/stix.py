"""Reading STIX 2.1: splitting a submission, and checking one object.

`split` cuts an envelope into its members without touching their bytes; `check` decides
about one member. The submitted bytes are never written anew: what STIX allows stays as it
is, unknown properties and custom types included.

What STIX says MUST be is refused, with the JSON path; what it says SHOULD be is a warning.

Source: OASIS STIX 2.1 sections 2, 3, 7 and 8; TAXII 2.1 section 3.7 (envelope).
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from bayanihan.core import json_bytes, moment
from bayanihan.core.marking import LEVEL_OF_ID
from bayanihan.errors import Refused

_KEY = re.compile(rb'[ \t\r\n]*([,{])[ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_SPACE = b" \t\r\n"

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Warning(msgspec.Struct, frozen=True):
    """What STIX advises against: accepted, and told to the submitter."""

    code: str
    path: str
    message: str


class Checked(msgspec.Struct, frozen=True):
    """What the hub needs to know of an object that passed.

    Times are UTC microseconds since 1970, None where the object's type has none.
    `marking_refs` are the ids of `object_marking_refs` and of granular markings, each once,
    in order. `statement` is true for a marking-definition that restricts nothing.
    """

    id: str
    type: str
    spec_version: str
    created_us: int | None
    version_us: int | None
    revoked: bool
    created_by_ref: str
    marking_refs: tuple[str, ...]
    statement: bool
    size_bytes: int
    warnings: tuple[Warning, ...] = ()


class Submission(msgspec.Struct, frozen=True):
    """What was sent, cut into members.

    `objects` holds each member's bytes as submitted. `spec_version` is the bundle's:
    "2.0", "2.1" or "" where none is given.
    """

    objects: list[bytes]
    spec_version: str = ""


def split(data: bytes) -> Submission:
    """Cut one STIX object, a bundle or a TAXII envelope into its members.

    The members themselves are not checked: that is `check`'s work, one by one, so that one
    bad object never sinks the others.

    Args:
        data: the submission in UTF-8. A byte order mark at its start is skipped.

    Raises:
        Refused: `empty`, `not-json` (with the byte offset), `not-an-envelope`, `bad-text`,
            `too-deep`, `duplicate-key` or `missing-property` in the envelope itself.
    """
    data = data.removeprefix(json_bytes.BOM).strip(_SPACE)
    if not data:
        raise Refused("empty", "Nothing was sent.")
    try:
        members = _members(data)
    except msgspec.ValidationError as error:
        if "out of range" in str(error):
            json_bytes.refuse_malformed(data, error)
        message = "The text is JSON, but neither a STIX object nor an envelope."
        raise Refused("not-an-envelope", message, where="$") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        json_bytes.refuse_malformed(data, error)
    _refuse_repeated(data, members)
    kind = _text(members, "type")
    if kind == "bundle":
        return _open_bundle(members)
    if kind is None and "objects" in members:
        return Submission(_cut(members["objects"]))
    if kind is None and "type" not in members and "id" not in members:
        message = "The JSON object is neither a STIX object, a bundle nor an envelope."
        raise Refused("not-an-envelope", message, where="$")
    return Submission([data])


def _refuse_repeated(data: bytes, members: dict[str, msgspec.Raw]) -> None:
    """Refuse a key that comes twice in the outermost object.

    Decoding keeps the last value of each key, so walking from key to key by the length of
    the kept values either meets every key once or meets a value that was not kept.
    """
    seen: set[str] = set()
    at = 0
    while found := _KEY.match(data, at):
        name = json.loads(found[2])
        value = members.get(name)
        if name in seen or value is None or not data.startswith(value, found.end()):
            where = json_bytes.step("$", name)
            message = f"The key {json.dumps(name)} is given twice."
            raise Refused("duplicate-key", message, where=where)
        seen.add(name)
        at = found.end() + len(memoryview(value))


def _text(members: dict[str, msgspec.Raw], name: str) -> str | None:
    """The string at `name`, or None where there is none."""
    raw = members.get(name)
    if raw is None:
        return None
    try:
        value = json_bytes.decode(bytes(raw))
    except Refused:
        return None
    return value if isinstance(value, str) else None


def _open_bundle(members: dict[str, msgspec.Raw]) -> Submission:
    if "id" not in members:
        raise Refused("missing-property", "The bundle has no `id`.", where="$.id")
    for name, raw in members.items():
        if name != "objects":
            _check_envelope_value(name, bytes(raw))
    objects = members.get("objects")
    if objects is None:
        raise Refused("empty", "The bundle holds no objects.", where="$.objects")
    return Submission(_cut(objects), _text(members, "spec_version") or "")


def _check_envelope_value(name: str, raw: bytes) -> None:
    try:
        json_bytes.strict(raw)
    except Refused as fault:
        where = json_bytes.step("$", name) + fault.where.removeprefix("$")
        raise Refused(fault.code, fault.message, where=where) from None


def _cut(raw: msgspec.Raw) -> list[bytes]:
    try:
        objects = [bytes(item) for item in _items(raw)]
    except msgspec.ValidationError:
        message = "`objects` is not a list."
        raise Refused("not-an-envelope", message, where="$.objects") from None
    if not objects:
        raise Refused("empty", "The envelope holds no objects.", where="$.objects")
    return objects


def check(raw: bytes) -> Checked:
    """Check one STIX 2.1 object in full.

    Raises:
        Refused: with the code and the JSON path of the first fault.
    """
    value = json_bytes.decode(raw)
    if not isinstance(value, dict):
        raise Refused("bad-value", "A STIX object is a JSON object.", where="$")
    if value.get("type") == "bundle":
        raise Refused("nested-bundle", "A bundle lies inside the bundle or envelope.", where="$")
    for name in ("type", "id"):
        if name not in value:
            raise Refused("missing-property", f"The object has no `{name}`.", where=f"$.{name}")
    kind, ref = value["type"], value["id"]
    if not isinstance(ref, str) or not _ID.fullmatch(ref) or not ref.startswith(f"{kind}--"):
        raise Refused("bad-value", "The id is not its type, two hyphens and a UUID.", where="$.id")
    created, modified = _us(value, "created"), _us(value, "modified")
    refs = dict.fromkeys(value.get("object_marking_refs", ()))
    statement = kind == "marking-definition" and value.get("definition_type") == "statement"
    return Checked(
        id=ref,
        type=kind,
        spec_version=value.get("spec_version", "2.1"),
        created_us=created,
        version_us=modified,
        revoked=value.get("revoked", False) is True,
        created_by_ref=value.get("created_by_ref", ""),
        marking_refs=tuple(refs),
        statement=statement and ref not in LEVEL_OF_ID,
        size_bytes=len(raw),
    )


_ID = re.compile(r"[a-z][a-z0-9-]+[a-z0-9]--[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _us(value: dict[str, Any], name: str) -> int | None:
    text = value.get(name)
    if text is None:
        return None
    us = moment.parse(text) if isinstance(text, str) else None
    if us is None:
        message = f"`{name}` is not a timestamp such as 2026-11-22T08:00:00.000Z."
        raise Refused("bad-value", message, where=f"$.{name}")
    return us
