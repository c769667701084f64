"""Each step under each fault ends as the page says, and the record is whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults.steps import STEPS
from tests.faults.table import FAULTS, cell
from tests.sim.process import ROOT

PAGE = ROOT / "docs" / "faults.md"
_ROW = re.compile(r"^\| (?P<step>[a-z ]+) \| (?P<fault>[a-z ]+) \| (?P<outcome>.+;.+;.+) \|$")


def page() -> dict[tuple[str, str], str]:
    rows = map(_ROW.match, PAGE.read_text(encoding="utf-8").splitlines())
    return {(row["step"], row["fault"]): row["outcome"] for row in rows if row}


def test_the_page_has_every_cell_and_no_other() -> None:
    assert set(page()) == {(step, fault) for step in STEPS for fault in FAULTS}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", STEPS)
def test_a_fault_ends_as_the_page_says(step: str, fault: str, tmp_path: Path) -> None:
    assert cell(step, fault, tmp_path) == page()[step, fault]
