"""The reader's own process: `python -m bayanihan.intake.evidence.process`.

It takes one file after the other on its standard input and answers on its output; both are a
length of four bytes and that many bytes. It may be ended at any moment: it keeps nothing.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import BinaryIO

import msgspec

from bayanihan.core.examined import Examined
from bayanihan.errors import Refused
from bayanihan.intake.evidence.examine import examine

# Beyond what the interpreter, numpy and the language model hold: 256 MiB in all.
MEMORY_LIMIT_BYTES = 512 * 1024 * 1024


class Order(msgspec.Struct):
    """One file to read. `country` is the reporter's member, or ""."""

    data: bytes
    country: str = ""


class Answer(msgspec.Struct):
    """What was read, or why not: a sentence."""

    examined: Examined | None = None
    fault: str = ""


_order = msgspec.msgpack.Decoder(Order).decode
_encode = msgspec.msgpack.Encoder().encode


def answer_to(order: Order) -> Answer:
    """The answer to one order; a fault of the reader's is told, never raised."""
    try:
        return Answer(examine(order.data, order.country))
    except Refused as refusal:
        return Answer(fault=refusal.message)
    except MemoryError:
        return Answer(fault="It takes more memory than a reader may use.")
    except RecursionError:
        return Answer(fault="It is nested too deep to be read.")
    except Exception as error:  # hostile input finds what nobody thought of
        return Answer(fault=f"The reader failed on it ({type(error).__name__}).")


def _taken(stream: BinaryIO, size: int) -> bytes:
    parts = []
    while size > 0:
        part = stream.read(min(size, 1 << 20))
        if not part:
            return b""
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def main() -> None:
    """Answer until the input ends."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    while head := _taken(sys.stdin.buffer, 4):
        body = _taken(sys.stdin.buffer, int.from_bytes(head, "big"))
        told = _encode(answer_to(_order(body)))
        output.write(len(told).to_bytes(4, "big") + told)
        output.flush()


if __name__ == "__main__":
    main()
