"""`bayanihan up`: run a hub."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import pkgutil
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType
from typing import Annotated

import msgspec
import uvicorn
from cyclopts import Parameter

from bayanihan.app import create_app
from bayanihan.commands.data_folder import DEFAULT_DATA, DEMO_KEYS_FILE, DataOption
from bayanihan.commands.tls import Tls
from bayanihan.config import checked, load_settings
from bayanihan.errors import Refused, one_line
from bayanihan.hub import Hub
from bayanihan.web.connection import Connection

# The event loop and the writer hand work to each other; at the default of 5 ms the one
# that wakes waits for the other's whole turn (measured p99: 9 ms against 0.08 ms).
_SWITCH_INTERVAL_S = 0.0005
_STOP_WITHIN_S = 3
_STOPS = (signal.SIGTERM, signal.SIGINT)
# Named by path, as the verbs are: the exercise brings the whole agent with it, and a hub that
# plays none need not load that.
_PLAYING = "bayanihan.commands.demo:playing"


def up(
    *,
    data: DataOption = Path(DEFAULT_DATA),
    host: Annotated[str, Parameter(help="Address to listen on.")] = "",
    port: Annotated[int | None, Parameter(help="Port to listen on.")] = None,
    store: Annotated[
        str, Parameter(help="Where the ledger is, if not in the data directory: postgresql://…")
    ] = "",
    demo: Annotated[
        bool, Parameter(negative="", help="Play a short exercise across the region.")
    ] = False,
) -> int:
    """Run a hub until it is told to stop. The first start makes the data directory.

    Example: bayanihan up --demo
    """
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = load_settings(data)
    changes = {"host": host, "port": port, "store": store}
    given = {name: value for name, value in changes.items() if value not in ("", None)}
    settings = checked(msgspec.structs.replace(settings, **given))
    # Until it serves, the hub owes nobody anything: it ends as a crash would end it.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    _open_many_files()
    hub = Hub(data, settings)
    try:
        signal.signal(signal.SIGTERM, _stop_now)
        if hub.new_admin_key:
            print(f"The operator's key, shown this once: {hub.new_admin_key}")
            print(f"It is kept in {data / 'admin.key'}", flush=True)
        for loaded in asyncio.run(hub.preload()):
            print("\n".join(map(one_line, loaded.lines())), flush=True)
        return _serve(hub, demo=demo)
    finally:
        hub.close()


class HubServer(uvicorn.Server):
    """The server, which ends the open streams before it waits for requests to end."""

    def __init__(
        self,
        end_streams: Callable[[], Awaitable[None]],
        config: uvicorn.Config,
        more: str,
        tls: Tls | None = None,
    ) -> None:
        super().__init__(config)
        self._tls = tls
        self._watching: asyncio.Task[None] | None = None
        self._end_streams = end_streams
        self._more = more
        self._stops: list[int] = []

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop; a stop that comes before it listens waits until it does.

        A signal mask would not hold it: another thread may be given the signal, and the
        handler would still run between two steps of this one.
        """
        before = {sent: signal.signal(sent, self.handle_exit) for sent in _STOPS}
        try:
            super().run(sockets)
        finally:
            for sent, handler in before.items():
                signal.signal(sent, handler)
        if self._stops:
            signal.raise_signal(self._stops[0])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take note of a stop."""
        self._stops.append(sig)
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where."""
        if self._tls:
            self.config.ssl = self._tls.context
            self._watching = asyncio.ensure_future(self._tls.watch())
        await super().startup(sockets)
        if self.started:
            at = self.servers[0].sockets[0].getsockname()
            scheme = "https" if self._tls else "http"
            host = f"[{at[0]}]" if ":" in at[0] else at[0]
            print(f"The hub listens on {scheme}://{host}:{at[1]}{self._more}", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening and see the requests at hand through."""
        if self._watching:
            self._watching.cancel()
        await self._end_streams()
        await super().shutdown(sockets)


def _stop_now(*_: object) -> None:
    sys.exit(0)


def _open_many_files() -> None:
    """Let this process open as many files as it may: each stream is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _tls_of(hub: Hub, *, demo: bool) -> Tls | None:
    order = hub.settings.tls
    if not order.certificate:
        return None
    if demo:
        message = "The exercise is played over plain HTTP"
        step = "Take the table [tls] out of hub.toml, or start without --demo."
        raise Refused("bad-setting", message, where="hub.toml: tls", next_step=step)
    return Tls(order, hub.folder)


def _exercise(hub: Hub) -> tuple[AbstractContextManager[object], str]:
    """The exercise, and where its keys are told to be."""
    playing = pkgutil.resolve_name(_PLAYING)
    played = playing(hub.settings.host, hub.settings.port, hub.admin_key(), hub.folder)
    return played, f"\nThe exercise's keys: {hub.folder / DEMO_KEYS_FILE}"


def _serve(hub: Hub, *, demo: bool) -> int:
    tls = _tls_of(hub, demo=demo)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    application = create_app(hub)
    gc.collect()
    gc.freeze()  # what start-up made lives for ever; the collector need not walk it
    exercise, told = _exercise(hub) if demo else (contextlib.nullcontext(), "")
    server = HubServer(
        hub.broadcast.stop,
        uvicorn.Config(
            application,
            host=hub.settings.host,
            port=hub.settings.port,
            log_level="warning",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=_STOP_WITHIN_S,
            timeout_keep_alive=75,
            http=Connection,
            proxy_headers=False,  # what proxies say is read by the entrance
        ),
        told,
        tls,
    )
    try:
        with exercise:
            server.run()
    except SystemExit as end:
        if end.code and not server.started:
            raise Refused(
                "bad-setting",
                f"The hub cannot listen on {hub.settings.host}:{hub.settings.port}",
                where="port",
                next_step="Stop what uses the port, or choose another with --port.",
            ) from None
        raise
    return 0
