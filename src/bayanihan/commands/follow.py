"""`bayanihan follow` and `bayanihan pull`: entries as they come, and entries as they are."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import httpx
import msgspec
from cyclopts import Parameter, validators

from bayanihan.commands.hub_client import (
    DEFAULT_HUB,
    HubClient,
    HubOption,
    KeyOption,
    error_of,
    key_or_admin,
)
from bayanihan.errors import Refused, Unavailable, one_line

_READ_TIMEOUT_S = 45.0
_BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)


class Reset(Exception):
    """The hub said that there is a gap: with `behind` the cursor is still good, else not."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def follow(
    *,
    after: Annotated[str, Parameter(help='A cursor; "now" for what is new; "" for all.')] = "now",
    state: Annotated[Path | None, Parameter(help="File that keeps the cursor.")] = None,
    limit: Annotated[
        int,
        Parameter(
            help="Stop after so many events; 0 is never.", validator=validators.Number(gte=0)
        ),
    ] = 0,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Print entries as JSON lines as soon as they are in the record.

    A lost connection is taken up again where it broke: nothing is missed, nothing repeated.

    Example: bayanihan follow --state cursor.txt
    """
    place = _Place(kept(state) or after, state)
    attempt = 0
    while True:
        before = place.cursor
        try:
            if place.printed(events(hub, key, place.cursor), limit):
                return
        except Reset as reset:
            again = "going on" if reset.code == "behind" else "starting from the beginning"
            print(f"reset: {one_line(str(reset))}; {again}", file=sys.stderr)
            place.cursor = place.cursor if reset.code == "behind" else ""
        except Unavailable as error:
            print(f"{one_line(error.message)}; trying again", file=sys.stderr)
        attempt = 0 if place.cursor != before else attempt + 1
        time.sleep(_BACK_OFF_S[min(attempt, len(_BACK_OFF_S) - 1)])


class _Place:
    """Where a follower stands: what it has printed, and the cursor behind that."""

    def __init__(self, cursor: str, state: Path | None) -> None:
        self.cursor = cursor
        self._state = state
        self._seen = 0

    def printed(self, found: Iterator[tuple[str, bytes]], limit: int) -> bool:
        """Print events and keep the cursor behind each; whether `limit` was reached."""
        for event_id, data in found:
            self.cursor = event_id
            if data:
                sys.stdout.buffer.write(data + b"\n")
                sys.stdout.buffer.flush()
                self._seen += 1
            if self._state:
                keep(self._state, self.cursor)
            if limit and self._seen >= limit:
                return True
        return False


def kept(path: Path | None) -> str:
    """The cursor in a state file, "" where there is none. Raises `Refused("cannot-read")`."""
    if path is None or not path.exists():
        return ""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"The state file cannot be read: {error}"
        raise Refused("cannot-read", message, where=str(path)) from None


def keep(path: Path, text: str) -> None:
    """Replace a small file in one step."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)


def events(hub: str, key: str, cursor: str) -> Iterator[tuple[str, bytes]]:
    """The id and the data of each event after a cursor, until the connection ends.

    Data is empty where the hub only told the id to resume after.

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
            yield from parse(lines_of(response.iter_raw()))
    except httpx.InvalidURL as error:
        raise Refused("wrong-use", f"{hub!r} is no address of a hub: {error}") from None
    except (httpx.HTTPError, UnicodeError, OverflowError) as error:
        raise Unavailable(
            "hub-unreachable", f"The stream of {hub} broke off", where=str(error)
        ) from None


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines ended by a line feed, as this hub ends them, and by nothing else.

    A report may hold any other character that some reader takes for the end of a line.
    """
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def parse(lines: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Server-sent events from lines: the id and the data of each. Raises `Reset`."""
    event_id, event, data = "", b"", list[bytes]()
    known_id = ""
    for line in lines:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"id":
            event_id = value.decode("latin-1")
        elif name == b"event":
            event = value
        elif name == b"data":
            data.append(value)
        elif not line:
            if event == b"reset":
                told = msgspec.json.decode(b"\n".join(data))
                raise Reset(told.get("code", "reset"), told["reason"])
            if data or event_id != known_id:
                yield event_id, b" ".join(data)
            known_id, event, data = event_id, b"", []


def pull(
    *,
    out: Annotated[Path | None, Parameter(help="File for the objects; default: output.")] = None,
    state: Annotated[Path | None, Parameter(help="File that keeps the cursor.")] = None,
    after: Annotated[str, Parameter(help="A cursor to go on from.")] = "",
    limit: Annotated[
        int,
        Parameter(
            help="Stop after so many objects; 0 is never.", validator=validators.Number(gte=0)
        ),
    ] = 0,
    exercise: Annotated[
        bool, Parameter(negative="", help="What belongs to an exercise, and nothing else.")
    ] = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Fetch the objects that you may see, one JSON object a line, oldest first.

    What was withdrawn or erased comes as a line {"gone": {"id", "kind", "origin", "stamp"}}:
    drop what you hold of that id and origin.

    Example: bayanihan pull --out objects.jsonl --state cursor.txt
    """
    cursor = kept(state) or after
    taken = 0
    with HubClient(hub, key) as client, _opened(out) as file:
        while True:
            size = limit - taken if limit else 1_000
            params: dict[str, str | int] = {"after": cursor, "limit": min(size, 1_000)}
            params |= {"exercise": "true"} if exercise else {}
            page = page_of(client.send("GET", "/api/objects", params=params).content)
            for line in lines_in(page):
                file.write(line + b"\n")
            file.flush()
            cursor = page.next
            if state:
                keep(state, cursor)  # page by page: a break repeats one page at the most
            taken += len(page.objects)
            if not page.more or (limit and taken >= limit):
                break
    print(f"objects: {taken}", file=sys.stderr)


def _opened(out: Path | None) -> BinaryIO:
    return out.open("ab") if out else open(sys.stdout.fileno(), "wb", closefd=False)


class Gone(msgspec.Struct):
    """What was taken back, and how many of the page's objects stand before that."""

    id: str
    kind: str
    origin: str
    stamp: str
    before: int


class ObjectPage(msgspec.Struct):
    """A page of the hub: objects, what is gone, and the cursor to go on from."""

    objects: list[msgspec.Raw]
    gone: list[Gone]
    more: bool
    next: str


def lines_in(page: ObjectPage) -> Iterator[bytes]:
    """A page's objects and what is gone, a line each, in the record's order."""
    gone = iter(page.gone)
    coming = next(gone, None)
    for number in range(len(page.objects) + 1):
        while coming and coming.before == number:
            told = {name: getattr(coming, name) for name in ("id", "kind", "origin", "stamp")}
            yield msgspec.json.encode({"gone": told})
            coming = next(gone, None)
        if number < len(page.objects):
            yield on_one_line(bytes(page.objects[number]))


def page_of(content: bytes) -> ObjectPage:
    """A page that the hub answered with. Raises `Refused("not-json")`."""
    try:
        return msgspec.json.decode(content, type=ObjectPage)
    except msgspec.DecodeError:
        raise Refused("not-json", "The hub's page cannot be read") from None


def on_one_line(raw: bytes) -> bytes:
    """An object on one line: bytes as they are, unless they hold line breaks."""
    if b"\n" not in raw and b"\r" not in raw:
        return raw
    return msgspec.json.format(raw, indent=-1)
