"""R: a tool that runs at its vendor's. Its client is kept in as any tool, with one line out.

The client runs at L2. It holds one end of a socket; the other is the recording proxy's, which
connects to the declared address and to nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from bayanihan.errors import Refused
from bayanihan.sandbox.isolate.bubblewrap import Bubblewrap
from bayanihan.sandbox.isolate.limits import Limits
from bayanihan.sandbox.isolate.process import Process
from bayanihan.sandbox.isolate.staging import Stage
from bayanihan.sandbox.remote.proxy import host_of

TOLD = "remote, version not fixed, items disclosed"


class Remote:
    """A client in namespaces, and a proxy to one address. Local tools run as at L2.

    Args:
        inner: keeps the client in.
        url: the declared address.
        record: the file that requests and answers are added to.
    """

    level = "R"
    name = "remote"
    bounds_scratch = True

    def __init__(self, inner: Bubblewrap, url: str, record: Path) -> None:
        self._inner = inner
        self._url = url
        self._record = record

    def missing(self) -> str:
        """Why the client cannot be kept in here."""
        return self._inner.missing()

    def start(self, stage: Stage, limits: Limits) -> Process:
        """Start the client with its line, and the proxy at the other end."""
        if stage.manifest.remote is None:
            return self._inner.start(stage, limits)
        assert stage.manifest.remote.url == self._url, "one trial, one remote tool"
        ours, theirs = socket.socketpair()
        with ours, theirs:
            proxy = self._proxy(ours, limits)
            try:
                process = self._inner.start(stage, limits, line=theirs.fileno())
            except BaseException:
                _end(proxy)
                raise
        process.at_end = lambda: _end(proxy)
        return process

    def _proxy(self, line: socket.socket, limits: Limits) -> subprocess.Popen[bytes]:
        def with_us() -> None:
            ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)

        try:
            record = os.open(self._record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise Refused(
                "cannot-write", f"The record cannot be kept: {error.strerror}", where=error.filename
            ) from None
        words = [str(line.fileno()), str(record), self._url, str(limits.item_s)]
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "bayanihan.sandbox.remote.proxy", *words],
                stdin=subprocess.DEVNULL,
                pass_fds=[line.fileno(), record],
                preexec_fn=with_us,  # noqa: PLW1509 (nothing else can tie it to us)
            )
        finally:
            os.close(record)

    def described(self) -> dict[str, object]:
        """What kept the client in, who was asked, and the record with its digest."""
        record = self._record.read_bytes() if self._record.exists() else b""
        return {
            **self._inner.described(),
            "level": self.level,
            "client": self._inner.level,
            "remote": TOLD,
            "host": host_of(self._url),
            "disclosed": record.count(b'"asked": '),
            "record": f"sha256:{hashlib.sha256(record).hexdigest()}",
        }


def _end(proxy: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        # It ends by itself when its client is gone, unless the far side keeps it.
        proxy.wait(0.2)
    proxy.kill()
    proxy.wait()
