"""The register of AI systems: which section a system belongs in, and who sees what of it.

The public view holds every point of its section, except for uses of points 1, 6 and 7 of
Annex III in police work, migration and borders: there the entry is in a restricted section,
the public sees that an entry exists and no more, and authorities see the points that
Art. 49(4) lists. Critical infrastructure (point 2) is registered nationally.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.classify import state_on
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.schema import expect_keys, text_in, whole_in
from bayanihan.rulebook.system import System

VIEWERS = ("public", "authority")

# Art. 49(4): points 1, 6 and 7 in the areas of law enforcement, migration, asylum, borders.
_RESTRICTED_AREAS = ("6", "7")
_BIOMETRICS = "1"
_POLICE_SECTORS = ("police",)


@dataclass(frozen=True, slots=True)
class Entry:
    """A register entry as one viewer sees it.

    Attributes:
        section: `A`, `B` or `C`; "" when the system need not be registered.
        place: `public`, `restricted`, `national` or `none`.
        fields: point, label and value, of what this viewer may see.
        missing: labels of points that must be given and are not.
    """

    system: str
    section: str
    article: str
    place: str
    fields: tuple[tuple[int, str, str], ...]
    missing: tuple[str, ...]
    why: str

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        told: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        told["fields"] = [
            {"point": point, "label": label, "value": value} for point, label, value in self.fields
        ]
        told["missing"] = list(self.missing)
        return told


VOLUNTARY = "voluntary, in the form of Section A"
_VALUE_LIMIT = 2_000


def check_fields(book: Rulebook, section: str, register: AnyMapping[str, Any]) -> None:
    """Check what was entered: points of that section only, each a text.

    Raises:
        Refused: `bad-value` naming the field.
    """
    known = {field["key"] for field in _sections(book)[section]["fields"]}
    for key, value in register.items():
        where = f"$.register.{key}"
        if key not in known:
            names = ", ".join(sorted(known))
            message = f"Section {section} has no field {key!r}; it has {names}."
            raise Refused("bad-value", message, where=where)
        if not isinstance(value, str) or len(value) > _VALUE_LIMIT:
            message = f"{key} is a text of at most {_VALUE_LIMIT} characters."
            raise Refused("bad-value", message, where=where)


def entry(
    derivation: Derivation, system: System, day: str, viewer: str, *, voluntary: bool = False
) -> Entry:
    """A system's entry in the register on a day, for one viewer.

    Args:
        derivation: the system's facts.
        system: with its `register` fields.
        day: the law date; a duty to register that begins later counts.
        viewer: `public` or `authority`.
        voluntary: enter it in the form of Section A though no duty leads there.

    Raises:
        Refused: `bad-parameter` for another viewer.
    """
    if viewer not in VIEWERS:
        raise Refused("bad-parameter", f"{viewer!r} is none of public, authority.", where="view")
    section, why = _section(derivation, day)
    if not section and not voluntary:
        return Entry(system.id, "", "", "none", (), (), why)
    rules = _sections(derivation.view.rulebook)[section or "A"]
    article = rules["article"] if section else VOLUNTARY
    section = section or "A"
    place = _place(system)
    fields, missing = [], []
    for rule in rules["fields"]:
        value = str(system.register.get(rule["key"], "") or "")
        if place == "restricted" and rule["point"] not in rules["restricted_points"]:
            continue
        if not value and not rule.get("optional"):
            missing.append(rule["label"])
        if value:
            fields.append((rule["point"], rule["label"], value))
    if viewer == "public" and place == "restricted":
        return Entry(system.id, section, article, place, (), (),
                     "held in the restricted section (Art. 49(4))")  # fmt: skip
    return Entry(system.id, section, article, place, tuple(fields), tuple(missing), why)


def _section(derivation: Derivation, day: str) -> tuple[str, str]:
    """Section A, B or C by the duty that leads there, and that duty."""
    for section, duty in (
        ("A", "eu/art49/1"), ("A", "eu/art49/5"), ("B", "eu/art49/2"), ("C", "eu/art49/3"),
    ):  # fmt: skip
        state, start = state_on(derivation, duty, day)
        if state in ("yes", "not-yet"):
            begins = f"from {start}" if state == "not-yet" else f"since {start}"
            return section, f"{_article(derivation, duty)} applies {begins}"
        if state == "undetermined":
            return section, f"{_article(derivation, duty)} is open; registered in case of doubt"
    return "", "no duty to register follows"


def _article(derivation: Derivation, duty: str) -> str:
    return derivation.view.versions[duty][0].provision.article


def _place(system: System) -> str:
    uses = system.facts.get("annex_iii", ())
    uses = uses if isinstance(uses, tuple) else ()
    areas = {use[0] for use in uses}
    police = system.facts.get("sector") in _POLICE_SECTORS
    if areas & set(_RESTRICTED_AREAS) or (_BIOMETRICS in areas and police):
        return "restricted"
    return "national" if areas == {"2"} else "public"


def _sections(book: Rulebook) -> AnyMapping[str, Any]:
    roots = book.parts.get("register", ())
    if not roots:
        raise Refused("not-found", "This rulebook holds no register.")
    sections: AnyMapping[str, Any] = roots[0]["sections"]
    return sections


def check_register(book: Rulebook) -> None:
    """Check the register's sections: A, B and C, each with its fields and restricted points.

    Raises:
        Refused: with file and line.
    """
    for root in book.parts.get("register", ()):
        for name in ("A", "B", "C"):
            section = root["sections"][name]
            expect_keys(section, f"Section {name}",
                        ("title", "article", "restricted_points", "fields"), ())  # fmt: skip
            points = [whole_in(field, "point") for field in section["fields"]]
            for field in section["fields"]:
                expect_keys(field, "A field", ("point", "key", "label"), ("optional",))
                text_in(field, "label")
            if not set(section["restricted_points"]) <= set(points):
                raise Refused("bad-value", f"Section {name}: no such point.", where=section.place())
