"""The house rules as functions: each takes a checkout and returns what breaks the rule.

`test_architecture` asks them about this checkout, and about small trees that break them.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "bayanihan"
FUNCTION_LINES = 70
FILE_LINES = 500
NESTING = 3

# What is still over a limit: "path:function" or "path" -> its lines. Entries only ever leave.
EXCEPTIONS: dict[str, int] = {}

# Beside its own files, `core`, `errors` and the door `bayanihan.ledger`:
# what a room may import besides, or the short list that it is held to.
EVERYTHING = frozenset({"*"})
ROOMS: dict[str, frozenset[str]] = {
    "__init__": frozenset(),
    "__main__": frozenset({"cli"}),
    "errors": frozenset(),
    "core": frozenset({"errors"}),
    "config": frozenset({"errors", "core"}),
    "ledger": frozenset({"errors", "core"}),
    "agent": frozenset({"errors", "core"}),
    "rulebook": frozenset({"errors", "core"}),
    "web": EVERYTHING,
    "app": EVERYTHING,
    "evidence_desk": EVERYTHING,
    "hub": EVERYTHING,
    "cli": EVERYTHING,
    "commands": EVERYTHING,
}
OTHER_ROOM = frozenset({"errors", "core", "ledger"})
# The composition root and the verbs that work on a stopped hub open a store themselves.
BEHIND_THE_DOOR = frozenset({"app", "cli", "hub", "ledger"})
# Readers are independent of each other; each entry here is one seen and accepted.
READERS: dict[str, frozenset[str]] = {
    "feeds": frozenset({"active"}),
    "receipts_api": frozenset({"protection"}),
}

CORE_PACKAGES = frozenset(
    "cryptography idna msgspec multipart numpy publicsuffixlist rfc8785 yaml".split()
)
IO_MODULES = frozenset(
    """asyncio concurrent fcntl ftplib glob http httpx multiprocessing os queue random secrets
    select selectors shutil signal smtplib socket socketserver sqlite3 ssl subprocess tempfile
    threading time urllib.request uvicorn""".split()
)
CLOCK_AND_DISK = frozenset({"now", "utcnow", "today", "read_text", "read_bytes"})

BANNED_WORDS = frozenset(
    """common commons helper helpers manager managers misc service services util utils
    utility utilities""".split()
)
# Classes named after a type that a specification calls so.
GIVEN_NAMES = frozenset({"WindowsService"})

_HOSTS = "|".join(
    [
        "pypi[.]" + "org",
        "python" + "hosted[.]org",
        "registry[.]npm" + "js",
        "deb[.]debian[.]" + "org",
        "crates[.]" + "io",
        "proxy[.]golang[.]" + "org",
    ]
)
_PATHS = r"(?<![\w.*~-])/(?:wo" + r"rk|tm" + r"p|ro" + r"ot)/|[.]py" + "env/|/opt/whe" + "els"
FORBIDDEN_TEXT = re.compile(f"{_HOSTS}|{_PATHS}".encode())


@dataclass(frozen=True)
class Import:
    """One import of ours: the module it names in full, and how it stands in the file."""

    line: int
    target: str
    hidden: bool


def python_files(root: Path) -> list[Path]:
    """Every Python file of ours: the package, its tests, the bench and the docs' generator."""
    return sorted(
        path
        for folder in ("src", "tests", "bench", "docs")
        for path in (root / folder).rglob("*.py")
        if "__pycache__" not in path.parts
    )


def package_files(root: Path) -> list[Path]:
    """The Python files of the package itself."""
    return [path for path in python_files(root) if path.is_relative_to(root / "src" / PACKAGE)]


def parse(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return _parsed(path.read_text(encoding="utf-8"), str(path))


@functools.cache
def _parsed(text: str, filename: str) -> ast.Module:
    """Each rule asks for the tree of every file; nobody changes one."""
    return ast.parse(text, filename=filename)


def module_of(path: Path, root: Path) -> list[str]:
    """Dotted name of a package file as parts; a folder's `__init__` is the folder."""
    parts = list(path.relative_to(root / "src").with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


def room_of(path: Path, root: Path) -> str:
    """The room that a package file lies in: its folder, or its own name at the top."""
    first = path.relative_to(root / "src" / PACKAGE).parts[0]
    return first.removesuffix(".py")


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _nodes(node: ast.AST, hidden: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        deeper = hidden or inside or _is_type_checking(child)
        yield child, deeper
        yield from _nodes(child, deeper)


def _targets(node: ast.AST, here: list[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = here[: len(here) - node.level + 1] if node.level else []
        start = ".".join([*base, *([node.module] if node.module else [])])
        return [f"{start}.{alias.name}" for alias in node.names]
    return []


def imports(path: Path, root: Path) -> list[Import]:
    """Every import in a package file, with relative ones resolved.

    `from a import b` is reported as `a.b`, since only the files tell whether b is a module.
    """
    here = module_of(path, root)
    package = here if path.name == "__init__.py" else here[:-1]
    return [
        Import(getattr(node, "lineno", 0), target, hidden)
        for node, hidden in _nodes(parse(path))
        for target in _targets(node, package)
    ]


def _is_ours(target: str) -> bool:
    return target.split(".", 1)[0] == PACKAGE


def _may(room: str, other: str) -> bool:
    allowed = ROOMS.get(room, OTHER_ROOM)
    return allowed is EVERYTHING or other == room or other in allowed


def _is_module(target: list[str], root: Path) -> bool:
    place = root.joinpath("src", *target)
    return place.is_dir() or place.with_suffix(".py").is_file()


def _import_fault(room: str, target: str, root: Path) -> str:
    parts = target.split(".")
    if len(parts) < 2 or not _is_module(parts[:2], root):
        return ""
    other = parts[1]
    if not _may(room, other):
        return f"{room} may not import {other}"
    behind = other == "ledger" and len(parts) > 2 and _is_module(parts[:3], root)
    if behind and room not in BEHIND_THE_DOOR:
        return f"{room} may import the door {PACKAGE}.ledger, not {'.'.join(parts[:3])}"
    return ""


def import_faults(root: Path) -> list[str]:
    """Imports of ours that run the wrong way, pass the ledger's door, or hide."""
    faults = []
    for path in package_files(root):
        room = room_of(path, root)
        for found in imports(path, root):
            if not _is_ours(found.target):
                continue
            fault = _import_fault(room, found.target, root)
            if found.hidden:
                fault = fault or f"{found.target} is imported out of sight"
            if fault:
                faults.append(f"{path.relative_to(root)}:{found.line}: {fault}")
    return faults


def reader_faults(root: Path) -> list[str]:
    """Readers that import a sibling that `READERS` does not name."""
    readers = root / "src" / PACKAGE / "readers"
    faults = []
    for path in sorted(readers.rglob("*.py")):
        own = path.relative_to(readers).parts[0].removesuffix(".py")
        for found in imports(path, root):
            parts = found.target.split(".")
            inside = parts[:2] == [PACKAGE, "readers"] and len(parts) > 2
            if not inside or own == "__init__" or not _is_module(parts[:3], root):
                continue
            if parts[2] != own and parts[2] not in READERS.get(own, frozenset()):
                faults.append(
                    f"{path.relative_to(root)}:{found.line}: imports its sibling {parts[2]}"
                )
    return faults


def _matches(target: str, modules: frozenset[str]) -> bool:
    return any(target == module or target.startswith(f"{module}.") for module in modules)


def purity_faults(root: Path, standard: frozenset[str]) -> list[str]:
    """I/O, clock, randomness or an unnamed package in `core`; I/O in `rulebook`.

    Args:
        root: the checkout.
        standard: names of the standard library's modules.
    """
    faults = []
    for path in package_files(root):
        room = room_of(path, root)
        if room not in {"core", "rulebook"}:
            continue
        for found in imports(path, root):
            top = found.target.split(".")[0]
            if _matches(found.target, IO_MODULES):
                faults.append(
                    f"{path.relative_to(root)}:{found.line}: {room} imports {found.target}"
                )
            elif room == "core" and top not in standard | CORE_PACKAGES | {PACKAGE}:
                faults.append(f"{path.relative_to(root)}:{found.line}: core imports {top}")
        if room == "core":
            faults += [
                f"{path.relative_to(root)}:{line}: core calls {name}" for line, name in _calls(path)
            ]
    return faults


def _calls(path: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            name = called.rsplit(".", 1)[-1]
            if name in CLOCK_AND_DISK or called == "open":
                found.append((node.lineno, name))
    return found


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST, int]]:
    """Each function with its qualified name and its length in lines, `def` to end."""
    for node in ast.iter_child_nodes(tree):
        name = prefix
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}.{node.name}" if prefix else node.name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield name, node, (node.end_lineno or node.lineno) - node.lineno + 1
        yield from functions(node, name)


def oversizes(root: Path) -> dict[str, int]:
    """What is over the limits: "path" or "path:function" -> its lines."""
    over: dict[str, int] = {}
    for path in python_files(root):
        name = path.relative_to(root).as_posix()
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > FILE_LINES:
            over[name] = lines
        for function, _, length in functions(parse(path)):
            if length > FUNCTION_LINES:
                over[f"{name}:{function}"] = length
    return over


_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def depth(node: ast.AST) -> int:
    """Levels of nested blocks in a function; an `elif` is no deeper than its `if`."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _SCOPES):
            continue
        chained = isinstance(child, ast.If) and isinstance(node, ast.If) and node.orelse == [child]
        own = int(isinstance(child, _BLOCKS) and not chained)
        deepest = max(deepest, own + depth(child))
    return deepest


def nesting_faults(root: Path) -> list[str]:
    """Functions whose blocks are nested deeper than `NESTING` levels."""
    return [
        f"{path.relative_to(root)}:{function}: {depth(node)} levels"
        for path in python_files(root)
        for function, node, _ in functions(parse(path))
        if depth(node) > NESTING
    ]


def words(name: str) -> set[str]:
    """The words in a file or class name: snake_case and CamelCase taken apart."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)}


def name_faults(root: Path) -> list[str]:
    """Files, folders and classes whose names say nothing."""
    faults = []
    for path in python_files(root):
        relative = path.relative_to(root)
        names = [*relative.with_suffix("").parts]
        names += [node.name for node in ast.walk(parse(path)) if isinstance(node, ast.ClassDef)]
        empty = [name for name in names if words(name) & BANNED_WORDS]
        faults += [f"{relative}: {name}" for name in empty if name not in GIVEN_NAMES]
    return faults


def text_faults(root: Path, tracked: list[str]) -> list[str]:
    """Tracked files that name a package registry's host or a path of one machine."""
    faults = []
    for name in tracked:
        path = root / name
        if not path.is_file():
            continue
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            found = FORBIDDEN_TEXT.search(line)
            if found:
                faults.append(f"{name}:{number}: {found.group().decode()}")
    return faults


def exceptions_in(source: str) -> dict[str, int]:
    """The value of `EXCEPTIONS` in a version of this file."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "EXCEPTIONS":
            value = ast.literal_eval(node.value) if node.value else {}
            return dict(value)
    return {}
