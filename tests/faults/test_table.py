"""Each step under each fault ends as the page says, and the record is whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults.steps import STEPS
from tests.faults.table import FAULTS, cell, on_postgres
from tests.sim.databases import Databases
from tests.sim.process import ROOT

PAGE = ROOT / "docs" / "faults.md"
_ROW = re.compile(
    r"^\| (?P<step>[a-z ]+) \| (?P<fault>[a-z ]+) \| (?P<file>.+;.+;.+) \| (?P<postgres>.+) \|$"
)
# Of each step the fault that is the hardest to tell from the others; all of them are `long`.
QUICK = {
    "append": "crashed after",
    "checkpoint": "answer lost",
    "projection": "crashed before",
    "erase": "answer lost",
    "backup": "failed",
    "receipt": "crashed before",
}
ON_POSTGRES = [
    pytest.param(step, fault, marks=() if QUICK[step] == fault else pytest.mark.long)
    for step in STEPS
    for fault in FAULTS
]


def page() -> dict[tuple[str, str], tuple[str, str]]:
    rows = map(_ROW.match, PAGE.read_text(encoding="utf-8").splitlines())
    return {(row["step"], row["fault"]): (row["file"], row["postgres"]) for row in rows if row}


def test_the_page_has_every_cell_and_no_other() -> None:
    assert set(page()) == {(step, fault) for step in STEPS for fault in FAULTS}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", STEPS)
def test_a_fault_ends_as_the_page_says(step: str, fault: str, tmp_path: Path) -> None:
    assert cell(step, fault, tmp_path) == page()[step, fault][0]


@pytest.mark.parametrize(("step", "fault"), ON_POSTGRES)
def test_on_postgresql_too(step: str, fault: str, tmp_path: Path, databases: Databases) -> None:
    in_file, there = page()[step, fault]
    told = in_file if there == "the same" else there
    assert on_postgres(step, fault, tmp_path, databases) == told
