"""`bayanihan follow` and `bayanihan pull`: entries as they come, and entries as they are."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import httpx
import msgspec
from cyclopts import Parameter

from bayanihan.commands.hub_client import (
    DEFAULT_HUB,
    HubClient,
    HubOption,
    KeyOption,
    error_of,
    key_or_admin,
)
from bayanihan.errors import Refused, Unavailable

_READ_TIMEOUT_S = 45.0
_BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)


class Reset(Exception):
    """The hub said that this reader must start again without a cursor."""


def follow(
    *,
    after: Annotated[str, Parameter(help='A cursor; "now" for what is new; "" for all.')] = "now",
    state: Annotated[Path | None, Parameter(help="File that keeps the cursor.")] = None,
    limit: Annotated[int, Parameter(help="Stop after so many events; 0 is never.")] = 0,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Print entries as JSON lines as soon as they are in the record.

    A lost connection is taken up again where it broke: nothing is missed, nothing repeated.

    Example: bayanihan follow --state cursor.txt
    """
    cursor = state.read_text(encoding="utf-8").strip() if state and state.exists() else after
    seen = attempt = 0
    while True:
        try:
            for event_id, data in events(hub, key, cursor):
                sys.stdout.write(data + "\n")
                sys.stdout.flush()
                cursor, seen, attempt = event_id, seen + 1, 0
                if state:
                    keep(state, cursor)
                if limit and seen >= limit:
                    return
        except Reset as reset:
            print(f"reset: {reset}; starting from the beginning", file=sys.stderr)
            cursor = ""
        except Unavailable as error:
            print(f"{error.message}; trying again", file=sys.stderr)
        time.sleep(_BACK_OFF_S[min(attempt, len(_BACK_OFF_S) - 1)])
        attempt += 1


def keep(path: Path, text: str) -> None:
    """Replace a small file in one step."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)


def events(hub: str, key: str, cursor: str) -> Iterator[tuple[str, str]]:
    """The id and the data of each event after a cursor, until the connection ends.

    Raises:
        Reset: the hub's history was restored, or this reader was too slow.
        BayanihanError: the hub's refusal, or `hub-unreachable`.
    """
    headers = {"Authorization": f"Bearer {key_or_admin(key)}"}
    timeout = httpx.Timeout(10.0, read=_READ_TIMEOUT_S)
    try:
        with httpx.stream(
            "GET",
            f"{hub.rstrip('/')}/api/stream",
            params={"after": cursor},
            headers=headers,
            timeout=timeout,
        ) as response:
            if response.status_code != 200:
                response.read()
                raise error_of(response)
            yield from parse(response.iter_lines())
    except httpx.TransportError as error:
        raise Unavailable(
            "hub-unreachable", f"The stream of {hub} broke off", where=str(error)
        ) from None


def parse(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Server-sent events from lines: the id and the data of each. Raises `Reset`."""
    event_id, event, data = "", "", list[str]()
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            event_id = value
        elif name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif not line and data:
            if event == "reset":
                raise Reset(msgspec.json.decode("\n".join(data))["reason"])
            yield event_id, " ".join(data)
            event, data = "", []


def pull(
    *,
    out: Annotated[Path | None, Parameter(help="File for the objects; default: output.")] = None,
    state: Annotated[Path | None, Parameter(help="File that keeps the cursor.")] = None,
    after: Annotated[str, Parameter(help="A cursor to go on from.")] = "",
    limit: Annotated[int, Parameter(help="Stop after so many objects; 0 is never.")] = 0,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Fetch the objects that you may see, one JSON object a line, oldest first.

    Example: bayanihan pull --out objects.jsonl --state cursor.txt
    """
    cursor = state.read_text(encoding="utf-8").strip() if state and state.exists() else after
    taken = 0
    with HubClient(hub, key) as client, _opened(out) as file:
        while True:
            page = limit - taken if limit else 1_000
            params: dict[str, str | int] = {"after": cursor, "limit": min(page, 1_000)}
            answer = client.send("GET", "/api/objects", params=params)
            objects, more, cursor = page_of(answer.content)
            for raw in objects:
                file.write(one_line(raw) + b"\n")
            taken += len(objects)
            if not more or (limit and taken >= limit):
                break
        file.flush()
    if state:
        keep(state, cursor)
    print(f"{taken} objects", file=sys.stderr)


def _opened(out: Path | None):  # type: ignore[no-untyped-def]
    return out.open("ab") if out else open(sys.stdout.fileno(), "wb", closefd=False)


class _Page(msgspec.Struct):
    objects: list[msgspec.Raw]
    more: bool
    next: str


def page_of(content: bytes) -> tuple[list[bytes], bool, str]:
    """The raw objects of a page, whether more is waiting, and the cursor to go on from."""
    try:
        page = msgspec.json.decode(content, type=_Page)
    except msgspec.DecodeError:
        raise Refused("not-json", "The hub's page cannot be read") from None
    return [bytes(raw) for raw in page.objects], page.more, page.next


def one_line(raw: bytes) -> bytes:
    """An object on one line: bytes as they are, unless they hold line breaks."""
    if b"\n" not in raw and b"\r" not in raw:
        return raw
    return msgspec.json.format(raw, indent=-1)
