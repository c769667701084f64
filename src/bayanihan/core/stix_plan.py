"""From a typed struct to the checks that its annotations and class rules ask for.

A plan is made once for each struct. Applying it converts the decoded object to the struct
(which checks JSON types, required properties and ranges in C), then runs the checks that
need more: times, references, vocabularies, values with an inner form, parts within parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, partial
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from bayanihan.core import moment
from bayanihan.core.json_bytes import step
from bayanihan.core.stix_types import Pairs, Part
from bayanihan.core.stix_values import (
    CHECKS,
    NO_TIME,
    Check,
    Notes,
    Warning,  # noqa: A004
    check_language,
    refuse_nothing,
    refused,
)
from bayanihan.core.stix_vocab import VOCABULARIES
from bayanihan.errors import Refused

_UUID = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
)
_HEAD = re.compile(r"[a-z][a-z0-9-]{1,248}[a-z0-9]--")
_PROPERTY = re.compile(r"[a-z][a-z0-9_]{2,249}|id")
_AT = re.compile(r"^(.*?)(?: - at `(.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
# The message may quote the value, which may be as long as the submission.
_MESSAGE_SHOWN = 200
_KNOWN_LIMIT = 4096
RESERVED = frozenset({"severity", "action", "username", "phone_numbers"})


def is_uuid(text: str, start: int = 0) -> bool:
    """Whether `text` from `start` on is a UUID of RFC 9562, versions 1 to 8."""
    return _UUID.fullmatch(text, start) is not None


def is_identifier(text: str) -> bool:
    """Whether `text` is a STIX identifier: type, two hyphens, UUID (section 2.9)."""
    return is_uuid(text, max(len(text) - 36, 0)) and _HEAD.fullmatch(text[:-36]) is not None


class Words(NamedTuple):
    """A property that holds a word or a list of words: references, vocabulary, languages.

    Words that are in `known` fit; a set answers for a whole list at once, and the same few
    authors, markings and terms come again and again. For the others `check` decides.
    """

    name: str
    known: frozenset[str] | set[str]
    check: Check


class Plan(msgspec.Struct, frozen=True):
    """The checks of one struct, in the order in which they run.

    `plain` is true where nothing but the names of properties is left to check. `open`
    names the properties whose inside no struct describes, so that it may be of any depth.
    """

    shape: type[Part]
    names: frozenset[str]
    times: tuple[str, ...]
    words: tuple[Words, ...]
    values: tuple[tuple[str, Check], ...]
    parts: tuple[tuple[str, Plan], ...]
    needs: tuple[str, ...]
    ordered: Pairs
    strictly: Pairs
    open: frozenset[str]
    plain: bool


@cache
def plan_of(shape: type[Part]) -> Plan:
    """The plan of a struct, made at first use."""
    times: list[str] = []
    words: list[Words] = []
    values: list[tuple[str, Check]] = []
    parts: list[tuple[str, Plan]] = []
    hints = get_type_hints(shape, include_extras=True)
    fields = [field.name for field in msgspec.structs.fields(shape)]
    for name in fields:
        for node in _nodes(hints[name]):
            if isinstance(node, type) and issubclass(node, Part):
                parts.append((name, plan_of(node)))
            extra = (node.extra if isinstance(node, msgspec.Meta) else None) or {}
            check = extra.get("check")
            if "ref" in extra or "vocab" in extra or check == "language":
                words.append(_words(name, extra))
            elif check == "time":
                times.append(name)
            elif check in CHECKS:
                values.append((name, CHECKS[check]))
    return Plan(
        shape,
        frozenset(fields),
        tuple(times),
        tuple(words),
        tuple(values),
        tuple(parts),
        shape.needs,
        shape.ordered,
        shape.strictly,
        frozenset(name for name in fields if _is_open(hints[name])),
        plain=not (times or words or values or parts or shape.needs),
    )


def _is_open(hint: Any) -> bool:
    return any(get_origin(node) is dict for node in _nodes(hint))


def _words(name: str, extra: dict[str, Any]) -> Words:
    if "vocab" in extra:
        vocabulary = VOCABULARIES[extra["vocab"]]
        return Words(name, vocabulary, partial(_advise_terms, vocabulary))
    known: set[str] = set()
    if "ref" not in extra:
        return Words(name, known, partial(_check_words, known, check_language))
    allowed, never, advised = (
        tuple(f"{kind}--" for kind in extra.get(key, ())) for key in ("ref", "never", "advised")
    )
    check = partial(_check_ref, allowed, never, advised)
    return Words(name, known, partial(_check_words, known, check))


def _nodes(hint: Any) -> Iterator[Any]:
    """The annotation and everything inside it, `Meta` included."""
    yield hint
    for inner in get_args(hint):
        yield from _nodes(inner)


def apply(plan: Plan, value: dict[str, Any], notes: Notes, path: str = "$") -> None:
    """Check `value` against `plan`; what is advised against goes to `notes`.

    Raises:
        Refused: `missing-property` or `bad-value`, with the JSON path.
    """
    try:
        msgspec.convert(value, plan.shape)
    except msgspec.ValidationError as error:
        raise _shape_refused(str(error), path) from None
    run(plan, value, notes, path)


def check_shape(shape: type[Part], value: Any, path: str) -> None:
    """Check JSON types, required properties and ranges alone."""
    try:
        msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise _shape_refused(str(error), path) from None


def run(plan: Plan, value: dict[str, Any], notes: Notes, path: str) -> None:
    """The checks of `plan` on a value whose JSON types are known to fit."""
    get = value.get
    parse_time = moment.parse_short
    if not plan.names.issuperset(value):
        _note_unknown(plan, value, notes, path)
    for name in plan.times:
        text = get(name)
        if text is not None and parse_time(text) is None:
            raise refused(f"{path}.{name}", NO_TIME)
    for name, known, check in plan.words:
        found = get(name)
        if found is None:
            continue
        fits = found in known if found.__class__ is str else known.issuperset(found)
        if not fits:
            check(found, f"{path}.{name}", notes)
    for name, check in plan.values:
        inner = get(name)
        if inner is not None:
            check(inner, f"{path}.{name}", notes)
    for name, part in plan.parts:
        inner = get(name)
        if inner is not None:
            _run_parts(part, inner, notes, f"{path}.{name}")
    _check_together(plan, value, path)


def _note_unknown(plan: Plan, value: dict[str, Any], notes: Notes, path: str) -> None:
    for name, item in value.items():
        if name not in plan.names:
            check_property(name, item, path)
            message = "STIX does not define this property here; it is kept."
            notes.append(Warning("custom-property", step(path, name), message))


def check_property(name: str, value: Any, path: str) -> None:
    """A property that no struct names: its name must fit, and it must have a value.

    Source: STIX 2.1 sections 3.1 and 11.
    """
    here = step(path, name)
    if not _PROPERTY.fullmatch(name):
        raise refused(here, "A property name has 3 to 250 of a-z, 0-9 and underscore.")
    if path == "$" and name in RESERVED:
        raise refused(here, f"STIX reserves the property name `{name}`.")
    refuse_nothing(value, here)


def _check_words(
    known: set[str], check: Check, found: str | list[str], path: str, notes: Notes
) -> None:
    """Check each word that is not known yet; what draws no warning is known from now on."""
    if len(known) >= _KNOWN_LIMIT:
        known.clear()
    if isinstance(found, str):
        _check_word(known, check, found, path, notes)
        return
    for i, word in enumerate(found):
        if word not in known:
            _check_word(known, check, word, f"{path}[{i}]", notes)


def _check_word(known: set[str], check: Check, word: str, path: str, notes: Notes) -> None:
    before = len(notes)
    check(word, path, notes)
    if len(notes) == before:
        known.add(word)


def _check_ref(
    allowed: tuple[str, ...],
    never: tuple[str, ...],
    advised: tuple[str, ...],
    ref: str,
    path: str,
    notes: Notes,
) -> None:
    """`allowed`, `never` and `advised` are heads of identifiers such as `identity--`."""
    if not is_identifier(ref):
        raise refused(path, "This is no STIX identifier: a type, two hyphens and a UUID.")
    if allowed and not ref.startswith(allowed):
        raise refused(path, f"This must refer to: {_kinds(allowed)}.")
    if never and ref.startswith(never):
        raise refused(path, f"This must not refer to: {ref.partition('--')[0]}.")
    if advised and not ref.startswith(advised):
        notes.append(Warning("reference", path, f"This should refer to: {_kinds(advised)}."))


def _kinds(heads: tuple[str, ...]) -> str:
    return " or ".join(head.removesuffix("--") for head in heads)


def _advise_terms(
    vocabulary: frozenset[str], found: str | list[str], path: str, notes: Notes
) -> None:
    for term in (found,) if isinstance(found, str) else found:
        if term not in vocabulary:
            message = f"`{term[:60]}` is not in the STIX vocabulary for this property."
            notes.append(Warning("vocabulary", path, message))


def _run_parts(part: Plan, inner: Any, notes: Notes, path: str) -> None:
    if isinstance(inner, dict):
        run(part, inner, notes, path)
        return
    for i, item in enumerate(inner):
        if not (part.plain and part.names.issuperset(item)):
            run(part, item, notes, f"{path}[{i}]")


def _check_together(plan: Plan, value: dict[str, Any], path: str) -> None:
    if plan.needs and value.keys().isdisjoint(plan.needs):
        names = ", ".join(f"`{name}`" for name in plan.needs)
        where = step(path, plan.needs[0])
        raise Refused("missing-property", f"At least one is needed: {names}.", where=where)
    for first, second in plan.ordered:
        one, other = value.get(first), value.get(second)
        if one != other and one and other and moment.is_before(other, one):
            raise refused(f"{path}.{second}", f"`{second}` lies before `{first}`.")
    for first, second in plan.strictly:
        one, other = value.get(first), value.get(second)
        if one and other and not moment.is_before(one, other):
            raise refused(f"{path}.{second}", f"`{second}` is not later than `{first}`.")


def _shape_refused(text: str, path: str) -> Refused:
    """What msgspec said about the shape, with the path in our spelling."""
    found = _AT.match(text)
    message, at = (found[1], found[2] or "$") if found else (text, "$")
    here = path + at.removeprefix("$")
    missing = _MISSING.fullmatch(message)
    if missing:
        where = step(here, missing[1])
        return Refused("missing-property", f"The property `{missing[1]}` is missing.", where=where)
    return Refused("bad-value", f"{message[:_MESSAGE_SHOWN]}.", where=here)
