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
from bayanihan.core.stix_observables import OBSERVABLES, Observable
from bayanihan.core.stix_plan import Plan, apply, is_identifier, is_own_id, is_uuid, plan_of
from bayanihan.core.stix_rules import RULES, check_extensions, check_markings
from bayanihan.core.stix_types import VERSIONED, Core, MarkingDefinition, Part
from bayanihan.core.stix_values import Notes, Warning  # noqa: A004
from bayanihan.errors import Refused

SHAPES: dict[str, type[Part]] = {
    **VERSIONED,
    **OBSERVABLES,
    "marking-definition": MarkingDefinition,
}
"""The types that STIX defines. Their plans are made at first use, so that a hub starts soon."""
WARNINGS_LIMIT = 100
_TYPE = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")

_KEY = re.compile(rb'[ \t\r\n]*([,{])[ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_SPACE = b" \t\r\n"
_ENVELOPE = b'{"objects":'

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Checked(msgspec.Struct, frozen=True, gc=False):
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
    "2.0", "2.1" or "" where none is given. `bare` is one object without anything around it.
    """

    objects: list[bytes]
    spec_version: str = ""
    bare: bool = False

    def place(self, number: int) -> str:
        """The JSON path of a member, counted from 0."""
        return "$" if self.bare else f"$.objects[{number}]"


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
    kind = _text(members, "type")
    if kind != "bundle" and ("type" in members or "id" in members):
        return Submission([data], bare=True)  # and `check` looks at all of it
    _refuse_repeated(data, members)
    if kind == "bundle":
        return _open_bundle(members)
    if "objects" not in members:
        message = "The JSON object is neither a STIX object, a bundle nor an envelope."
        raise Refused("not-an-envelope", message, where="$")
    _check_envelope(members)
    return Submission(_cut(members["objects"]))


def _refuse_repeated(data: bytes, members: dict[str, msgspec.Raw]) -> None:
    """Refuse a key that comes twice in the outermost object.

    Decoding keeps the last value of each key, so walking from key to key by the length of
    the kept values either meets every key once or meets a value that was not kept.
    """
    rest_bytes = len(data) - len(_ENVELOPE) - 1
    if data.startswith(_ENVELOPE) and len(memoryview(members["objects"])) == rest_bytes:
        return  # one key and its value fill it, as in nearly every envelope
    seen: set[str] = set()
    at = 0
    while found := _KEY.match(data, at):
        name = json.loads(found[2])
        value = members.get(name)
        if name in seen or value is None or not data.startswith(value, found.end()):
            where = json_bytes.step("$", name)
            raise Refused("duplicate-key", json_bytes.REPEATED, where=where)
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
    _check_envelope(members)
    objects = members.get("objects")
    if objects is None:
        raise Refused("empty", "The bundle holds no objects.", where="$.objects")
    return Submission(_cut(objects), _text(members, "spec_version") or "")


def _check_envelope(members: dict[str, msgspec.Raw]) -> None:
    """Check what stands beside the objects: it is small, and nothing else looks at it."""
    for name, raw in members.items():
        if name == "objects":
            continue
        try:
            json_bytes.strict(bytes(raw))
        except Refused as fault:
            inner = fault.where.removeprefix("$") if fault.where.startswith("$") else ""
            where = json_bytes.step("$", name) + inner
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

    Args:
        raw: the object's JSON text in UTF-8, without a byte order mark.

    Raises:
        Refused: what `json_bytes.strict` raises about the bytes; `nested-bundle`,
            `missing-property` or `bad-value` about the object, with its JSON path.
    """
    value = json_bytes.decode_any_depth(raw)
    kind = _kind_of(value)
    notes: Notes = []
    shape = SHAPES.get(kind)
    plan = plan_of(shape or _custom_shape(kind, value, notes))
    deep = apply(plan, value, notes)
    if shape is None or not is_own_id(value["id"], kind):
        _check_id(value["id"], kind)
    if "granular_markings" in value:
        check_markings(value)
    if "extensions" in value:
        deep = check_extensions(value, notes) or deep
    rule = RULES.get(kind)
    if rule is not None:
        rule(value, notes)
    if notes or deep:
        # Only what no struct describes can be deep, and of that there is a note, or it is told.
        json_bytes.limit_depth(raw, value)
    return _checked(raw, kind, plan, value, notes)


def _kind_of(value: Any) -> str:
    if not isinstance(value, dict):
        raise Refused("bad-value", "A STIX object is a JSON object.", where="$")
    kind = value.get("type")
    if kind is None:
        raise Refused("missing-property", "The object has no `type`.", where="$.type")
    if not isinstance(kind, str):
        raise Refused("bad-value", "The `type` is not a string.", where="$.type")
    if kind == "bundle":
        raise Refused("nested-bundle", "A bundle lies where an object belongs.", where="$")
    return kind


def _custom_shape(kind: str, value: dict[str, Any], notes: Notes) -> type[Part]:
    """The common properties alone, for a type that STIX does not define."""
    if not _TYPE.fullmatch(kind) or kind == "action" or not 3 <= len(kind) <= 250:
        message = "A type has 3 to 250 of a-z, 0-9 and single hyphens, and is not `action`."
        raise Refused("bad-value", message, where="$.type")
    notes.append(Warning("custom-type", "$.type", "STIX does not define this type; it is kept."))
    versioned = "created" in value or "modified" in value or _is_new_domain_object(value)
    return Core if versioned else Observable


def _is_new_domain_object(value: dict[str, Any]) -> bool:
    extensions = value.get("extensions")
    bodies = extensions.values() if isinstance(extensions, dict) else ()
    kinds = [body.get("extension_type") for body in bodies if isinstance(body, dict)]
    return "new-sdo" in kinds or "new-sro" in kinds


def _check_id(ref: str, kind: str) -> None:
    if ref.startswith(f"{kind}--") and is_uuid(ref, len(kind) + 2):
        return
    if not is_identifier(ref):
        message = "The id is not a type, two hyphens and a UUID."
        raise Refused("bad-value", message, where="$.id")
    message = f"The id does not begin with the object's type, `{kind}--`."
    raise Refused("bad-value", message, where="$.id")


def _checked(raw: bytes, kind: str, plan: Plan, value: dict[str, Any], notes: Notes) -> Checked:
    # A property that the type does not define may be anything, so each is asked of the plan.
    names = plan.names
    created = version = None
    revoked, author = False, ""
    if "created" in names:
        created = moment.parse_short(value["created"])
        author = value.get("created_by_ref", "")
    if "modified" in names:
        version = moment.parse_short(value["modified"])
        revoked = value.get("revoked", False)
    return Checked(
        value["id"],
        kind,
        "2.1",
        created,
        version,
        revoked,
        author,
        _marking_refs(value),
        kind == "marking-definition" and _is_statement(value),
        len(raw),
        _told(notes),
    )


def _told(notes: Notes) -> tuple[Warning, ...]:
    """The warnings, as many as a person reads, and how many more there are."""
    if len(notes) <= WARNINGS_LIMIT:
        return tuple(notes)
    message = f"{len(notes) - WARNINGS_LIMIT} more warnings like these are not shown."
    return (*notes[:WARNINGS_LIMIT], Warning("more", "$", message))


def _is_statement(value: dict[str, Any]) -> bool:
    return value.get("definition_type") == "statement" and value["id"] not in LEVEL_OF_ID


def _marking_refs(value: dict[str, Any]) -> tuple[str, ...]:
    refs: list[str] = value.get("object_marking_refs", [])
    granular = value.get("granular_markings")
    if granular is None and len(refs) < 2:
        return tuple(refs)
    inner = [mark["marking_ref"] for mark in granular or () if "marking_ref" in mark]
    return tuple(dict.fromkeys([*refs, *inner]))


class _Head(msgspec.Struct):
    """What tells STIX 2.0 from 2.1."""

    type: Any = None
    spec_version: Any = None
    created: Any = None
    object_refs: Any = None


_head = msgspec.json.Decoder(_Head).decode


def spec_of(raw: bytes) -> str:
    """Tell "2.0" from "2.1": by which specification was `raw` written?

    An object of 2.0 has no `spec_version` (its bundle has it). An observable needs none in
    2.1 and never stands alone in 2.0. What cannot be read counts as 2.1: `check` then says
    what is wrong with it.
    """
    try:
        head = _head(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "2.1"
    if head.spec_version is not None:
        return "2.0" if head.spec_version == "2.0" else "2.1"
    if not isinstance(head.type, str) or head.type in OBSERVABLES or head.created is None:
        return "2.1"
    newer = head.type == "observed-data" and head.object_refs is not None
    return "2.1" if newer else "2.0"
