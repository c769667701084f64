"""TLS as `up` serves it: a certificate and its key, taken up anew without a connection dropped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import ssl
from pathlib import Path

from bayanihan.core.entrance_order import TlsOrder
from bayanihan.errors import Refused

logger = logging.getLogger(__name__)

LOOKED_AT_EVERY_S = 2.0
_WHERE = "hub.toml: tls"


class Tls:
    """The certificate of a hub.

    Args:
        order: see `TlsOrder`.
        folder: what its paths are relative to.

    Raises:
        Refused: `bad-setting` when the files cannot be read or do not belong together.
    """

    def __init__(self, order: TlsOrder, folder: Path) -> None:
        self.certificate = folder / order.certificate
        self.key = folder / order.key
        self._seen = self._changed_at()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load(self.context)

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except (OSError, ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", "") or getattr(error, "strerror", "") or error
            message = f"The certificate or its key cannot be used: {reason}"
            raise Refused("bad-setting", message, where=f"{_WHERE}: {self.certificate}") from None

    def _changed_at(self) -> tuple[int, ...]:
        found = []
        for path in (self.certificate, self.key):
            with contextlib.suppress(OSError):
                state = path.stat()
                found += [state.st_mtime_ns, state.st_ino, state.st_size]
        return tuple(found)

    def reload(self) -> bool:
        """Serve new connections with what the files hold now; open ones go on as they are.

        Files that cannot be used are named in the log, and the certificate before stays.
        """
        self._seen = self._changed_at()
        try:
            # On a context of its own first: a half-loaded pair would break the one in use.
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            self._load(self.context)
        except Refused as error:
            logger.warning("%s; the one before stays (%s)", error.message, error.where)
            return False
        logger.warning("the certificate was taken up anew from %s", self.certificate)
        return True

    async def watch(self, every_s: float = LOOKED_AT_EVERY_S) -> None:
        """Reload on SIGHUP, and when a file changed; until cancelled."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGHUP, self.reload)
        while True:
            await asyncio.sleep(every_s)
            if self._changed_at() != self._seen:
                self.reload()


def _no_password() -> str:
    raise ValueError("the key is locked with a password; give one without")
