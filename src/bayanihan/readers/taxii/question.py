"""A saved question: which objects a collection holds, as a predicate over their facts.

A question says nothing about who may see what: that is decided for each viewer, for every
question alike.
"""

from __future__ import annotations

import msgspec


class Question(msgspec.Struct, frozen=True):
    """What must be true of an object; an empty part asks nothing.

    `consumers` is a sum of `facts.CONSUMERS`: one of them suffices. `home` limits to what
    was submitted to that collection. `exercise` is never open: a collection holds either
    real objects or exercises.
    """

    types: frozenset[str] = frozenset()
    vectors: frozenset[str] = frozenset()
    consumers: int = 0
    home: str = ""
    exercise: bool = False

    def asks(self, kind: str, vector: str, consumers: int, home: str) -> bool:
        """Whether an object of these facts belongs here, its exercise flag apart."""
        return (
            (not self.types or kind in self.types)
            and (not self.vectors or vector in self.vectors)
            and (not self.consumers or bool(consumers & self.consumers))
            and (not self.home or home == self.home)
        )

    def narrowed(self, types: frozenset[str]) -> Question | None:
        """This question limited to some types as well; None when nothing can be both."""
        if not types:
            return self
        both = types & self.types if self.types else types
        return msgspec.structs.replace(self, types=both) if both else None
