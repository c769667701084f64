"""What a collection begins with: a file, loaded once through the ordinary way in.

A file is known by its digest: the same one is not loaded again, a changed one is, and what
of it is there already counts as a repetition. Ended half-way, it is begun again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bayanihan.core.marking import Viewer
from bayanihan.errors import Refused
from bayanihan.ledger import Change, Ledger
from bayanihan.readers.taxii.api import Entrance
from bayanihan.readers.taxii.collections import Collection, Root

ROOM = "taxii-preload"
_STEP = (
    "Correct the collection's `tlp` and `group`; a new group is made with `bayanihan member group`"
    " while the hub runs without this `preload`."
)
AT_ONCE = 500


class Loaded(msgspec.Struct, frozen=True):
    """What became of one file: how many objects of each result, and each refusal in words."""

    collection: str
    counts: dict[str, int]
    refusals: tuple[str, ...]

    def lines(self) -> list[str]:
        """The same for a terminal."""
        counts = ", ".join(f"{number} {result}" for result, number in self.counts.items())
        return [f"{self.collection}: {counts or 'nothing'}", *self.refusals]


class _Envelope(msgspec.Struct):
    objects: list[msgspec.Raw]


class _Kept(msgspec.Struct):
    digest: str


def read(path: Path, where: str) -> tuple[str, list[bytes]]:
    """A file's digest, and its objects.

    Raises:
        Refused: `bad-setting`, naming the file, when it cannot be read or holds no objects.
    """
    try:
        data = path.read_bytes()
        objects = msgspec.json.decode(data, type=_Envelope).objects
    except OSError as error:
        message = f"The file {path} cannot be read: {error.strerror}"
        raise Refused("bad-setting", message, where=where) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        message = f'The file {path} is no bundle or envelope: {{"objects": [...]}}'
        raise Refused("bad-setting", message, where=where) from None
    return hashlib.sha256(data).hexdigest(), [bytes(raw) for raw in objects]


def ordered(roots: Mapping[str, Root]) -> Iterator[tuple[str, Collection]]:
    """The collections that begin with a file, each with the place in hub.toml that says so."""
    for root in roots.values():
        for collection in root.collections:
            if collection.preload:
                yield f"hub.toml: taxii.roots.{root.name}.{collection.alias}.preload", collection


async def load(
    ledger: Ledger, entrance: Entrance, viewer: Viewer, roots: Mapping[str, Root], folder: Path
) -> list[Loaded]:
    """Load what was not loaded yet; what became of it.

    Args:
        ledger: its state says what was loaded.
        entrance: the way in.
        viewer: in whose name.
        roots: the API roots.
        folder: what paths are relative to.

    Raises:
        Refused: `bad-setting`; then nothing of the file that it names was loaded.
    """
    files = [
        (where, shelf, *read(folder / shelf.preload, where)) for where, shelf in ordered(roots)
    ]
    done = []
    for where, shelf, digest, objects in files:
        place = hashlib.sha256(where.encode()).hexdigest()
        known = ledger.state.get(ROOM, place)
        if known and msgspec.json.decode(known.value, type=_Kept).digest == digest:
            continue
        try:
            results = await _submit(entrance, viewer, shelf, objects)
        except Refused as error:
            # The collection's own terms: a group that there is not, most of all.
            raise Refused("bad-setting", error.message, where=where, next_step=_STEP) from None
        ledger.state.put([Change(ROOM, place, msgspec.json.encode(_Kept(digest)))])
        counts = Counter(str(each.result) for each in results)
        refusals = [_told(each) for each in results if each.result == "refused"]
        done.append(Loaded(shelf.alias, dict(counts), tuple(refusals)))
    return done


async def _submit(
    entrance: Entrance, viewer: Viewer, shelf: Collection, objects: Sequence[bytes]
) -> list[Any]:
    results: list[Any] = []
    for at in range(0, len(objects), AT_ONCE):
        data = b'{"objects":[%b]}' % b",".join(objects[at : at + AT_ONCE])
        results += await entrance.submit(viewer, data, shelf.submission_terms())
    return results


def _told(result: Any) -> str:
    place = f" at {result.path}" if result.path else ""
    return f"refused {result.id or 'an object without an id'}: {result.reason}{place}"
