"""L0: nothing holds the tool in. For development only; its results cannot be attested."""

from __future__ import annotations

from bayanihan.sandbox.isolate.limits import Limits
from bayanihan.sandbox.isolate.process import Process, spawn
from bayanihan.sandbox.isolate.staging import Stage


class Unconfined:
    """A plain process under our own uid."""

    level = "L0"
    name = "none"
    bounds_scratch = False

    def missing(self) -> str:
        """Nothing is needed."""
        return ""

    def start(self, stage: Stage, limits: Limits) -> Process:
        """Start the staged tool as any program."""
        seen = stage.outside
        return spawn(
            stage.command(seen), stage.environment(seen), limits, folder=seen.tool, confined=False
        )

    def described(self) -> dict[str, object]:
        """Nothing."""
        return {"level": self.level, "isolator": "none", "seccomp": ""}
