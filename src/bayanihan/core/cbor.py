"""Reads CBOR from strangers: bounded in depth and count, and nothing is executed.

Source: RFC 8949. Tags are read through; floats of half precision are not needed and refused.
"""

from __future__ import annotations

import struct
from typing import Any

from bayanihan.errors import Refused

DEPTH_LIMIT = 16
ITEMS_LIMIT = 10_000
_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_BREAK = object()


def decode(data: bytes) -> Any:
    """The first value in these bytes. Raises `Refused("bad-value")` for what is none."""
    try:
        return _Cursor(data).value(0)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise Refused("bad-value", f"This CBOR cannot be read: {error}") from None


class _Cursor:
    """Where reading stands."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._left = ITEMS_LIMIT

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise IndexError("it ends too early")
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def value(self, depth: int) -> Any:
        """The next value."""
        self._left -= 1
        if depth > DEPTH_LIMIT or self._left < 0:
            raise IndexError("it is too deep, or holds too much")
        first = self._take(1)[0]
        major, short = first >> 5, first & 31
        if major == 7:
            return self._simple(short)
        size = self._size(short)
        if major in (0, 1):
            return size if major == 0 else -1 - size
        if major == 6:
            return self.value(depth + 1)
        if major in (2, 3):
            raw = self._bytes(size, depth)
            return raw if major == 2 else raw.decode()
        if major == 4:
            return list(self._items(size, depth))
        keys_and_values = list(self._items(size * 2 if size >= 0 else size, depth))
        return dict(zip(keys_and_values[::2], keys_and_values[1::2], strict=True))

    def _size(self, short: int) -> int:
        if short < 24:
            return short
        if short == 31:
            return -1
        if short > 27:
            raise IndexError("a length is none")
        return int.from_bytes(self._take(1 << (short - 24)), "big")

    def _bytes(self, size: int, depth: int) -> bytes:
        if size >= 0:
            return self._take(size)
        parts = list(self._items(-1, depth))
        return b"".join(part if isinstance(part, bytes) else str(part).encode() for part in parts)

    def _items(self, size: int, depth: int) -> Any:
        while size != 0:
            found = self.value(depth + 1)
            if found is _BREAK:
                if size > 0:
                    raise IndexError("it breaks off")
                return
            yield found
            size -= 1

    def _simple(self, short: int) -> Any:
        if short == 31:
            return _BREAK
        if short in (26, 27):
            return struct.unpack(">f" if short == 26 else ">d", self._take(1 << (short - 24)))[0]
        if short not in _SIMPLE:
            raise IndexError("a simple value is not known")
        return _SIMPLE[short]
