"""From a typed struct to the checks that its annotations and class rules ask for.

A plan is made once for each struct. Applying it converts the decoded object to the struct
(which checks JSON types, required properties and ranges in C), then runs the checks that
need more: times, references, vocabularies, values with an inner form, parts within parts.
Which of them an object needs is told by the names of its properties, and most objects have
the names of one before them: so that part of a plan is kept, as its `Course`.
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
_COURSES_LIMIT = 64
RESERVED = frozenset({"severity", "action", "username", "phone_numbers"})


@cache
def _own_id(kind: str) -> re.Pattern[str]:
    return re.compile(f"{re.escape(kind)}--{_UUID.pattern}")


def is_own_id(ref: str, kind: str) -> bool:
    """Whether `ref` is an identifier of an object of `kind`, which is one of STIX's own types."""
    return _own_id(kind).fullmatch(ref) is not None


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


class Course(NamedTuple):
    """What a plan checks of a value with certain properties, in the order of checking.

    `open` says that one of them may be of any depth, `lacking` that what is needed is not
    there.
    """

    times: tuple[str, ...]
    words: tuple[Words, ...]
    values: tuple[tuple[str, Check], ...]
    parts: tuple[tuple[str, Plan], ...]
    ordered: Pairs
    strictly: Pairs
    open: bool
    lacking: bool


class Plan(msgspec.Struct, frozen=True):
    """The checks of one struct, in the order in which they run.

    `plain` is true where nothing but the names of properties is left to check. `open`
    names the properties whose inside no struct describes, so that it may be of any depth;
    for `extensions`, `check_extensions` answers. `courses` keeps what was worked out for
    the sets of names that come again and again.
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
    courses: dict[tuple[str, ...], Course]


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
        frozenset(name for name in fields if name != "extensions" and _is_open(hints[name])),
        plain=not (times or words or values or parts or shape.needs),
        courses={},
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


def apply(plan: Plan, value: dict[str, Any], notes: Notes, path: str = "$") -> bool:
    """Check `value` against `plan`; what is advised against goes to `notes`.

    Returns whether a property that STIX defines, other than `extensions`, may be of any
    depth inside.

    Raises:
        Refused: `missing-property` or `bad-value`, with the JSON path.
    """
    try:
        msgspec.convert(value, plan.shape)
    except msgspec.ValidationError as error:
        raise _shape_refused(str(error), path) from None
    return _run(plan, value, notes, path)


def check_shape(shape: type[Part], value: Any, path: str) -> None:
    """Check JSON types, required properties and ranges alone."""
    try:
        msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise _shape_refused(str(error), path) from None


def _run(plan: Plan, value: dict[str, Any], notes: Notes, path: str) -> bool:
    """The checks of `plan` on a value whose JSON types are known to fit."""
    course = plan.courses.get(tuple(value))
    if course is None:
        if not plan.names.issuperset(value):
            _note_unknown(plan, value, notes, path)
        course = _course_of(plan, tuple(filter(plan.names.__contains__, value)))
    known_times = moment.known
    for name in course.times:
        if value[name] not in known_times and moment.parse_short(value[name]) is None:
            raise refused(f"{path}.{name}", NO_TIME)
    for name, known, check in course.words:
        found = value[name]
        fits = found in known if found.__class__ is str else known.issuperset(found)
        if not fits:
            check(found, f"{path}.{name}", notes)
    for name, check in course.values:
        check(value[name], f"{path}.{name}", notes)
    for name, part in course.parts:
        _run_parts(part, value[name], notes, f"{path}.{name}")
    if course.lacking:
        _refuse_lacking(plan, path)
    for first, second in course.ordered:
        one, other = value[first], value[second]
        if one != other and moment.is_before(other, one):
            raise refused(f"{path}.{second}", f"`{second}` lies before `{first}`.")
    for first, second in course.strictly:
        if not moment.is_before(value[first], value[second]):
            raise refused(f"{path}.{second}", f"`{second}` is not later than `{first}`.")
    return course.open


def _course_of(plan: Plan, names: tuple[str, ...]) -> Course:
    """The checks of a value with these properties, each one of the plan's own."""
    course = plan.courses.get(names)
    if course is None:
        has = frozenset(names)
        course = Course(
            tuple(name for name in plan.times if name in has),
            tuple(words for words in plan.words if words.name in has),
            tuple(pair for pair in plan.values if pair[0] in has),
            tuple(pair for pair in plan.parts if pair[0] in has),
            tuple(pair for pair in plan.ordered if has.issuperset(pair)),
            tuple(pair for pair in plan.strictly if has.issuperset(pair)),
            open=not plan.open.isdisjoint(has),
            lacking=bool(plan.needs) and has.isdisjoint(plan.needs),
        )
        if len(plan.courses) >= _COURSES_LIMIT:
            plan.courses.clear()
        plan.courses[names] = course
    return course


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
        _run(part, inner, notes, path)
        return
    for i, item in enumerate(inner):
        if not (part.plain and part.names.issuperset(item)):
            _run(part, item, notes, f"{path}[{i}]")


def _refuse_lacking(plan: Plan, path: str) -> None:
    names = ", ".join(f"`{name}`" for name in plan.needs)
    where = step(path, plan.needs[0])
    raise Refused("missing-property", f"At least one is needed: {names}.", where=where)


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
