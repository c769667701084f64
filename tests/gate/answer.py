"""What a hub answered, as the gate looks at it."""

from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """What came back: everything that a reader can look at."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def everything(self) -> bytes:
        return b"\n".join([*(b": ".join(header) for header in self.headers), self.body])
