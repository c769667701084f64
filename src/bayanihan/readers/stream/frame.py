"""What is written to a stream: one frame an entry, put together into pieces.

Source: WHATWG HTML section 9.2 (server-sent events).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from bayanihan.core.marking import house_of, voice_of
from bayanihan.ledger import Item

# A transport takes so much at once well.
PIECE_BYTES = 256 * 1024
HEARTBEAT = b": heartbeat\n\n"


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a frame says beside the object's own bytes.

    A frame is encoded once for all its readers, so `origin` is the member and never which of
    its constituents. `by` is there where a named proxy entered it, and names both.
    """

    id: str
    kind: str
    origin: str
    exercise: bool
    stamp: str
    by: str = ""


def reset_frame(code: str, reason: str) -> bytes:
    """Tells a reader that this stream has a gap, and why.

    After `behind` the last id that was read is still good; after any other code the reader
    starts again without a cursor.
    """
    return b"event: reset\ndata: " + msgspec.json.encode({"code": code, "reason": reason}) + b"\n\n"


def frame_of(item: Item, cursor: str, stamp: str) -> bytes:
    """One entry as an event: its cursor, its kind, and the object as it was submitted.

    A line break inside the object's bytes continues the `data` field, as the format asks.
    """
    entry = item.entry
    origin, voice = house_of(entry.origin), voice_of(entry.origin, entry.author)
    by = "" if voice == entry.origin else voice
    event = Event(entry.object_id, entry.header.kind, origin, entry.header.exercise, stamp, by)
    head = msgspec.json.encode(event)[:-1]
    body = item.body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    return b'id: %b\nevent: %b\ndata: %b,"body":%b}\n\n' % (
        cursor.encode(),
        entry.header.kind.encode(),
        head,
        body,
    )


def joined(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Frames put together in order, no piece much longer than `PIECE_BYTES`."""
    piece: list[bytes] = []
    size_bytes = 0
    for frame in frames:
        piece.append(frame)
        size_bytes += len(frame)
        if size_bytes >= PIECE_BYTES:
            yield b"".join(piece)
            piece, size_bytes = [], 0
    if piece:
        yield b"".join(piece)
