"""The stage: tool, interpreter and packages laid out where the tool's uid can read them.

As root the tool runs under a uid that cannot look into our home, so what it reads is linked or
copied into a folder of the system's temporary space; as a normal user only the tool's own files
are written there, and the rest is read where it is.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import importlib.metadata
import itertools
import os
import platform
import re
import shutil
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Self

from bayanihan.core.signing import canonical
from bayanihan.errors import Refused
from bayanihan.sandbox.tool import Tool

# Parts of an interpreter's library that no tool needs.
_LEFT_OUT = re.compile(r"^(test|tests|idlelib|tkinter|turtledemo|ensurepip|site-packages|"
                       r"dist-packages|lib2to3|config-.*)$")  # fmt: skip


_MOST_ENTRIES = 50_000
# What stands in for a tool that runs elsewhere and brings no client of its own.
_CLIENT = ".client.py"


@dataclass(frozen=True)
class Layout:
    """Where a tool finds things, by its own eyes."""

    tool: str
    python: str
    packages: str
    training: str
    scratch: str


INSIDE = Layout("/tool", "/python", "/packages", "/training.jsonl", "/scratch")


class Stage:
    """A stage for one tool. Use as a context manager; it is taken down at the end.

    Args:
        tool: what is laid out.
        training: the public training items as JSON lines; empty when there are none.
    """

    def __init__(self, tool: Tool, training: bytes = b"") -> None:
        self.manifest = tool.manifest
        self.folder = _new_folder()
        try:
            self._lay_out(tool, training)
        except BaseException:
            self.close()
            raise

    def _lay_out(self, tool: Tool, training: bytes) -> None:
        scratch = self.folder / "scratch"
        scratch.mkdir()
        scratch.chmod(0o777)
        for name, file in tool.files.items():
            path = self.folder / "tool" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.data)
            path.chmod(0o755 if file.runs else 0o644)
        if not tool.manifest.command:
            client = resources.files("bayanihan.sandbox.remote").joinpath("client.py")
            (self.folder / "tool" / _CLIENT).write_bytes(client.read_bytes())
        (self.folder / "training.jsonl").write_bytes(training)
        self.python = self._interpreter()
        self.package_digests = self._packages(tool.manifest.packages)
        for folder, _, _ in os.walk(self.folder / "tool"):
            Path(folder).chmod(0o755)
        self.outside = Layout(
            str(self.folder / "tool"),
            str(self.python),
            str(self.folder / "packages"),
            str(self.folder / "training.jsonl"),
            str(scratch),
        )

    def _interpreter(self) -> Path:
        """The prefix of the interpreter that runs tools: ours, copied where it is hidden."""
        prefix = Path(sys.base_prefix).resolve()
        if os.geteuid() != 0 or _open_to_all(prefix):
            return prefix
        return _copied_interpreter(prefix)

    def _packages(self, names: list[str]) -> dict[str, str]:
        """Lay out the distributions and all they require; name -> version and digest."""
        (self.folder / "packages").mkdir()
        found: dict[str, str] = {}
        waiting = list(names)
        while waiting:
            name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
            if name in found:
                continue
            try:
                distribution = importlib.metadata.distribution(name)
            except importlib.metadata.PackageNotFoundError:
                raise Refused(
                    "not-found",
                    f"The tool wants the Python package {name}, which is not installed here",
                    where="tool.json $.packages",
                    next_step=f"Install {name} beside bayanihan, or put it into the tool.",
                ) from None
            found[name] = f"{distribution.version} {self._lay_package(distribution)}"
            waiting += _required(distribution)
        return dict(sorted(found.items()))

    def _lay_package(self, distribution: importlib.metadata.Distribution) -> str:
        record = hashlib.sha256((distribution.read_text("RECORD") or "").encode()).hexdigest()
        for file in distribution.files or []:
            source = Path(str(distribution.locate_file(file)))
            if ".." in file.parts or "__pycache__" in file.parts or not source.is_file():
                continue
            _link_file(source, self.folder / "packages" / str(file))
        return f"sha256:{record}"

    def command(self, seen: Layout) -> list[str]:
        """What is run, by the tool's eyes."""
        program, *arguments = self.manifest.command or ["python", _CLIENT]
        if program == "python":
            name = f"bin/python{sys.version_info[0]}.{sys.version_info[1]}"
            return [f"{seen.python}/{name}", "-B", "-X", "utf8", *arguments]
        own = self.folder / "tool" / program
        return [f"{seen.tool}/{program}" if own.is_file() else program, *arguments]

    def environment(self, seen: Layout) -> dict[str, str]:
        """All that the tool finds in its environment."""
        return {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": seen.scratch,
            "TMPDIR": seen.scratch,
            "LANG": "C.UTF-8",
            "LD_LIBRARY_PATH": f"{seen.python}/lib",
            "PYTHONHOME": seen.python,
            "PYTHONPATH": seen.packages,
            "PYTHONHASHSEED": "0",
            "PYTHONNOUSERSITE": "1",
            # One thread each: what is measured is the tool, and sums come out the same.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "BAYANIHAN_TRAINING": seen.training,
        }

    def described(self) -> dict[str, object]:
        """The environment as the result names it."""
        return {**machine(), "packages": self.package_digests}

    def scratch_over(self, limit_bytes: int) -> bool:
        """Whether more is in the scratch folder than so much, or too many files to count."""
        used, entries, waiting = 0, 0, [self.outside.scratch]
        while waiting:
            for entry in _listed(waiting.pop()):
                entries += 1
                with contextlib.suppress(OSError):
                    used += entry.stat(follow_symlinks=False).st_blocks * 512
                if used > limit_bytes or entries > _MOST_ENTRIES:
                    return True
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
        return False

    def empty_scratch(self) -> None:
        """Remove what a tool left there."""
        shutil.rmtree(self.outside.scratch, ignore_errors=True)
        Path(self.outside.scratch).mkdir(exist_ok=True)
        Path(self.outside.scratch).chmod(0o777)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the stage down."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _listed(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder, as far as it may be seen and is worth counting."""
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        return list(itertools.islice(found, _MOST_ENTRIES + 1))
    return []


def machine() -> dict[str, object]:
    """Interpreter and machine, as results name them."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
    }


def environment_digest() -> str:
    """The digest of machine, interpreter and every package that could be brought to a tool."""
    packages = sorted(f"{each.name} {each.version}" for each in importlib.metadata.distributions())
    return f"sha256:{hashlib.sha256(canonical([machine(), packages])).hexdigest()}"


def _new_folder() -> Path:
    """A folder of this process in the temporary space; what killed processes left is removed."""
    space = Path(tempfile.gettempdir())
    for left in space.glob("bayanihan-stage-*"):
        owner = left.name.split("-")[2]
        gone = owner.isdigit() and not Path(f"/proc/{owner}").exists()
        if gone and left.lstat().st_uid == os.geteuid():
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"bayanihan-stage-{os.getpid()}-"))
    folder.chmod(0o755)
    return folder


@functools.cache
def _copied_interpreter(prefix: Path) -> Path:
    """The interpreter where any uid can read it, once for all stages of this process."""
    target = _new_folder()
    atexit.register(shutil.rmtree, target, ignore_errors=True)
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    _link_file((prefix / "bin" / name).resolve(), target / "bin" / name)
    for library in (prefix / "lib").glob("libpython*"):
        _link_file(library.resolve(), target / "lib" / library.name)
    _link_tree(Path(sysconfig.get_path("stdlib")), target / "lib" / name)
    return target


def _open_to_all(path: Path) -> bool:
    return all(place.stat().st_mode & 0o005 == 0o005 for place in (path, *path.parents))


def _link_file(source: Path, target: Path) -> None:
    """A hard link where any uid may read the file and it is on the same disk, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if source.stat().st_mode & 0o444 != 0o444:
            raise PermissionError
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def _link_tree(source: Path, target: Path) -> None:
    for folder, folders, files in os.walk(source):
        folders[:] = [name for name in folders if not _LEFT_OUT.match(name)]
        inside = target / Path(folder).relative_to(source)
        inside.mkdir(parents=True, exist_ok=True)
        for name in files:
            if (Path(folder) / name).is_file():
                _link_file(Path(folder) / name, inside / name)


def _required(distribution: importlib.metadata.Distribution) -> list[str]:
    """What a distribution requires here, without its extras."""
    found = []
    for line in distribution.requires or []:
        name, _, marker = line.partition(";")
        if "extra" in marker or ("sys_platform" in marker and "win32" in marker):
            continue
        match = re.match(r"[A-Za-z0-9._-]+", name.strip())
        if match and _installed(match[0]):
            found.append(match[0])
    return found


def _installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
