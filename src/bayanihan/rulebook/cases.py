"""Test cases that a jurist writes and reads: facts and dates in, expected answers out.

A case file is YAML:

    part: cases
    base: {roles: [provider], markets: [EU]}      facts shared by its cases, optional
    cases:
      - name: profiling takes the exemption back
        facts: {annex_iii: [5b], profiling: true} added to the base
        as_of: 2027-12-03
        known: 2026-07-26                         optional
        member: EU                                for duties; EU when left out
        adopt: {model-asean: 2028-01-01}          optional, with assisted: DAY
        expect:
          findings: {eu/art6/2: yes}              states as `law classify` prints them
          since: {eu/art6/2: 2027-12-02}          first day of the state
          duties: {eu/art9: owed}                 states as `law duties` prints them, or absent
          due: {eu/art9: 2027-12-02}
          fines: {art16: 15000000}                ceilings in euro
          clocks: {sg/cii: runs 2 h}              state and limits of an incident's clocks
          cells: {VN/risk-tiers: stricter}        relations to `baseline`
          refused: bad-value                      the facts are refused with this code
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bayanihan.errors import BayanihanError, Refused
from bayanihan.rulebook.classify import state_on
from bayanihan.rulebook.clocks import Incident, WorkingDay, clocks, read_moment
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.duties import duties
from bayanihan.rulebook.evidence import read_attestations
from bayanihan.rulebook.fines import ceiling
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.matrix import matrix
from bayanihan.rulebook.question import ask, check_dates
from bayanihan.rulebook.reader import Mapping, read
from bayanihan.rulebook.rights import rights
from bayanihan.rulebook.schema import expect_keys, expect_mapping
from bayanihan.rulebook.system import with_markets
from bayanihan.rulebook.tracks import track_of

_OPTIONAL = (
    "facts", "known", "member", "adopt", "assisted", "incident", "baseline", "attestations",
    "fine_text", "about",
)  # fmt: skip
_EXPECT = (
    "findings", "since", "duties", "due", "satisfied", "fines", "clocks", "cells", "refused",
    "rights",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One case with its facts and expectations, and where it stands."""

    name: str
    given: Mapping
    facts: dict[str, Any]
    place: str


def read_cases(content: str, file: str) -> list[Case]:
    """Read a case file.

    Raises:
        Refused: with file and line.
    """
    root = expect_mapping(read(content, file), "A case file", f"{file}:1")
    expect_keys(root, "A case file", ("part", "cases"), ("base",))
    if not isinstance(root["cases"], list):
        raise Refused("bad-value", "`cases` is a list.", where=root.place("cases"))
    found = []
    for entry in root["cases"]:
        entry = expect_mapping(entry, "A case", root.place("cases"))
        expect_keys(entry, "A case", ("name", "as_of", "expect"), _OPTIONAL)
        expect = expect_mapping(entry["expect"], "`expect`", entry.place("expect"))
        expect_keys(expect, f"The case {entry['name']!r}: expect", (), _EXPECT)
        facts = {**(root.get("base") or {}), **(entry.get("facts") or {})}
        found.append(Case(entry["name"], entry, facts, entry.place()))
    return found


def run_case(book: Rulebook, case: Case, working_day: WorkingDay) -> list[str]:
    """The differences between what a case expects and what the rulebook answers; none is good."""
    expect = case.given["expect"]
    try:
        told = list(_differences(book, case, working_day))
    except BayanihanError as error:
        if expect.get("refused") == error.code:
            return []
        return [f"refused with {error.code}: {error.message} ({error.where})"]
    except (KeyError, TypeError, AttributeError) as error:
        return [f"the case is not shaped as the reference says: {error!r}"]
    if "refused" in expect:
        told.append(f"expected to be refused with {expect['refused']}, but it was accepted")
    return told


def _differences(book: Rulebook, case: Case, working_day: WorkingDay) -> Iterator[str]:
    given, expect = case.given, case.given["expect"]
    day, known = check_dates(book, given["as_of"], given.get("known") or "")
    member = given.get("member", "EU")
    adopted = dict(given.get("adopt") or {})
    seen = ask(book, known, adopted, track_of(book, member), given.get("assisted", ""))
    facts = with_markets(book.vocabulary.check(case.facts, case.place), [member])
    derivation = Derivation(seen, facts)
    for finding, wanted in (expect.get("findings") or {}).items():
        yield from _differ(finding, wanted, state_on(derivation, finding, day)[0])
    for finding, wanted in (expect.get("since") or {}).items():
        yield from _differ(f"{finding} since", wanted, state_on(derivation, finding, day)[1])
    if {"duties", "due", "satisfied"} & set(expect):
        attested = read_attestations(given.get("attestations"), case.place)
        found = {one.duty: one for one in duties(derivation, member, day, attested)}
        for name, field in (("duties", "state"), ("due", "due"), ("satisfied", "satisfied")):
            for duty, wanted in (expect.get(name) or {}).items():
                one = found.get(duty)
                yield from _differ(duty, wanted, getattr(one, field) if one else "absent")
    if "rights" in expect:
        held = {one.right: one.state for one in rights(derivation, member, day)}
        for right, wanted in expect["rights"].items():
            yield from _differ(right, wanted, held.get(right, "absent"))
    for fine, wanted in (expect.get("fines") or {}).items():
        high = ceiling(book, given.get("fine_text", "eu-ai-act"), fine, facts, known).high_eur
        yield from _differ(fine, wanted, "open" if high is None else int(high))
    if "clocks" in expect:
        yield from _clock_differences(derivation, case, working_day)
    if "cells" in expect:
        baseline = given.get("baseline", "asean-guide")
        cells = {f"{c.member}/{c.topic}": c.relation for c in matrix(book, baseline)}
        for key, wanted in expect["cells"].items():
            yield from _differ(key, wanted, cells.get(key, "absent"))


def _clock_differences(
    derivation: Derivation, case: Case, working_day: WorkingDay
) -> Iterator[str]:
    entry = case.given.get("incident")
    if entry is None:
        raise Refused("missing-property", "A case with clocks has an incident.", where=case.place)
    incident = Incident("case", tuple(entry["kinds"]), read_moment(entry["aware"], case.place), "")
    found = {
        one.clock: " ".join([one.state, *(part.limit for part in one.deadlines)])
        for one in clocks(derivation, incident, entry["members"], working_day)
    }
    for clock, wanted in case.given["expect"]["clocks"].items():
        yield from _differ(clock, wanted, found.get(clock, "absent"))


def _differ(what: str, wanted: Any, got: Any) -> Iterator[str]:
    if wanted != got:
        yield f"{what}: expected {wanted}, got {got}"
