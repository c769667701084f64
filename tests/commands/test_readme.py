"""What the README and the how-to pages tell a new user to type is there, and works as it stands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sim.command import run
from tests.sim.process import RunningHub

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TYPED = [
    *re.findall(r"^    (.+)$", README, re.MULTILINE),
    *(
        line
        for page in sorted((ROOT / "docs" / "how-to").glob("*.md"))
        for line in re.findall(r"^    (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ),
]


def typed(heading: str) -> list[list[str]]:
    """The commands of one part of the README, as a shell takes them."""
    part = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^    (.+)$", part.rpartition("```")[2], re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_every_example_that_is_named_is_there() -> None:
    named = {path for line in TYPED for path in re.findall(r"\bexamples/[\w./-]+", line)}
    assert len(named) > 5
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_loop_of_the_readme_works_as_it_stands(
    at: RunningHub,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    told = {}
    for program, *words in typed("The loop"):
        if program == "named-checkzone":
            if shutil.which(program):
                subprocess.run([program, *words], check=True, capture_output=True)
            continue
        assert program == ".venv/bin/bayanihan"
        code, told[words[0]], err = run(capfd, *words)
        assert code == 0, (words, err)
    assert told["push"].startswith("1 accepted, 0 duplicate")
    assert told["report"].startswith("EXERCISE published ")
    assert "text " in told["lookup"]
    assert "cang-bank-24h.exercise.example" in (tmp_path / "exercise.zone").read_text()
    assert told["verify"].endswith("verify: ok\n")
