"""A simulated engine: it loads the file that an agent placed, and answers for the names in it.

It reads the file itself, each time anew, and knows nothing but what it loaded; so a probe
of it can fail, and proves as much as one of a real resolver in the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from bayanihan.agent.engine import TIMEOUT_S, Command, Ran

Act = Callable[[str, Mapping[str, str]], Ran]


class Simulated(Command, frozen=True):
    """A command that is carried out in this process instead of by a program."""

    act: Act

    def run(self, what: str, variables: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> Ran:
        """See `Command.run`; nothing here takes long."""
        return self.act(what, variables)


class Resolver:
    """Blocks the names of a response policy zone, or of a list of names, and all below them.

    Args:
        out_of_order: whether the check is in trouble now, and refuses whatever it is given.
    """

    def __init__(self, out_of_order: Callable[[], bool]) -> None:
        self._out_of_order = out_of_order
        self._blocked: frozenset[str] = frozenset()
        self._texts: dict[str, str] = {}

    @property
    def check(self) -> Simulated:
        """CHECK: whether the file can be read as a whole."""
        return Simulated(("simulated", "check"), self._check)

    @property
    def reload(self) -> Simulated:
        """RELOAD: takes the file in."""
        return Simulated(("simulated", "reload"), self._reload)

    @property
    def probe(self) -> Simulated:
        """PROBE: whether a name is blocked; for a canary with a text, that text as well."""
        return Simulated(("simulated", "probe"), self._probe)

    def restart(self, path: Path) -> None:
        """Begin as an engine does after a restart: with the file that is there."""
        if path.exists():
            self._reload(str(path), {})

    def _check(self, what: str, _variables: Mapping[str, str]) -> Ran:
        if self._out_of_order():
            return Ran(1, "EXERCISE: this check refuses every version for a while")
        try:
            _read(Path(what))
        except ValueError as error:
            return Ran(1, str(error))
        return Ran(0, "good")

    def _reload(self, what: str, _variables: Mapping[str, str]) -> Ran:
        try:
            self._blocked, self._texts = _read(Path(what))
        except (OSError, ValueError) as error:
            return Ran(1, str(error))
        return Ran(0, f"{len(self._blocked)} names")

    def _probe(self, what: str, _variables: Mapping[str, str]) -> Ran:
        name = what.lower().rstrip(".")
        if name in self._texts:
            return Ran(0, self._texts[name])
        labels = name.split(".")
        blocked = any(".".join(labels[at:]) in self._blocked for at in range(len(labels)))
        return Ran(0, "blocked") if blocked else Ran(1, "not blocked")


def _read(path: Path) -> tuple[frozenset[str], dict[str, str]]:
    """The names that a file blocks, and the texts that it answers with."""
    blocked, texts = set[str](), dict[str, str]()
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        words = line.split()
        if not words or words[0][0] in ";#$@":
            continue
        match words:
            case [name]:
                blocked.add(name)
            case [name, "CNAME", "."]:
                blocked.add(name.removeprefix("*."))
            case [name, "TXT", text]:
                texts[name] = text.strip('"')
            case _:
                raise ValueError(f"line {number} is neither a name nor a record of a policy")
    return frozenset(blocked), texts
