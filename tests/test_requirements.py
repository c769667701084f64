"""The lock is whole: exact versions, hashes, one set for every supported Python."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13")


def locked(name: str) -> list[tuple[Requirement, list[str]]]:
    """Each requirement of a lock file with its hashes."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]
    return [
        (
            Requirement(line.split(" --hash=", 1)[0]),
            re.findall(r"--hash=sha256:([0-9a-f]{64})", line),
        )
        for line in lines
    ]


def chosen(name: str, python: str) -> dict[str, str]:
    """Package -> version that a lock file gives for one Python on Linux."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    found: dict[str, str] = {}
    for requirement, _ in locked(name):
        marker = requirement.marker
        if marker is None or Marker(str(marker)).evaluate(environment):
            package = canonicalize_name(requirement.name)
            assert package not in found, f"{package} twice for Python {python}"
            found[package] = str(requirement.specifier)
    return found


@pytest.mark.parametrize("name", ["run.txt", "postgres.txt", "test.txt", "source.txt"])
def test_every_requirement_is_pinned_with_hashes(name: str) -> None:
    assert locked(name)
    for requirement, hashes in locked(name):
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), requirement
        assert requirement.url is None, requirement
        assert hashes, requirement


@pytest.mark.parametrize("python", PYTHONS)
def test_one_lock_serves_every_supported_python(python: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    run, test = chosen("run.txt", python), chosen("test.txt", python)
    groups = project["dependency-groups"]
    for text in [*project["project"]["dependencies"], *groups["build"]]:
        wanted = Requirement(text)
        version = run[canonicalize_name(wanted.name)].removeprefix("==")
        assert wanted.specifier.contains(version), text
    for text in groups["test"]:
        wanted = Requirement(text)
        version = test[canonicalize_name(wanted.name)].removeprefix("==")
        assert wanted.specifier.contains(version), text
    assert {name: test.get(name) for name in run} == run, "the tests run on other versions"


def test_requirements_name_no_place() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text
        assert not re.search(r"^\s*(-i|-f|--index|--extra|--find)", text, re.MULTILINE)
