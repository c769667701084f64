"""A damaged text is refused or understood; it never crashes, at loading or in use."""

from __future__ import annotations

from random import Random

import pytest

from bayanihan.errors import BayanihanError
from bayanihan.rulebook.claims import claims
from bayanihan.rulebook.classify import classify
from bayanihan.rulebook.clocks import Incident, clocks, read_moment
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.duties import duties
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.load import load
from bayanihan.rulebook.matrix import matrix
from bayanihan.rulebook.question import MEMBERS, ask
from bayanihan.rulebook.register import entry
from bayanihan.rulebook.shelf import assessment, checks, practices
from bayanihan.rulebook.shown import show
from bayanihan.rulebook.system import read_system
from bayanihan.rulebook.tracks import standing, track_of

from .conftest import SYSTEMS, weekdays

BANK = (SYSTEMS / "bank-chatbot.yaml").read_text(encoding="utf-8")


def damaged(files: dict[str, str], random: Random) -> dict[str, str]:
    """The files with one or two lines of one of them broken, as a tired editor would."""
    name = random.choice(sorted(set(files) - {"seals.yaml"}))
    lines = files[name].split("\n")
    for _ in range(random.choice([1, 1, 2])):
        at = random.randrange(len(lines))
        key = lines[at].split(":")[0]
        line = lines[at]
        choices = [f"{key}: 5", f"{key}: [x]", f"{key}:", f"{key}: {{a: 1}}", ""]
        choices += [f"{line}\n{line}", random.choice(lines), line.replace("{", "[")]
        lines[at] = random.choice(choices)
    return {**files, name: "\n".join(lines)}


def use(book: Rulebook) -> None:
    """Ask the book everything that people ask."""
    system = read_system(BANK, "bank.yaml", book.vocabulary)
    for member in ("VN", "KH"):
        seen = ask(book, "", {"model-asean": "2028-01-01"}, track_of(book, member))
        derivation = Derivation(seen, system.facts)
        classify(derivation, "2030-01-01")
        duties(derivation, member, "2030-01-01", system.attestations)
        standing(book, member)
    kinds = tuple(kind for root in book.parts["clocks"] for kind in root["kinds"])
    incident = Incident("1", kinds, read_moment("2028-01-01T00:00:00Z", ""))
    clocks(derivation, incident, (*MEMBERS, "EU", "ASEAN"), weekdays)
    for baseline in ("asean-guide", "model-asean"):
        matrix(book, baseline)
    claims(book)
    checks(book)
    practices(book, "a")
    assessment(book, "art27", system)
    entry(derivation, system, "2030-01-01", "authority")
    for provision in list(book.provisions)[::20]:
        show(book, provision)


def try_one(files: dict[str, str], seed: int) -> bool:
    """Whether the damage was refused; anything but a refusal of ours is a failure."""
    try:
        use(load(damaged(files, Random(seed))))
    except BayanihanError:
        return True
    return False


@pytest.mark.parametrize("seed", range(16))
def test_damage_never_crashes(files: dict[str, str], seed: int) -> None:
    try_one(files, seed)


@pytest.mark.long
def test_much_damage_never_crashes_and_most_is_noticed(files: dict[str, str]) -> None:
    refused = [try_one(files, seed) for seed in range(1000, 1400)]
    assert sum(refused) > 0.6 * len(refused)
