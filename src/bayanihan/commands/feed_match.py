"""`bayanihan feed --match`: holds one's own values against a match list, on this machine alone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from bayanihan.commands.hub_client import HubClient, as_json_text
from bayanihan.core import match_list
from bayanihan.core.signing import from_text
from bayanihan.errors import Refused

# So many lines name a recipient as well as all.
TRACED = 1_000

MatchOption = Annotated[Path | None, Parameter(help="A match list, as /feeds/match.hmac gave it.")]
ValuesOption = Annotated[
    Path | None,
    Parameter(help="Values to hold against it, one a line: `phone +65 9123 4567`."),
]
KeysOption = Annotated[Path | None, Parameter(help="Its keys, as /api/match/keys gave them.")]


TraceOption = Annotated[
    Path | None,
    Parameter(help="A match list that leaked, or digests, one a line: whose was it?"),
]


class _Keys(msgspec.Struct):
    keys: dict[str, str]


def print_matches(listed: Path, values: Path | None, keys: Path | None, *, as_json: bool) -> None:
    """Print which values stand on a list.

    Raises:
        Refused: `wrong-use` where a file is not named; `cannot-read`, `bad-value`.
    """
    if values is None or keys is None:
        raise Refused("wrong-use", "Give --values and --keys along with --match")
    found = list(
        match_list.matches(
            _read(listed), _keys(keys), _values(_read(values)), time.time_ns() // 1000
        )
    )
    if as_json:
        print(as_json_text({"matches": msgspec.to_builtins(found), "advice": match_list.ADVICE}))
        return
    for each in found:
        print(f"{each.type} {each.value}: told by {each.contact}, until {each.until} ({each.id})")
    print(f"{len(found)} of the values match. {match_list.ADVICE if found else ''}".rstrip())


def print_recipients(client: HubClient, leaked: Path, reason: str, *, as_json: bool) -> None:
    """Print whose key made a list that leaked.

    Raises:
        Refused: `wrong-use` without a reason, `cannot-read`, and as the hub does.
    """
    if not reason:
        raise Refused("wrong-use", "Say with --reason why you ask: it is entered in the record")
    lines = [line for line in _read(leaked).splitlines() if line and not line.startswith("#")]
    with client:
        order = {"lines": lines[:TRACED], "reason": reason}
        found = client.json("POST", "/api/match/traces", json=order)
    if as_json:
        print(as_json_text(found))
        return
    for each in found["recipients"]:
        whose = "/".join(filter(None, (each["member"], each["constituent"])))
        print(f"{each['key']} of {whose}, {each['person']}: {each['lines']} lines")
    if len(lines) > TRACED:
        print(f"Looked at: the first {TRACED} of {len(lines)} lines.")
    print(f"{found['unknown']} of {found['lines']} lines are of no list that this hub made.")


def _values(text: str) -> list[tuple[str, str]]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            type_, _, value = line.strip().partition(" ")
            if not value:
                message = "Write the type and the value, such as `phone +65 9123 4567`"
                raise Refused("bad-value", message, where=f"line {number} of the values")
            found.append((type_, value))
    return found


def _keys(path: Path) -> dict[str, bytes]:
    try:
        found = msgspec.json.decode(_read(path).encode(), type=_Keys).keys
    except msgspec.MsgspecError as error:
        raise Refused("bad-value", f"These are no keys: {error}", where=str(path)) from None
    size_bytes = match_list.KEY_BYTES
    return {
        epoch: from_text(key, size_bytes=size_bytes, where=str(path))
        for epoch, key in found.items()
    }


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise Refused("cannot-read", f"It cannot be read: {why}", where=str(path)) from None
