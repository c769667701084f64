"""The verbs of the Makefile, on a small checkout with an empty HOME and no network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
VERBS = ["setup", "up", "test", "test-long", "check", "bench", "docs"]
PYTHON = getattr(sys, "_base_executable", sys.executable)

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

# A build backend that needs nothing: it makes an editable wheel of an empty package.
BACKEND = """
import zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "bayanihan-0.1.0-py3-none-any.whl"
    info = "bayanihan-0.1.0.dist-info/"
    about = "Metadata-Version: 2.1\\nName: bayanihan\\nVersion: 0.1.0\\n"
    tags = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr(info + "METADATA", about)
        wheel.writestr(info + "WHEEL", tags)
        wheel.writestr("bayanihan_here.py", "")
        wheel.writestr(info + "RECORD", "")
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile and the installer over a project that depends on nothing."""
    root = tmp_path / "checkout"
    (root / "requirements").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    shutil.copy(ROOT / "Makefile", root)
    shutil.copy(ROOT / "requirements" / "install", root / "requirements")
    (root / "requirements" / "run.txt").write_text("# nothing\n", encoding="utf-8")
    (root / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (root / "backend.py").write_text(BACKEND, encoding="utf-8")
    return root


def hide(root: Path, *modules: str) -> dict[str, str]:
    """An environment in which the interpreter lacks the modules."""
    folder = root.parent / "hidden"
    for module in modules:
        (folder / module).mkdir(parents=True)
        text = f"raise ImportError('no {module} here')\n"
        (folder / module / "__init__.py").write_text(text, encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


def make(root: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run make with an empty HOME and without what this test run set."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    return subprocess.run(
        ["make", *words],
        cwd=root,
        env={**kept, "HOME": str(root.parent / "home"), "PYTHON": PYTHON, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def has(module: str) -> bool:
    command = [PYTHON, "-c", f"import {module}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_make_alone_lists_the_verbs(checkout: Path) -> None:
    done = make(checkout)
    listed = [re.split(r"\s+", line, maxsplit=2) for line in done.stdout.splitlines()]
    assert [line[1] for line in listed] == VERBS
    assert all(len(line[2]) > 10 for line in listed)


@pytest.mark.skipif(not has("ensurepip"), reason="this Python has no ensurepip")
def test_setup_makes_the_environment_and_is_idle_the_second_time(checkout: Path) -> None:
    first = make(checkout, "setup")
    assert first.returncode == 0, first.stderr
    stamp = (checkout / ".venv" / "run.stamp").stat().st_mtime_ns
    python = checkout / ".venv/bin/python"
    subprocess.run([python, "-c", "import bayanihan_here, pip"], check=True)
    second = make(checkout, "setup")
    assert second.returncode == 0
    assert "Nothing to be done" in second.stdout
    assert (checkout / ".venv" / "run.stamp").stat().st_mtime_ns == stamp


@pytest.mark.skipif(not has("pip"), reason="this Python has no pip of its own")
def test_without_ensurepip_the_environment_is_made_without_pip(checkout: Path) -> None:
    done = make(checkout, "setup", **hide(checkout, "ensurepip"))
    assert done.returncode == 0, done.stderr
    python = checkout / ".venv/bin/python"
    subprocess.run([python, "-c", "import bayanihan_here"], check=True)
    absent = subprocess.run([python, "-c", "import pip"], check=False, capture_output=True)
    assert absent.returncode == 1


def test_without_ensurepip_and_pip_one_sentence_says_what_to_install(checkout: Path) -> None:
    done = make(checkout, "setup", **hide(checkout, "ensurepip", "pip"))
    assert done.returncode != 0
    assert "install the one package python3-venv" in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr


def test_an_old_python_is_refused_with_one_sentence(checkout: Path) -> None:
    old = checkout.parent / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.10.9" || exit 1\n')
    old.chmod(0o755)
    done = make(checkout, "setup", PYTHON=str(old))
    assert done.returncode != 0
    assert done.stderr.startswith("Python 3.10.9 is too old: Bayanihan needs Python 3.11 or newer")
    assert not (checkout / ".venv").exists()


def test_no_python_is_refused_with_one_sentence(checkout: Path) -> None:
    done = make(checkout, "setup", PYTHON="no-such-python")
    assert done.returncode != 0
    assert done.stderr.startswith("No no-such-python on this machine: install Python 3.11")


def test_the_environment_is_never_older_than_its_lock(checkout: Path) -> None:
    asked = make(checkout, "--question", "setup")
    assert asked.returncode == 1
    for name in (".venv/run.stamp", ".venv/bin/python"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).touch()
    assert make(checkout, "--question", "setup").returncode == 0
    later = (checkout / ".venv/run.stamp").stat().st_mtime_ns + 10**9
    os.utime(checkout / "requirements/run.txt", ns=(later, later))
    assert make(checkout, "--question", "setup").returncode == 1


def test_ci_runs_check_and_test() -> None:
    script = ROOT / ".ci" / "run"
    text = script.read_text(encoding="utf-8")
    assert os.access(script, os.X_OK)
    assert re.search(r"^CI_MARK=\$mark make check", text, re.MULTILINE)
    assert re.search(r"^CI_MARK=\$mark make test", text, re.MULTILINE)
    subprocess.run(["bash", "-n", str(script)], check=True)
