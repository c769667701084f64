"""`bayanihan up --demo`: an exercise across the region, played through the public interface.

Members' desks report, and a simulated defender of each member follows the exercise's feeds
with the same agent that real defenders run. All of it are entries of an exercise, in feeds
named `exercise-*`; real entries are untouched beside it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import secrets
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bayanihan.agent.hub import Hub
from bayanihan.agent.identity import identity
from bayanihan.agent.place import Place
from bayanihan.agent.turn import Follower, Order
from bayanihan.commands.data_folder import DEMO_KEYS_FILE
from bayanihan.commands.demo_engine import Resolver
from bayanihan.commands.demo_story import (
    Defender,
    Scene,
    Story,
    ids_of,
    objects_of,
    shipped_story,
)
from bayanihan.commands.hub_client import HubClient
from bayanihan.errors import BayanihanError, Unavailable

logger = logging.getLogger(__name__)

FOLDER = "demo"

_DESK = ("report", "read", "feed", "receipt")
_SITE = ("read", "feed", "receipt")
_ANSWER_WITHIN_S = 5.0
_READY_PAUSE_S = 0.1
_REST_EVERY_S = 20.0
_END_WITHIN_S = 1.5


@contextlib.contextmanager
def playing(host: str, port: int, admin_key: str, folder: Path) -> Iterator[None]:
    """Play the exercise on a thread beside a hub that is about to listen, until left.

    Args:
        host: where the hub listens.
        port: the same.
        admin_key: the operator's key.
        folder: the data directory.
    """
    stopping = threading.Event()
    arguments = (_address(host, port), admin_key, folder, stopping)
    thread = threading.Thread(target=play, args=arguments, name="exercise", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(_END_WITHIN_S)


def _address(host: str, port: int) -> str:
    """Where a hub that listens on `host` is reached from its own machine."""
    own = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{own}]:{port}" if ":" in own else f"http://{own}:{port}"


def play(
    hub_url: str,
    admin_key: str,
    folder: Path,
    stopping: threading.Event,
    story: Story | None = None,
) -> None:
    """Play the exercise once, then keep its defenders going until `stopping` is set.

    What goes wrong in it is logged and ends the exercise, never the hub.

    Args:
        hub_url: where the hub answers, or soon will.
        admin_key: the operator's key, to make the members' own.
        folder: the data directory; keys are kept in `demo.json`, defenders' files in `demo/`.
        stopping: ends everything within two seconds.
        story: another story than the shipped one.
    """
    told = story or shipped_story()
    with _telling(stopping):
        with HubClient(hub_url, admin_key, timeout_s=_ANSWER_WITHIN_S) as operator:
            if not _ready(operator, stopping):
                return
            keys = made_keys(operator, told, folder / DEMO_KEYS_FILE)
        began_s = time.monotonic()
        with _defending(hub_url, keys, told, folder / FOLDER, stopping, began_s):
            with _telling(stopping):
                _tell(hub_url, keys, told, stopping, began_s)
            stopping.wait()


@contextlib.contextmanager
def _telling(stopping: threading.Event) -> Iterator[None]:
    """Log why the exercise ended early, unless the hub is being stopped."""
    try:
        yield
    except BayanihanError as error:
        if not stopping.is_set():
            logger.warning("the exercise ended early: %s %s", error.message, error.next_step)


def _ready(operator: HubClient, stopping: threading.Event) -> bool:
    """Wait until the hub is ready; False when it is to stop before that."""
    while not stopping.is_set():
        try:
            operator.json("GET", "/health/ready")
        except Unavailable:
            stopping.wait(_READY_PAUSE_S)
        else:
            return True
    return False


# keys


def made_keys(operator: HubClient, story: Story, path: Path) -> dict[str, str]:
    """A key for each part in the story: those of the last play as far as they still work.

    Returns:
        `SG` or `MY/exercise-bank` -> the key.
    """
    kept = _kept(path)
    in_force = {key["id"] for key in operator.json("GET", "/api/keys")}
    keys = {name: key for name, key in kept.items() if _id_of(key) in in_force}
    parts = dict.fromkeys(story.authors, ("", ""))
    parts |= {each.name: (each.constituent, each.title) for each in story.defenders}
    for name, (constituent, title) in parts.items():
        if name in keys:
            continue
        member = name.partition("/")[0]
        if constituent and name not in kept:
            place = {"name": constituent, "title": title}
            operator.json("POST", f"/api/members/{member}/constituents", json=place)
        keys[name] = _new_key(operator, member, constituent)
        _keep(path, keys)
    return keys


def _id_of(key: str) -> str:
    return key.partition("_")[2].partition("_")[0]


def _new_key(operator: HubClient, member: str, constituent: str) -> str:
    order = {
        "member": member,
        "constituent": constituent,
        "scopes": list(_SITE if constituent else _DESK),
        "label": "EXERCISE",
    }
    made = operator.json("POST", "/api/keys", json=order)
    return str(made["key"])


def _kept(path: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return {}


def _keep(path: Path, keys: dict[str, str]) -> None:
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(keys), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


# the desks


def _tell(
    hub_url: str, keys: dict[str, str], story: Story, stopping: threading.Event, began_s: float
) -> None:
    """Let each scene happen at its time."""
    ids = ids_of(story, lambda: str(uuid.uuid4()))
    with contextlib.ExitStack() as held:
        desks = {
            name: held.enter_context(HubClient(hub_url, keys[name], timeout_s=_ANSWER_WITHIN_S))
            for name in story.authors
        }
        for scene in story.scenes:
            if stopping.wait(max(0.0, scene.at_s - (time.monotonic() - began_s))):
                return
            _act(desks[scene.by], scene, ids)


def _act(desk: HubClient, scene: Scene, ids: dict[str, str]) -> None:
    if scene.withdraw:
        place = f"/api/objects/{ids[scene.withdraw]}"
        desk.json("DELETE", place, params={"reason": scene.reason})
        return
    envelope = {"objects": objects_of(scene, ids, time.time_ns() // 1_000)}
    params: dict[str, Any] = {"tlp": scene.tlp, "exercise": "true"}
    answer = desk.json("POST", "/api/objects", json=envelope, params=params)
    for result in answer["results"]:
        if result["result"] == "refused":
            logger.warning("the exercise's %s was refused: %s", result["id"], result["reason"])


# the defenders


@contextlib.contextmanager
def _defending(
    hub_url: str,
    keys: dict[str, str],
    story: Story,
    folder: Path,
    stopping: threading.Event,
    began_s: float,
) -> Iterator[None]:
    """Every defender of the story on a thread of its own, ended when the context is left."""
    folder.mkdir(mode=0o700, exist_ok=True)
    last_s = story.scenes[-1].at_s
    threads = [
        threading.Thread(
            target=_defend,
            name=f"exercise {each.name}",
            args=(hub_url, keys[each.name], each, folder / each.name, stopping, began_s, last_s),
            daemon=True,
        )
        for each in story.defenders
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        until_s = time.monotonic() + _END_WITHIN_S
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))


def _defend(
    hub_url: str,
    key: str,
    defender: Defender,
    folder: Path,
    stopping: threading.Event,
    began_s: float,
    last_s: float,
) -> None:
    """Follow a feed as a real agent does, with a simulated engine at the end of it."""
    chance = random.SystemRandom()
    low_s, high_s = defender.trouble_s
    resolver = Resolver(lambda: low_s <= time.monotonic() - began_s < high_s)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.closing(Place(folder / defender.feed)) as place:
            resolver.restart(place.out)
            with contextlib.closing(Hub(hub_url, key)) as hub:
                order = Order(
                    feed=defender.feed,
                    state_folder=folder,
                    check=resolver.check,
                    reload=resolver.reload,
                    probe=resolver.probe,
                    control=f"control-{secrets.token_hex(8)}.exercise.example",
                )
                follower = Follower(
                    order,
                    hub,
                    place,
                    identity(folder, secrets.token_bytes),
                    now_us=lambda: time.time_ns() // 1_000,
                    rest=stopping.wait,
                    choose=chance.randrange,
                )
                _keep_on(follower, defender, stopping, began_s + last_s)
    except BayanihanError as error:
        logger.warning("the exercise's defender %s ended: %s", defender.name, error.message)


def _keep_on(
    follower: Follower, defender: Defender, stopping: threading.Event, quiet_from_s: float
) -> None:
    """Take turns; in the story at the defender's own pace, after it now and then."""
    rest_s = defender.every_s
    while not stopping.wait(rest_s):
        try:
            follower.turn()
        except BayanihanError as error:
            logger.debug("the exercise's defender %s: %s", defender.name, error.message)
        over = time.monotonic() > quiet_from_s + defender.every_s
        rest_s = _REST_EVERY_S if over else defender.every_s
