"""The hub's side of the reader: hands it files, waits so long and no longer, starts it anew."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import select
import subprocess
import sys
import threading
import time

import msgspec

from bayanihan.core import tlsh
from bayanihan.core.examined import Examined
from bayanihan.core.fingerprint import Fingerprints
from bayanihan.errors import Refused, Unavailable
from bayanihan.intake.evidence.process import Answer, Order

logger = logging.getLogger(__name__)

TIME_LIMIT_S = 2.0
# The first file also waits for numpy and the language model to load.
START_LIMIT_S = 60.0
WAIT_LIMIT_S = 30.0
FILE_LIMIT_BYTES = 25 * 1024 * 1024
_TLSH_LIMIT_BYTES = 1024 * 1024

_answer = msgspec.msgpack.Decoder(Answer).decode
_encode = msgspec.msgpack.Encoder().encode


class Reader:
    """Reads evidence in a process of its own; safe to share between threads.

    Args:
        time_limit_s: how long one file may take. A file that takes longer is taken as a file
            alone: its digests, and a sentence that says so.
    """

    def __init__(self, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._time_limit_s = time_limit_s
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def examine(self, data: bytes, country: str = "") -> Examined:
        """What a file holds. Blocks: it belongs on a worker thread.

        Raises:
            Refused: `too-large`.
            Unavailable: `overloaded` when too many wait.
        """
        if len(data) > FILE_LIMIT_BYTES:
            limit_mib = FILE_LIMIT_BYTES // 1024 // 1024
            raise Refused("too-large", f"One piece of evidence may hold {limit_mib} MiB")
        if not self._lock.acquire(timeout=WAIT_LIMIT_S):
            raise Unavailable("overloaded", "Other evidence is being read", retry_after_s=5)
        try:
            answer = self._asked(Order(data, country))
        finally:
            self._lock.release()
        return answer.examined or _unread(data, answer.fault)

    def stop(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            self._end()

    def _asked(self, order: Order) -> Answer:
        try:
            if self._child is None or self._child.poll() is not None:
                self._end()
                self._child = _started()
                self._told(self._child, Order(b"warm up, please: this is a text"), START_LIMIT_S)
            return self._told(self._child, order, self._time_limit_s)
        except TimeoutError:
            self._end()
            return Answer(fault=f"It was not read within {self._time_limit_s:.0f} seconds.")
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            logger.warning("the reader of evidence ended: %s", type(error).__name__)
            self._end()
            return Answer(fault="The reader ended while it read this.")

    def _told(self, child: subprocess.Popen[bytes], order: Order, limit_s: float) -> Answer:
        assert child.stdin is not None
        assert child.stdout is not None
        body = _encode(order)
        # The pipe is written while the child reads: both at its pace, the limit counts for both.
        until_s = time.monotonic() + limit_s
        _write(child.stdin.fileno(), len(body).to_bytes(4, "big") + body, until_s)
        size = int.from_bytes(_read(child.stdout.fileno(), 4, until_s), "big")
        return _answer(_read(child.stdout.fileno(), size, until_s))

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        child.wait()


def _started() -> subprocess.Popen[bytes]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("BAYANIHAN_KEY")
    }
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    child = subprocess.Popen(
        [sys.executable, "-m", "bayanihan.intake.evidence.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        bufsize=0,
        start_new_session=True,
    )
    assert child.stdin is not None
    os.set_blocking(child.stdin.fileno(), False)
    return child


def _left_s(until_s: float) -> float:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _write(descriptor: int, data: bytes, until_s: float) -> None:
    view = memoryview(data)
    while view:
        _, ready, _ = select.select([], [descriptor], [], _left_s(until_s))
        if ready:
            view = view[os.write(descriptor, view[: 1 << 20]) :]


def _read(descriptor: int, size: int, until_s: float) -> bytes:
    parts = []
    while size > 0:
        ready, _, _ = select.select([descriptor], [], [], _left_s(until_s))
        if not ready:
            continue
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _unread(data: bytes, fault: str) -> Examined:
    """A file of which nothing is known but its digests, and why."""
    digest = hashlib.sha256(data).hexdigest()
    code = tlsh.digest(data) if len(data) <= _TLSH_LIMIT_BYTES else ""
    prints = Fingerprints(files=(digest,), tlsh=(code,) if code else ())
    return Examined("file", digest, len(data), left_out=(fault,), prints=prints)
