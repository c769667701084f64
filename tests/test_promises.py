"""`docs/promises.md` is whole, and what it names exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests import promises

ROOT = Path(__file__).resolve().parents[1]
PAGE = "docs/promises.md"

# Letters of the issues that are called resolved: none of their promises may be pending.
RESOLVED: list[str] = ["A", "B", "C", "D", "E", "H", "I", "J"]

LINE = "| A-01 | one bad object never sinks the others | tests/test_a.py::test_one |"


def page() -> list[promises.Promise]:
    return promises.read((ROOT / PAGE).read_text(encoding="utf-8"))


def make_verbs() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def git(*arguments: str) -> str:
    """What git prints, or a skip where this is no checkout or the page is not committed."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs git and a commit that holds {PAGE}: {error}")
    return done.stdout


# --- this checkout ---------------------------------------------------------------------------


def test_ids_are_unique_and_ascend() -> None:
    assert len(page()) > 100
    assert promises.order_faults(page()) == []


def test_every_reference_exists() -> None:
    assert promises.reference_faults(page(), ROOT, make_verbs()) == []


def test_lines_are_only_added() -> None:
    for commit in git("log", "--format=%H", "--diff-filter=AM", "--", PAGE).split():
        before = promises.read(git("show", f"{commit}:{PAGE}"))
        assert promises.lost(before, page()) == [], f"{commit} had more"


def test_what_was_shown_stays_shown() -> None:
    before = promises.read(git("show", f"HEAD:{PAGE}"))
    assert promises.withdrawn(before, page()) == []


def test_resolved_issues_have_nothing_pending() -> None:
    waiting = [promise for promise in page() if promise.is_pending]
    print(f"{len(waiting)} of {len(page())} promises are pending:")
    for promise in waiting:
        print(f"  {promise.id} {promise.text}")
    assert promises.unresolved(page(), RESOLVED) == []


# --- the checks themselves -------------------------------------------------------------------


def test_a_line_is_read() -> None:
    shown = "tests/a.py::test_x, tests/b.py::T::test_y, `make test`"
    assert promises.read(f"| B-12 | what | {shown} |\n") == [
        promises.Promise(
            "B-12", "what", ("tests/a.py::test_x", "tests/b.py::T::test_y", "`make test`")
        )
    ]


def test_a_comma_inside_a_command_does_not_split_it() -> None:
    (promise,) = promises.read("| B-12 | what | `bayanihan feed --list, --json` |\n")
    assert promise.shown == ("`bayanihan feed --list, --json`",)


@pytest.mark.parametrize("line", ["| A-1 | x | pending |", "| A-01 | x |", "|A-01 | x | y |"])
def test_a_line_that_nearly_is_one_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        promises.read(line)


@pytest.mark.parametrize("ids", [("A-01", "A-01"), ("A-02", "A-01"), ("A-01", "B-01", "A-01")])
def test_wrong_order_is_caught(ids: tuple[str, ...]) -> None:
    lines = "\n".join(f"| {name} | x | pending |" for name in ids)
    assert len(promises.order_faults(promises.read(lines))) == 1


@pytest.mark.parametrize(
    "shown",
    [
        "tests/test_gone.py::test_one",
        "tests/test_a.py::test_two",
        "tests/test_a.py::other",
        "tests/test_a.py",
        "src/a.py::test_one",
        "tests/test_a.py::TestIt::test_three",
        "`make nothing`",
        "`rm -r x`",
        "pending, tests/test_a.py::test_one",
        "see the code",
    ],
)
def test_a_reference_that_leads_nowhere_is_caught(tmp_path: Path, shown: str) -> None:
    root = plant(tmp_path)
    found = promises.reference_faults(promises.read(f"| A-01 | x | {shown} |"), root, {"test"})
    assert len(found) == 1
    assert found[0].startswith("A-01: ")


@pytest.mark.parametrize(
    "shown",
    [
        "tests/test_a.py::test_one",
        "tests/test_a.py::TestIt::test_two",
        "`make test`",
        "`bayanihan verify --remote`",
        "`python -m bench loop`",
        "pending",
    ],
)
def test_a_good_reference_passes(tmp_path: Path, shown: str) -> None:
    root = plant(tmp_path)
    read = promises.read(f"| A-01 | x | {shown} |")
    assert promises.reference_faults(read, root, {"test"}) == []


def plant(root: Path) -> Path:
    tests = root / "tests"
    tests.mkdir()
    text = (
        "async def test_one(): ...\ndef other(): ...\nclass TestIt:\n    def test_two(self): ...\n"
    )
    (tests / "test_a.py").write_text(text, encoding="utf-8")
    return root


def test_a_lost_line_is_caught() -> None:
    before = promises.read(f"{LINE}\n| A-02 | y | pending |")
    assert promises.lost(before, promises.read(LINE)) == ["A-02"]
    more = [*before, *promises.read("| B-01 | z | pending |")]
    assert promises.lost(before, more) == []


def test_a_line_that_is_pending_again_is_caught() -> None:
    before = promises.read(f"{LINE}\n| A-02 | y | pending |")
    again = promises.read("| A-01 | x | pending |\n| A-02 | y | pending |")
    assert promises.withdrawn(before, again) == ["A-01"]
    assert promises.withdrawn(again, before) == []


def test_a_pending_promise_of_a_resolved_issue_is_caught() -> None:
    read = promises.read("| A-01 | x | pending |\n| B-01 | y | pending |")
    assert promises.unresolved(read, ["A"]) == ["A-01"]
