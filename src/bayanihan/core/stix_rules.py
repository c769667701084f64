"""What STIX 2.1 asks of each type beyond the shape of its properties.

One function for each type that needs one, `RULES` by type, and `check_markings` and
`check_extensions` for every object. Each takes the decoded object, whose shape is known
to fit, and the list that warnings go to.

Source: OASIS STIX 2.1 sections 2.5, 4 to 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from bayanihan.core import ai, moment, pattern
from bayanihan.core.json_bytes import step
from bayanihan.core.marking import TLP_1_IDS
from bayanihan.core.stix_extensions import PREDEFINED
from bayanihan.core.stix_plan import apply, check_property, check_shape, is_identifier, plan_of
from bayanihan.core.stix_types import EXTENSION_TYPES, VERSIONED, ExtensionBody
from bayanihan.core.stix_values import Notes, Warning, is_language, refused  # noqa: A004
from bayanihan.errors import Refused

Rule = Callable[[dict[str, Any], Notes], None]

_CUSTOM_EXTENSION = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*-ext")
_INDEX = re.compile(r"\[(0|[1-9]\d{0,8})\]", re.ASCII)
_PROPERTY = re.compile(r"[a-z][a-z0-9_]{2,249}|id")
_STRINGS = re.compile(r"'(?:[^'\\]|\\.)*'")
# A colon that does not stand between two names: cheap to find, and mostly found in strings.
_ODD_COLON = re.compile(r":(?<![\w-]{3}:)|:(?![\w-]{3}|//)", re.ASCII)
_SHORT_NAME = re.compile(r"(?<![\w-])[\w-]{1,2}:|:[\w-]{1,2}(?![\w-])", re.ASCII)
_TLP_1_CREATED_US = moment.parse("2017-01-20T00:00:00.000Z")
_TLP_1_WORDS = {ref: "white" if level == "clear" else level for level, ref in TLP_1_IDS.items()}
# Ids of extension definitions and names of what they add that passed before.
_usual_definitions: set[str] = set()
_usual_names: set[str] = set()
_USUAL_LIMIT = 1024
_FLAT = frozenset({str, int, float, bool})
_CONTRIBUTING = {
    "artifact": ("hashes", "payload_bin"),
    "email-message": ("from_ref", "subject", "body"),
    "user-account": ("account_type", "user_id", "account_login"),
    "windows-registry-key": ("key", "values"),
    "x509-certificate": ("hashes", "serial_number"),
    "process": (),
}


def check_markings(value: dict[str, Any]) -> None:
    """Section 7.2.3: one of `lang` and `marking_ref`, and selectors that point at something."""
    for i, marking in enumerate(value["granular_markings"]):
        path = f"$.granular_markings[{i}]"
        if ("lang" in marking) == ("marking_ref" in marking):
            raise refused(path, "A granular marking has either `lang` or `marking_ref`.")
        for j, selector in enumerate(marking["selectors"]):
            if not _selects(value, selector):
                message = "The selector points at nothing in this object."
                raise refused(f"{path}.selectors[{j}]", message)


def _selects(value: Any, selector: str) -> bool:
    """Whether `selector` leads to something; a key with dots is tried as a whole, too."""
    rest = selector
    while rest:
        if isinstance(value, dict):
            key = _longest_key(value, rest)
            if key is None:
                return False
            value, rest = value[key], rest[len(key) :]
        else:
            found = _INDEX.match(rest)
            if not isinstance(value, list) or not found or int(found[1]) >= len(value):
                return False
            value, rest = value[int(found[1])], rest[found.end() :]
        if rest and not rest.startswith("."):
            return False
        if rest == ".":
            return False
        rest = rest[1:]
    return bool(selector)


def _longest_key(value: dict[str, Any], rest: str) -> str | None:
    keys = [key for key in value if rest == key or rest.startswith(f"{key}.")]
    return max(keys, key=len, default=None)


def check_extensions(value: dict[str, Any], notes: Notes) -> bool:
    """Section 7.3 and 6: predefined, by definition, or custom and advised against.

    Returns whether what an extension holds may be of any depth.
    """
    extensions = value["extensions"]
    deep = False
    for key, body in extensions.items():
        if not (key in _usual_definitions and _is_usual(body)):
            _check_extension(value["type"], key, body, notes)
            deep = True
    ai.vector_of(extensions)
    return deep


def _is_usual(body: Any) -> bool:
    """Whether what a definition adds has names that passed before, and flat values."""
    return (
        body.__class__ is dict
        and body.get("extension_type") in EXTENSION_TYPES
        and _usual_names.issuperset(body)
        and _FLAT.issuperset(map(type, body.values()))
    )


def _check_extension(kind: str, key: str, body: Any, notes: Notes) -> None:
    predefined = PREDEFINED.get(kind, {})
    path = step("$.extensions", key)
    if not isinstance(body, dict) or not body:
        raise refused(path, "An extension is a JSON object that is not empty.")
    if key in predefined:
        apply(plan_of(predefined[key]), body, notes, path)
    elif key.startswith("extension-definition--") and is_identifier(key):
        _check_defined(body, path)
        _remember(_usual_definitions, {key})
        _remember(_usual_names, body.keys())
    elif _CUSTOM_EXTENSION.fullmatch(key):
        _check_names(body, path)
        message = "STIX does not define this extension; it is kept."
        notes.append(Warning("custom-extension", path, message))
    else:
        raise refused(path, "An extension is named by its definition's id, or ends in `-ext`.")


def _remember(usual: set[str], fresh: Collection[str]) -> None:
    """Add to a set that starts anew when it is full, and never holds more than its limit."""
    if len(usual) + len(fresh) > _USUAL_LIMIT:
        usual.clear()
    if len(fresh) <= _USUAL_LIMIT:
        usual.update(fresh)


def _check_defined(body: dict[str, Any], path: str) -> None:
    """What a definition adds is its own business: no warning for its properties."""
    check_shape(ExtensionBody, body, path)
    _check_names(body, path)


def _check_names(body: dict[str, Any], path: str) -> None:
    for name, item in body.items():
        check_property(name, item, path)


def extension_types(value: dict[str, Any]) -> set[str]:
    """The `extension_type` of each extension of an object that was checked."""
    bodies = value.get("extensions", {}).values()
    return {body["extension_type"] for body in bodies if "extension_type" in body}


def _indicator(value: dict[str, Any], notes: Notes) -> None:
    if "name" not in value or "description" not in value:
        message = "An indicator should say what it is: `name` and `description`."
        notes.append(Warning("undescribed", "$", message))
    if value["pattern_type"] != "stix":
        return
    text = value["pattern"]
    if pattern.is_usual(text):
        return
    try:
        pattern.validate(text)
    except Refused as fault:
        where = f"$.pattern {fault.where}".rstrip()
        raise Refused(fault.code, fault.message, where=where) from None
    if _ODD_COLON.search(text) and _SHORT_NAME.search(_STRINGS.sub("''", text)):
        raise refused("$.pattern", "Types and properties in a pattern have 3 characters or more.")


def _malware(value: dict[str, Any], notes: Notes) -> None:
    if value["is_family"] and "name" not in value:
        raise Refused("missing-property", "A malware family has a name.", where="$.name")


def _location(value: dict[str, Any], notes: Notes) -> None:
    for name, other in (("latitude", "longitude"), ("longitude", "latitude")):
        if name in value and other not in value:
            message = f"`{name}` comes with `{other}`."
            raise Refused("missing-property", message, where=f"$.{other}")
    if "precision" in value and "latitude" not in value:
        message = "`precision` comes with `latitude` and `longitude`."
        raise Refused("missing-property", message, where="$.latitude")


def _observed_data(value: dict[str, Any], notes: Notes) -> None:
    if "objects" in value and "object_refs" in value:
        raise refused("$.objects", "Give `object_refs` or `objects`, not both.")
    for key, item in value.get("objects", {}).items():
        path = step("$.objects", key)
        if not isinstance(item, dict) or not isinstance(item.get("type"), str):
            raise refused(path, "An observable is a JSON object with a `type`.")
    if "objects" in value:
        message = "`objects` is deprecated: share the observables and name them in `object_refs`."
        notes.append(Warning("deprecated", "$.objects", message))
    for i, ref in enumerate(value.get("object_refs", ())):
        kind = ref.partition("--")[0]
        if kind in VERSIONED and kind not in ("relationship", "sighting"):
            message = "Observed data refers to observables and the relationships between them."
            raise refused(f"$.object_refs[{i}]", message)


def _language_content(value: dict[str, Any], notes: Notes) -> None:
    for tag, texts in value["contents"].items():
        path = step("$.contents", tag)
        if not is_language(tag):
            raise refused(path, "Contents are keyed by RFC 5646 language tags.")
        if not isinstance(texts, dict):
            raise refused(path, "The contents in one language are a JSON object.")
        for name in texts:
            if not _PROPERTY.fullmatch(name):
                raise refused(step(path, name), "This is no name of a STIX property.")


def _extension_definition(value: dict[str, Any], notes: Notes) -> None:
    if "description" not in value:
        message = "An extension definition should have a description."
        notes.append(Warning("undescribed", "$.description", message))
    toplevel = "toplevel-property-extension" in value["extension_types"]
    if "extension_properties" in value and not toplevel:
        message = "`extension_properties` belongs to a toplevel-property-extension."
        raise refused("$.extension_properties", message)


def _marking_definition(value: dict[str, Any], notes: Notes) -> None:
    markings = value.get("granular_markings", ())
    own = value["id"]
    if own in value.get("object_marking_refs", ()):
        raise refused("$.object_marking_refs", "A marking does not mark itself.")
    if any(marking.get("marking_ref") == own for marking in markings):
        raise refused("$.granular_markings", "A marking does not mark itself.")
    kind = value.get("definition_type")
    if kind is None or "definition" not in value:
        if "extensions" not in value:
            name = "definition_type" if kind is None else "definition"
            message = f"A marking definition without extensions has `{name}`."
            raise Refused("missing-property", message, where=f"$.{name}")
    elif kind == "tlp":
        _check_tlp(value, notes)
    elif kind == "statement":
        if not isinstance(value["definition"].get("statement"), str):
            message = "A statement marking has the text `statement`."
            raise Refused("missing-property", message, where="$.definition.statement")
    else:
        message = "STIX defines the types `statement` and `tlp` alone; it is kept."
        notes.append(Warning("vocabulary", "$.definition_type", message))


def _check_tlp(value: dict[str, Any], notes: Notes) -> None:
    """Section 7.2.1.4: these four objects and no other."""
    word = _TLP_1_WORDS.get(value["id"])
    if word is None or value["definition"] != {"tlp": word}:
        message = "This is none of the four TLP definitions of STIX 2.1: refer to those by id."
        raise refused("$.definition", message)
    if moment.parse(value["created"]) != _TLP_1_CREATED_US:
        raise refused("$.created", "The TLP definitions were created 2017-01-20T00:00:00.000Z.")
    name = value.get("name")
    if name is None:
        notes.append(Warning("undescribed", "$.name", f"Its name is TLP:{word.upper()}."))
    elif name != f"TLP:{word.upper()}":
        raise refused("$.name", f"The name of this definition is TLP:{word.upper()}.")


def _artifact(value: dict[str, Any], notes: Notes) -> None:
    if "payload_bin" in value and "url" in value:
        raise refused("$.url", "An artifact has `payload_bin` or `url`, not both.")
    if "url" in value and "hashes" not in value:
        message = "An artifact at a `url` has `hashes`."
        raise Refused("missing-property", message, where="$.hashes")
    if "decryption_key" in value and "encryption_algorithm" not in value:
        message = "A `decryption_key` comes with `encryption_algorithm`."
        raise Refused("missing-property", message, where="$.encryption_algorithm")
    _advise_id(value, notes)


def _email_message(value: dict[str, Any], notes: Notes) -> None:
    name = "body" if value["is_multipart"] else "body_multipart"
    if name in value:
        other = "body_multipart" if value["is_multipart"] else "body"
        raise refused(f"$.{name}", f"By `is_multipart` the content is in `{other}`.")
    _advise_id(value, notes)


def _network_traffic(value: dict[str, Any], notes: Notes) -> None:
    if value.get("is_active") and "end" in value:
        raise refused("$.end", "Traffic that is active has no end yet.")


def _advise_id(value: dict[str, Any], notes: Notes) -> None:
    """Section 2.9: without contributing properties an observable's UUID is random."""
    names = _CONTRIBUTING[value["type"]]
    if value.keys().isdisjoint(names) and value["id"][-22] != "4":
        notes.append(Warning("identifier", "$.id", "The UUID of this observable should be random."))


RULES: dict[str, Rule] = {
    "indicator": _indicator,
    "malware": _malware,
    "location": _location,
    "observed-data": _observed_data,
    "language-content": _language_content,
    "extension-definition": _extension_definition,
    "marking-definition": _marking_definition,
    "artifact": _artifact,
    "email-message": _email_message,
    "network-traffic": _network_traffic,
    "process": _advise_id,
    "user-account": _advise_id,
    "windows-registry-key": _advise_id,
    "x509-certificate": _advise_id,
}
