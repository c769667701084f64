"""The active set: what indicators name that may be blocked, for whom, and until when.

Only indicators block. Of each object the latest version is kept for every audience apart,
and which of them counts is decided when a viewer asks: among the audiences that *this*
viewer can see, the latest version wins. So a newer version in a narrower audience neither
removes anything from the others nor tells them that it exists.

* A revoked version takes its values out for whoever can see it.
* A withdrawal takes out what its origin said earlier to that audience, and nothing else: to
  a viewer it is as if that audience had never been told.
* An erasure removes the rows, so that nothing is left to find.
* A version that cannot be read blocks nothing, and is listed in the table `unread`.
* An exercise is a world of its own: its versions, withdrawals and positions never touch
  the real ones, nor the reverse.
"""

from bayanihan.readers.active.indicator import FOREVER_US, RULE_LIMIT, RULE_TYPES, UNSTATED
from bayanihan.readers.active.projection import Active
from bayanihan.readers.active.reading import Reading
from bayanihan.readers.active.view import (
    ActiveItem,
    NotBlockable,
    Snapshot,
    Source,
    Standing,
    View,
    together,
)

__all__ = [
    "FOREVER_US",
    "RULE_LIMIT",
    "RULE_TYPES",
    "UNSTATED",
    "Active",
    "ActiveItem",
    "NotBlockable",
    "Reading",
    "Snapshot",
    "Source",
    "Standing",
    "View",
    "together",
]
