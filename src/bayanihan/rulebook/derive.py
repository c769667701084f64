"""Derives what holds for one system: a `Timeline` per provision, and the proof on a day.

    holds = condition AND in force AND NOT any exception that holds

Exceptions may have exceptions (a derogation, and an override that takes it back): an
exception that does not hold excepts nothing. Unknown facts stay unknown through all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bayanihan.rulebook.condition import All, AnyOf, Condition, Event, Finding, Not
from bayanihan.rulebook.facts import Facts
from bayanihan.rulebook.leaf import Leaf
from bayanihan.rulebook.truth import (
    CONSTANT,
    NAMES,
    NEVER,
    NO,
    UNKNOWN,
    YES,
    Timeline,
    at,
    both,
    either,
    interval,
    negate,
)  # fmt: skip
from bayanihan.rulebook.view import Version, View

Proof = dict[str, Any]


class Derivation:
    """What a view of the rulebook says about one system's facts."""

    __slots__ = ("_bare", "_holds", "_proofs", "facts", "view")

    def __init__(self, view: View, facts: Facts) -> None:
        self.view = view
        self.facts = facts
        self._holds: dict[str, Timeline] = {}
        self._bare: dict[str, Timeline] = {}
        self._proofs: dict[tuple[str, str], Proof] = {}

    def holds(self, provision_id: str) -> Timeline:
        """Whether the provision holds, day by day, exceptions included."""
        found = self._holds.get(provision_id)
        if found is None:
            found = self.bare(provision_id)
            if found is not NEVER:
                for exception in self.view.exceptions.get(provision_id, ()):
                    found = both(found, negate(self.holds(exception)))
            self._holds[provision_id] = found
        return found

    def bare(self, provision_id: str) -> Timeline:
        """Whether the provision would hold if it had no exceptions."""
        found = self._bare.get(provision_id)
        if found is None:
            found = NEVER
            for version in self.view.versions.get(provision_id, ()):
                found = either(found, self._version(version))
            self._bare[provision_id] = found
        return found

    def condition(self, condition: Condition) -> Timeline:
        """The value of a condition, day by day."""
        if isinstance(condition, Leaf):
            return CONSTANT[condition.truth(self.facts)]
        if isinstance(condition, Finding):
            return self.holds(condition.id)
        if isinstance(condition, Not):
            return negate(self.condition(condition.part))
        if isinstance(condition, Event):
            return self._event(condition)
        line = CONSTANT[YES if isinstance(condition, All) else NO]
        join = both if isinstance(condition, All) else either
        stop = NO if isinstance(condition, All) else YES
        for part in condition.parts:
            line = join(line, self.condition(part))
            if len(line) == 1 and line[0][1] == stop:
                break
        return line

    def _event(self, event: Event) -> Timeline:
        days = self.facts.get(event.fact)
        if days is None:
            return (("", NO), (event.since, UNKNOWN))
        assert isinstance(days, tuple)
        come = next((day for day in days if day >= event.since), "")
        return interval(come, "") if come else NEVER

    def in_force(self, version: Version) -> Timeline:
        """When the version's rows apply to this system, whatever its condition says."""
        line = version.fixed
        if line is None:
            line = NEVER
            for span in version.spans:
                own = span.line
                if span.when is not None:
                    own = both(own, self.condition(span.when))
                line = either(line, own)
        return both(line, version.valid)

    def _version(self, version: Version) -> Timeline:
        when = version.provision.when
        line = CONSTANT[YES] if when is None else self.condition(when)
        return line if line == NEVER else both(line, self.in_force(version))

    def proof(self, provision_id: str, day: str) -> Proof:
        """Why the provision holds or not on that day, as a tree that can be replayed."""
        found = self._proofs.get((provision_id, day))
        if found is None:
            found = self._prove(provision_id, day)
            self._proofs[provision_id, day] = found
        return found

    def _prove(self, provision_id: str, day: str) -> Proof:
        version = self.version_on(provision_id, day)
        truth = at(self.holds(provision_id), day)
        if version is None:
            return {"finding": provision_id, "is": "no", "why": [{"known": False, "is": "no"}]}
        why: list[Proof] = []
        when = version.provision.when
        if when is not None and (truth or at(self.condition(when), day) == truth):
            why.append(self._explain(when, day))
        if truth or not why:
            why.extend(self._explain_span(version, span, day) for span in version.spans)
        if truth == YES or at(self.bare(provision_id), day) != truth:
            why.extend(self._explain_exceptions(provision_id, day))
        return {
            "finding": provision_id,
            "article": version.provision.article,
            "is": NAMES[truth],
            "why": why,
        }

    def _explain_exceptions(self, provision_id: str, day: str) -> Iterator[Proof]:
        """Exceptions that were looked at: all that could apply, with what overrides them."""
        for exception in self.view.exceptions.get(provision_id, ()):
            truth = at(self.holds(exception), day)
            yield {"unless": [self.proof(exception, day)], "is": NAMES[YES - truth]}

    def version_on(self, provision_id: str, day: str) -> Version | None:
        """The version that is valid on the day, else the next one, else the last."""
        versions = self.view.versions.get(provision_id, ())
        for version in versions:
            if at(version.valid, day) == YES:
                return version
        later = [one for one in versions if one.provision.start > day]
        if later:
            return min(later, key=lambda one: one.provision.start)
        return versions[-1] if versions else None

    def _explain_span(self, version: Version, span: Any, day: str) -> Proof:
        line = both(span.line, version.valid)
        node: Proof = {"applies_from": span.row.start or _first(span.line)}
        if span.row.end:
            node["applies_until"] = span.row.end
        if span.row.unconfirmed:
            node["unconfirmed"] = span.row.note
        if span.row.slice:
            node["slice"] = span.row.slice
        if span.when is not None:
            node["why"] = [self._explain(span.when, day)]
            line = both(line, self.condition(span.when))
        node["is"] = NAMES[at(line, day)]
        return node

    def _explain(self, condition: Condition, day: str) -> Proof:
        if isinstance(condition, Leaf):
            given = {name: _shown(self.facts.get(name)) for name in condition.names}
            truth = NAMES[condition.truth(self.facts)]
            return {"test": condition.source, "facts": given, "is": truth}
        if isinstance(condition, Finding):
            return self.proof(condition.id, day)
        if isinstance(condition, Event):
            given = {condition.fact: _shown(self.facts.get(condition.fact))}
            known = NAMES[at(self._event(condition), day)]
            return {"test": f"{condition.fact} on or after {condition.since}", "facts": given,
                    "is": known}  # fmt: skip
        truth = NAMES[at(self.condition(condition), day)]
        if isinstance(condition, Not):
            return {"not": [self._explain(condition.part, day)], "is": truth}
        word = "all" if isinstance(condition, All) else "any"
        assert isinstance(condition, All | AnyOf)
        # All parts prove a true "all" and a false "any"; otherwise the decisive ones do.
        parts = [self._explain(part, day) for part in self._decisive(condition, truth, day)]
        return {word: parts, "is": truth}

    def _decisive(self, condition: All | AnyOf, truth: str, day: str) -> list[Condition]:
        if truth == ("yes" if isinstance(condition, All) else "no"):
            return list(condition.parts)
        wanted = NAMES.index(truth)
        return [p for p in condition.parts if at(self.condition(p), day) == wanted]


def _first(line: Timeline) -> str:
    return next((start for start, truth in line if truth == YES and start), "")


def _shown(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, bool | str | int) or value is None else str(value)


def reasons(proof: Proof) -> list[str]:
    """The decisive steps of a proof, each as one short line; other findings are only named."""
    lines = [line for node in proof["why"] for line in _lines(node, proof["is"])]
    return list(dict.fromkeys(lines))


def _lines(node: Proof, wanted: str) -> Iterator[str]:
    if "unless" in node:
        yield from _exception_lines(node["unless"][0], wanted)
        return
    if node["is"] != wanted:
        return
    if "test" in node:
        facts = ", ".join(f"{k} = {_plain(v)}" for k, v in node["facts"].items())
        yield f"{node['test']} is {wanted} ({facts})"
    elif "applies_from" in node:
        until = f" until {node['applies_until']}" if "applies_until" in node else ""
        if "unconfirmed" in node:
            until += f" ({node['unconfirmed']})"
        verb = {"yes": "in force", "unknown": "open", "no": "not in force"}[wanted]
        yield f"{verb}: applies from {node['applies_from'] or 'the beginning'}{until}"
        for child in node.get("why", ()):
            yield from _lines(child, wanted)
    elif "finding" in node:
        yield f"{node.get('article', node['finding'])} is {wanted} ({node['finding']})"
    elif "known" in node:
        yield "not known on the knowledge date"
    elif "not" in node:
        opposite = {"yes": "no", "no": "yes", "unknown": "unknown"}[wanted]
        yield from _lines(node["not"][0], opposite)
    else:
        for child in node["all"] if "all" in node else node.get("any", ()):
            yield from _lines(child, wanted)


def _exception_lines(exception: Proof, wanted: str) -> Iterator[str]:
    """Say that an exception applies, is open, or would apply but is itself taken back."""
    name = exception.get("article", exception["finding"])
    if wanted == "no" and exception["is"] == "yes":
        yield f"exempt by {name} ({exception['finding']})"
    elif wanted == "unknown" and exception["is"] == "unknown":
        yield f"{name} may exempt it ({exception['finding']})"
    for node in exception["why"]:
        if wanted == "yes" and "unless" in node and node["unless"][0]["is"] == "yes":
            override = node["unless"][0]
            yield f"{name} does not exempt it: {override['article']} ({override['finding']})"


def _plain(value: Any) -> str:
    if value is None:
        return "not given"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def unknown_facts(proof: Proof) -> list[str]:
    """The facts that were not given and that keep this proof open, in order of appearance."""
    found: list[str] = []
    todo = [proof]
    while todo:
        node = todo.pop()
        if node["is"] != NAMES[UNKNOWN]:
            continue
        if "test" in node:
            found.extend(k for k, v in node["facts"].items() if v is None or _partly(v))
        for key in ("why", "any", "all", "not", "unless"):
            todo.extend(reversed(node.get(key, ())))
    return list(dict.fromkeys(found))


def _partly(value: Any) -> bool:
    return isinstance(value, list) and "?" in value
