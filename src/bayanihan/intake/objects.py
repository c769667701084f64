"""From submitted bytes to checked, marked drafts: the only way in for STIX objects.

Each object is judged by itself. What passes becomes a draft with the exact bytes that
were sent (or their upgrade from STIX 2.0, with the digest of the original); what does not
is listed with its code, its place and the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bayanihan.core import moment, stix, stix_values
from bayanihan.core.marking import (
    LEVEL_OF_ID,
    REGION,
    Audience,
    Group,
    Viewer,
    admitting,
    effective,
    may_see,
    strictest,
)
from bayanihan.errors import Refused
from bayanihan.intake.upgrade import upgrade
from bayanihan.ledger import Appended, Draft

# Each object goes to every open stream whole; of 51,000 public ones the largest has 343 KiB.
OBJECT_LIMIT_BYTES = 1024 * 1024
# Nothing could ever supersede what is dated far ahead; a day is for clocks set wrongly.
AHEAD_LIMIT_US = 24 * 3_600 * 1_000_000


class Terms(msgspec.Struct, frozen=True):
    """Under which terms one submission is taken.

    `unmarked` is the level for objects without one; `default` the level that an unknown
    marking counts as, and that of the key. `to` names persons beside the audience's own.
    """

    author: Viewer
    default: str
    unmarked: str
    groups: tuple[Group, ...]
    to: tuple[str, ...] = ()
    exercise: bool = False
    collection: str = ""


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one object: `accepted`, `duplicate` or `refused`, and why.

    `path` leads to the fault from the submission's root, as `$.objects[3].pattern` does.
    `warnings` lists what STIX advises against in an object that was taken all the same.
    """

    id: str
    result: str
    code: str = msgspec.field(default_factory=str)
    path: str = msgspec.field(default_factory=str)
    reason: str = msgspec.field(default_factory=str)
    warnings: tuple[stix_values.Warning, ...] = ()


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """An object that passed the check, on its way to an audience.

    `number` counts the submission's objects from 0. `original` is the digest of the submitted
    bytes where `raw` is an upgrade of them.
    """

    raw: bytes
    checked: stix.Checked
    number: int = 0
    original: bytes = b""


class _Named(msgspec.Struct):
    id: str = ""


_read_id = msgspec.json.Decoder(_Named).decode


class Admission:
    """Turns one submission's objects into drafts.

    Args:
        terms: see `Terms`.
        group_markings: group marking id -> group name.
        group: gives a group as constituted now; raises `Refused`.
        is_statement: whether a marking id is known, from the submitter's own earlier
            objects, to restrict nothing. It may block: see `learn`.
        now_us: the hub's clock.
    """

    def __init__(
        self,
        terms: Terms,
        group_markings: Mapping[str, str],
        group: Callable[[str], Group],
        is_statement: Callable[[str], bool],
        now_us: int,
    ) -> None:
        self._until_us = now_us + AHEAD_LIMIT_US
        self._terms = terms
        self._markings = group_markings
        self._group = group
        self._is_statement = is_statement
        self._statements: set[str] = set()
        self._audiences: dict[tuple[str, ...], Audience] = {}

    def check(self, raw: bytes, number: int) -> list[Candidate]:
        """Check a submission's object of that number; a STIX 2.0 one may become several.

        Raises:
            Refused: with the code and the JSON path of what is wrong.
        """
        if len(raw) > OBJECT_LIMIT_BYTES:
            limit_kib = OBJECT_LIMIT_BYTES // 1024
            raise Refused(
                "too-large",
                f"One object may hold {limit_kib} KiB",
                where="$",
                next_step="Keep the evidence at home and send its fingerprint.",
            )
        try:
            found = [Candidate(raw, stix.check(raw), number)]
        except Refused:
            # No object of 2.0 passes as one of 2.1, so only what did not pass is asked.
            if stix.spec_of(raw) != "2.0":
                raise
            original = hashlib.sha256(raw).digest()
            found = [Candidate(each, stix.check(each), number, original) for each in upgrade(raw)]
        for candidate in found:
            self._check_dates(candidate.checked)
            if candidate.checked.statement:
                self._statements.add(candidate.checked.id)
        return found

    def unknown(self, candidates: Iterable[Candidate]) -> set[str]:
        """The markings of the whole submission that are to be learnt before any is marked."""
        refs = {ref for each in candidates for ref in each.checked.marking_refs}
        return refs - self._statements - LEVEL_OF_ID.keys() - self._markings.keys()

    def learn(self, refs: Iterable[str]) -> None:
        """Find out which unknown markings are statements. Blocks: it belongs on a thread."""
        self._statements |= {ref for ref in refs if self._is_statement(ref)}

    def fitting(self, candidate: Candidate, place: str) -> Candidate | Result:
        """A candidate, or the refusal of one whose marking the terms do not fit."""
        try:
            self.mark(candidate)
        except Refused as refusal:
            return refusal_of(candidate.raw, refusal, place)
        return candidate

    def _check_dates(self, checked: stix.Checked) -> None:
        dates = {"created": checked.created_us, "modified": checked.version_us}
        for name, at_us in dates.items():
            if at_us is not None and at_us > self._until_us:
                raise Refused(
                    "bad-value",
                    f"{moment.render(at_us)} is more than a day ahead of the hub's clock",
                    where=f"$.{name}",
                    next_step=f"Give the real time as `{name}`, and set the sender's clock.",
                )

    def mark(self, candidate: Candidate) -> Draft:
        """The draft of a candidate, once the markings of the whole submission are known."""
        refs = candidate.checked.marking_refs
        audience = self._audiences.get(refs)
        if audience is None:
            audience = self._audiences[refs] = self._audience(refs)
        terms, checked = self._terms, candidate.checked
        # What has a `created` and can have no `modified`, a marking definition, has one
        # version for ever (STIX 2.1, section 7.2).
        version_us = checked.created_us if checked.version_us is None else checked.version_us
        return Draft(
            "object",
            audience,
            author=terms.author.person,
            origin=terms.author.filed_under,
            object_id=checked.id,
            body=candidate.raw,
            version_us=version_us,
            exercise=terms.exercise,
            collection=terms.collection,
            original=candidate.original,
        )

    def _audience(self, refs: Collection[str]) -> Audience:
        terms = self._terms
        other = [ref for ref in refs if ref not in LEVEL_OF_ID and ref not in self._markings]
        level, names = effective(
            refs,
            statements=self._statements.intersection(other),
            groups=self._markings,
            unmarked=terms.unmarked,
            default=terms.default,
        )
        if names and level in ("clear", "green"):
            # A group marking restricts; the levels below AMBER would let it fall away.
            level = strictest(("amber", terms.default))
        groups: tuple[Group, ...] = ()
        if level.startswith("amber"):
            groups = tuple(self._group(name) for name in names) or terms.groups
        persons: tuple[str, ...] = ()
        if level == "red":
            persons = terms.to
        elif terms.to:
            # Everybody sees every audience's id list: one for each set of names would let
            # whoever may write slow all readers down.
            message = f"--to names the readers of TLP:RED; this object is TLP:{level.upper()}"
            raise Refused("bad-parameter", message, where="to")
        elif any(group.name != REGION for group in groups):
            # A member may be taken out of such a group; its author still sees the entry.
            persons = (terms.author.person,)
        audience = Audience(level, groups, persons)
        served = terms.author.serves
        if served and not may_see(Viewer(key="any", member=served), audience):
            among = ", ".join(group.name for group in groups) or f"TLP:{level.upper()}"
            message = f"{served} would not see what is said in its name, for this is for {among}:"
            message += f" choose a level and a group that {served} is in"
            raise Refused("not-permitted", message, where="object_marking_refs")
        return admitting(audience, terms.author)


def within(place: str, path: str) -> str:
    """A path from an object's own root as one from the submission's."""
    return place + path.removeprefix("$") if path.startswith("$") else path


def refusal_of(raw: bytes, error: Refused, place: str) -> Result:
    """A refusal as a result, under the object's id where one can be read."""
    try:
        object_id = _read_id(raw).id
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        object_id = ""
    return Result(object_id, "refused", error.code, within(place, error.where), error.message)


def result_of(
    checked: stix.Checked,
    place: str,
    appended: Appended,
    *,
    mixed: bool = False,
    elsewhere: bool = False,
    withdrawn: bool = False,
) -> Result:
    """What the ledger's outcome means for the submitter.

    `place` is the object's path in the submission. `mixed` says that the entry repeated is an
    exercise where this is none, or the reverse: called a duplicate, the real thing would be
    taken for published. `elsewhere` says that it stands in another collection than the one
    it was submitted to now, and `withdrawn` that the submitter took it back.
    """
    if mixed:
        return Result(
            checked.id,
            "refused",
            "conflict",
            f"{place}.id",
            "Under this id and `modified` there is an exercise and not the real thing,"
            " or the reverse: give one of them an id of its own",
        )
    if appended.outcome == "conflict":
        return Result(
            checked.id,
            "refused",
            "conflict",
            f"{place}.{'id' if checked.version_us is None else 'modified'}",
            f"You have already published another content under {_named(checked)}",
        )
    if elsewhere and not withdrawn:
        reason = f"You have published it already, and not to this collection: {_again(checked)}"
        return Result(checked.id, "refused", "conflict", f"{place}.id", reason)
    reason = f"You withdrew it: {_again(checked)}"
    return Result(
        checked.id,
        appended.outcome,
        code="withdrawn" if withdrawn else "",
        reason=reason if withdrawn else "",
        warnings=tuple(
            stix_values.Warning(each.code, within(place, each.path), each.message)
            for each in checked.warnings
        )
        if checked.warnings
        else (),
    )


def _named(checked: stix.Checked) -> str:
    """What tells an object's contents apart."""
    return "this id" if checked.version_us is None else "this id and `modified`"


def _again(checked: stix.Checked) -> str:
    """What is to be done to publish an object once more."""
    if checked.version_us is None:
        return "without a `modified` it is published once; say anew what it says in an indicator"
    return "give it a later `modified` to publish it again"


def summary_of(results: Sequence[Result]) -> dict[str, Any]:
    """The fixed answer to a push."""
    counts = {"accepted": 0, "duplicate": 0, "refused": 0}
    for result in results:
        counts[result.result] += 1
    return {**counts, "results": results}
