"""`bayanihan agent`: keeps one file of a defender current, and reports what is in force."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bayanihan.agent.engine import Command, command
from bayanihan.agent.follow import follow
from bayanihan.agent.hub import Hub
from bayanihan.agent.identity import identity
from bayanihan.agent.place import Place
from bayanihan.agent.trust import Trust
from bayanihan.agent.turn import Follower, Order
from bayanihan.commands.hub_client import DEFAULT_HUB, HubOption, KeyOption, key_or_admin
from bayanihan.core.receipt import FEED_LIMIT, is_feed
from bayanihan.errors import Refused

_EVERY_LIMIT_S = 86_400.0


HubKeyOption = Annotated[
    str, Parameter(help="The hub's public key, base64; kept from the first look unless given.")
]
ControlOption = Annotated[
    str, Parameter(help="A name that must not be blocked; made up unless given.")
]


class Stopped(BaseException):
    """A person or the system asked this process to end."""


def agent(
    *,
    feed: Annotated[str, Parameter(help="The feed's name, such as rpz.zone.")],
    out: Annotated[Path, Parameter(help="The file to keep current.")],
    check: Annotated[str, Parameter(help="Command: exit 0 when the file {} is good.")] = "",
    reload: Annotated[str, Parameter(help="Command: makes the engine take the file.")] = "",
    probe: Annotated[
        str, Parameter(help="Command: exit 0 when the engine blocks the name {}, 1 when not.")
    ] = "",
    control: ControlOption = "",
    state: Annotated[
        Path | None, Parameter(help="Folder of the agent's own key; in your home unless given.")
    ] = None,
    once: Annotated[bool, Parameter(negative="", help="Look once, then end.")] = False,
    every: Annotated[float, Parameter(help="Seconds between two looks.")] = 5.0,
    profile: Annotated[str, Parameter(help="Where it is: office, mail, control-network.")] = "",
    hub_key: HubKeyOption = "",
    public: Annotated[
        bool, Parameter(negative="", help="Follow without a key what anybody may see.")
    ] = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Follow a defence feed and keep one file current, without ever breaking it.

    Each version is fetched beside the file, checked with CHECK, put into its place in one
    step, taken in by RELOAD and proven by PROBE. A signed receipt tells the hub how far it
    came. When CHECK or RELOAD fails, the last good file stays or is put back.

    In a command, {} is the file, or for PROBE the name; there is no shell. Its environment
    has BAYANIHAN_FILE and BAYANIHAN_FEED, for PROBE also BAYANIHAN_PROBE (canary, item or
    control) and BAYANIHAN_EXPECT (the text that PROBE must print for a canary). It has 60
    seconds. A file named `pause` in the state folder stops all changes until it is removed.

    Versions are signed, with HUB-KEY or what signed the first. The key needs the scopes feed
    and receipt. With --public there is no key: only what is public is seen, without receipts.

    Example: bayanihan agent --feed rpz.zone --out rpz.zone --check 'named-checkzone rpz {}'
    """
    _check(feed, every)
    signed_by = _key(key, public=public)
    folder = state or default_state()
    order = Order(
        feed=feed,
        state_folder=folder,
        check=_command(check, "--check"),
        reload=_command(reload, "--reload"),
        probe=_command(probe, "--probe"),
        control=control or f"control-{secrets.token_hex(8)}.bayanihan.invalid",
    )
    chance = random.SystemRandom()
    with _stopping(), contextlib.ExitStack() as held:
        place = held.enter_context(contextlib.closing(Place(out)))
        held.callback(place.drop_incoming)
        connection = held.enter_context(
            contextlib.closing(Hub(hub, signed_by, profile, Trust(folder, hub, hub_key)))
        )
        follower = Follower(
            order,
            connection,
            place,
            identity(folder, secrets.token_bytes),
            now_us=lambda: time.time_ns() // 1000,
            rest=time.sleep,
            choose=chance.randrange,
        )
        if once:
            _look_once(follower)
            return
        follow(follower, every_s=every, wake=time.sleep, jitter=chance.random, say=_say)


def _look_once(follower: Follower) -> None:
    outcome = follower.turn()
    _say(outcome.line)
    if outcome.trouble is not None:
        raise outcome.trouble


def default_state() -> Path:
    """Where an agent keeps its key: the user's own folder for such things."""
    base = os.environ.get("XDG_STATE_HOME", "")
    home = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return home / "bayanihan" / "agent"


def _check(feed: str, every_s: float) -> None:
    if not is_feed(feed):
        raise Refused("wrong-use", f"{feed[:FEED_LIMIT]!r} is no feed", where="--feed")
    if not 0.1 <= every_s <= _EVERY_LIMIT_S:
        raise Refused("wrong-use", "Give 0.1 to 86400 seconds", where="--every")


def _command(line: str, name: str) -> Command | None:
    return command(line, name) if line else None


def _key(key: str, *, public: bool) -> str:
    """The key given, or the one that lies beside; "" for what is public, if that was asked for.

    Raises:
        Refused: `not-signed-in` where there is no key, or none that can be read: an agent
            that went on without would take away protection; `wrong-use` for both at once.
    """
    if not public:
        return key_or_admin(key, or_else="--public to follow only what anybody may see")
    if key:
        raise Refused("wrong-use", "Give either a key or --public", where="--public")
    return ""


def _say(line: str) -> None:
    print(line, flush=True)


@contextlib.contextmanager
def _stopping() -> Iterator[None]:
    """End quietly on SIGTERM and SIGINT, wherever the work stands: each step can be cut off."""

    def stop(_number: int, _frame: Any) -> None:
        raise Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with contextlib.suppress(Stopped):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
