"""The line under a connection: it can be cut from here, whoever waits at it."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any


class Line:
    """The socket of a connection, as far as another thread may use it.

    Args:
        link: a connection that was just opened.
        timeline: of the server that it leads to.
    """

    def __init__(self, link: Any, timeline: int) -> None:
        self.timeline = timeline
        self._peer: Any = None
        with contextlib.suppress(OSError), _socket_of(link) as line:
            self._peer = line.getpeername()

    def cut(self, link: Any) -> None:
        """Whoever waits at the connection is told at once that it is lost."""
        # Its thread may close it at this moment, and its number be given to another: look first.
        with contextlib.suppress(Exception), _socket_of(link) as line:
            if line.getpeername() == self._peer:
                line.shutdown(socket.SHUT_RDWR)


def _socket_of(link: Any) -> socket.socket:
    return socket.socket(fileno=os.dup(link.fileno()))
