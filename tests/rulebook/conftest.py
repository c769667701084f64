"""The shipped rulebook, loaded once, and where things lie."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bayanihan.commands.law_files import open_rulebook, rulebook_files
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.system import System, read_system

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = ROOT / "examples" / "systems"


def weekdays(member: str, day: date) -> bool:
    """A calendar without holidays."""
    return day.weekday() < 5


@pytest.fixture(scope="session")
def files() -> dict[str, str]:
    return rulebook_files(None)


@pytest.fixture(scope="session")
def book() -> Rulebook:
    return open_rulebook()


@pytest.fixture(scope="session")
def composite(book: Rulebook) -> System:
    return read_system(
        (SYSTEMS / "composite.yaml").read_text(encoding="utf-8"), "composite.yaml", book.vocabulary
    )
