"""The house rules hold in this checkout, and the rules themselves catch what breaks them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import architecture

ROOT = Path(__file__).resolve().parents[1]
STANDARD = frozenset(sys.stdlib_module_names)


def git(*arguments: str) -> str:
    """What git prints, or a skip where this is no checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs git and a commit: {error}")
    return done.stdout


def plant(root: Path, files: dict[str, str]) -> Path:
    """A small checkout with the given files; folders of the package become packages."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


# --- this checkout ---------------------------------------------------------------------------


def test_something_is_checked() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in architecture.python_files(ROOT)}
    assert "src/bayanihan/errors.py" in names
    assert "tests/test_architecture.py" in names


def test_imports_point_one_way() -> None:
    assert architecture.import_faults(ROOT) == []


def test_readers_are_independent() -> None:
    assert architecture.reader_faults(ROOT) == []


def test_core_and_rulebook_are_pure() -> None:
    assert architecture.purity_faults(ROOT, STANDARD) == []


def test_sizes() -> None:
    over = architecture.oversizes(ROOT)
    new = {
        name: lines for name, lines in over.items() if lines > architecture.EXCEPTIONS.get(name, 0)
    }
    assert new == {}, "over the limit; split it"
    mended = set(architecture.EXCEPTIONS) - set(over)
    assert mended == set(), "no exception is needed any more; remove it"


def test_exceptions_only_shrink() -> None:
    before = architecture.exceptions_in(git("show", "HEAD:tests/architecture.py"))
    grown = {
        name: lines
        for name, lines in architecture.EXCEPTIONS.items()
        if lines > before.get(name, 0)
    }
    assert grown == {}


def test_nesting() -> None:
    assert architecture.nesting_faults(ROOT) == []


def test_names_say_something() -> None:
    assert architecture.name_faults(ROOT) == []


def test_tracked_files_name_no_registry_and_no_machine() -> None:
    assert architecture.text_faults(ROOT, git("ls-files").splitlines()) == []


# --- the rules themselves --------------------------------------------------------------------

BASE = {
    "src/bayanihan/errors.py": "",
    "src/bayanihan/config.py": "",
    "src/bayanihan/app.py": "",
    "src/bayanihan/core/marking.py": "",
    "src/bayanihan/ledger/__init__.py": "class Ledger: ...\n",
    "src/bayanihan/ledger/sqlite.py": "",
    "src/bayanihan/intake/report.py": "",
    "src/bayanihan/readers/active.py": "",
    "src/bayanihan/readers/feeds/dns.py": "",
    "src/bayanihan/registry/keys.py": "",
}


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("errors.py", "from bayanihan.core import marking"),
        ("core/stix.py", "from bayanihan.ledger import Ledger"),
        ("core/stix.py", "import bayanihan.config"),
        ("ledger/writer.py", "from bayanihan.registry.keys import Key"),
        ("intake/report.py", "from bayanihan.registry import keys"),
        ("intake/report.py", "from bayanihan.ledger.sqlite import Store"),
        ("intake/report.py", "from bayanihan.ledger import sqlite"),
        ("intake/report.py", "from ..ledger import sqlite"),
        ("intake/report.py", "from .. import registry"),
        ("intake/report.py", "from bayanihan import config"),
        ("web/pages.py", "import bayanihan.ledger.sqlite"),
        ("agent/follow.py", "from bayanihan.ledger import Ledger"),
        ("rulebook/law.py", "from bayanihan.ledger import Ledger"),
        ("ledger/writer.py", "def f():\n    from bayanihan.core import marking"),
        ("ledger/writer.py", "if TYPE_CHECKING:\n    from bayanihan.core import marking"),
        ("cli.py", "async def f():\n    import bayanihan.app"),
    ],
)
def test_a_wrong_import_is_caught(tmp_path: Path, file: str, line: str) -> None:
    root = plant(tmp_path, {**BASE, f"src/bayanihan/{file}": f"{line}\n"})
    faults = architecture.import_faults(root)
    assert len(faults) == 1
    assert faults[0].startswith(f"src/bayanihan/{file}:")


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("core/stix.py", "from bayanihan.errors import Refused"),
        ("core/stix.py", "from bayanihan.core.marking import Audience"),
        ("ledger/writer.py", "from bayanihan.ledger.sqlite import Store"),
        ("intake/report.py", "from bayanihan.ledger import Ledger"),
        ("intake/report.py", "import bayanihan.ledger"),
        ("intake/report.py", "from bayanihan import __version__"),
        ("intake/report.py", "def f():\n    import numpy"),
        ("app.py", "from bayanihan.ledger.sqlite import Store"),
        ("web/pages.py", "from bayanihan.registry import keys"),
        ("readers/feeds/dns.py", "from bayanihan.readers.active import Active"),
    ],
)
def test_a_right_import_passes(tmp_path: Path, file: str, line: str) -> None:
    root = plant(tmp_path, {**BASE, f"src/bayanihan/{file}": f"{line}\n"})
    assert architecture.import_faults(root) == []
    assert architecture.reader_faults(root) == []


def test_a_reader_that_imports_its_sibling_is_caught(tmp_path: Path) -> None:
    line = "from bayanihan.readers.active import Active\n"
    root = plant(tmp_path, {**BASE, "src/bayanihan/readers/taxii.py": line})
    faults = architecture.reader_faults(root)
    assert faults == ["src/bayanihan/readers/taxii.py:1: imports its sibling active"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("core/a.py", "import time"),
        ("core/a.py", "from os import path"),
        ("core/a.py", "import litestar"),
        ("core/a.py", "import urllib.request"),
        ("core/a.py", "from datetime import datetime\nx = datetime.now()"),
        ("core/a.py", "x = open('a')"),
        ("rulebook/law.py", "import sqlite3"),
    ],
)
def test_an_impure_room_is_caught(tmp_path: Path, file: str, text: str) -> None:
    root = plant(tmp_path, {**BASE, f"src/bayanihan/{file}": text})
    assert len(architecture.purity_faults(root, STANDARD)) == 1


def test_pure_rooms_pass(tmp_path: Path) -> None:
    text = "import hashlib\nimport msgspec\nimport urllib.parse\nfrom datetime import datetime\n"
    root = plant(tmp_path, {**BASE, "src/bayanihan/core/a.py": text})
    assert architecture.purity_faults(root, STANDARD) == []


def test_sizes_are_measured(tmp_path: Path) -> None:
    body = "def f():\n" + "    x = 1\n" * (architecture.FUNCTION_LINES - 1)
    longer = "class C:\n    async def g(self):\n" + "        x = 1\n" * architecture.FUNCTION_LINES
    root = plant(
        tmp_path,
        {
            "src/bayanihan/fits.py": body,
            "tests/test_long.py": longer,
            "bench/loop.py": "x = 1\n" * (architecture.FILE_LINES + 1),
            "bench/full.py": "x = 1\n" * architecture.FILE_LINES,
        },
    )
    assert architecture.oversizes(root) == {
        "tests/test_long.py:C.g": architecture.FUNCTION_LINES + 1,
        "bench/loop.py": architecture.FILE_LINES + 1,
    }


def test_nesting_is_measured(tmp_path: Path) -> None:
    three = (
        "def f():\n for a in b:\n  if a:\n   with a:\n    x = 1\n  elif b:\n   with a:\n    x = 1\n"
    )
    four = (
        "def g():\n try:\n  for a in b:\n   if a:\n    while a:\n     x = 1\n finally:\n  x = 1\n"
    )
    root = plant(tmp_path, {"src/bayanihan/a.py": three + four})
    assert architecture.nesting_faults(root) == ["src/bayanihan/a.py:g: 4 levels"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("src/bayanihan/utils.py", ""),
        ("src/bayanihan/common/a.py", ""),
        ("src/bayanihan/a.py", "class KeyManager: ..."),
        ("tests/feed_helper.py", ""),
        ("src/bayanihan/a.py", "class HTTPService: ..."),
    ],
)
def test_an_empty_name_is_caught(tmp_path: Path, file: str, text: str) -> None:
    assert len(architecture.name_faults(plant(tmp_path, {file: text}))) == 1


def test_a_name_that_only_contains_a_banned_word_passes(tmp_path: Path) -> None:
    root = plant(tmp_path, {"src/bayanihan/commonly.py": "class Serviceable: ..."})
    assert architecture.name_faults(root) == []


def test_registry_hosts_and_machine_paths_are_caught(tmp_path: Path) -> None:
    texts = {
        "a.txt": "https://py" + "pi.org/simple",
        "b.txt": "open('/wo" + "rk/x')",
        "c.md": "see /tm" + "p/x",
        "good.md": "https://example.org/work/x and docs/tmp/x and work/x",
    }
    root = plant(tmp_path, texts)
    found = [fault.split(":")[0] for fault in architecture.text_faults(root, sorted(texts))]
    assert found == ["a.txt", "b.txt", "c.md"]


def test_exceptions_are_read_from_a_version_of_the_file() -> None:
    source = 'EXCEPTIONS: dict[str, int] = {"src/a.py": 600}\n'
    assert architecture.exceptions_in(source) == {"src/a.py": 600}
    own = (ROOT / "tests" / "architecture.py").read_text(encoding="utf-8")
    assert architecture.exceptions_in(own) == architecture.EXCEPTIONS
