"""`bayanihan push`: send STIX files to the hub."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import re
import sys
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bayanihan.commands.hub_client import (
    DEFAULT_HUB,
    HubClient,
    HubOption,
    JsonOption,
    KeyOption,
    as_json_text,
    in_path,
)
from bayanihan.core import stix
from bayanihan.errors import Refused, one_line

# What `-` stands for; see `cli.main`.
STANDARD_INPUT = Path("/dev/stdin")
FILE_LIMIT_BYTES = 1024 * 1024 * 1024
_CHUNK_OBJECTS = 1_000
_CHUNK_BYTES = 8 * 1024 * 1024
_SENT_AS = re.compile(r"\$\.objects\[(\d+)\]")


def push(
    files: Annotated[
        tuple[Path, ...], Parameter(help="JSON, .json.gz or .tar.gz; - for input.")
    ] = (),
    *,
    tlp: Annotated[str, Parameter(help="Marks what comes unmarked.")] = "",
    group: Annotated[str, Parameter(help="The group that AMBER material is for.")] = "",
    to: Annotated[tuple[str, ...], Parameter(help="A reader of TLP:RED; repeat it.")] = (),
    exercise: Annotated[bool, Parameter(negative="", help="All of it is an exercise.")] = False,
    withdraw: Annotated[
        tuple[str, ...], Parameter(help="Take back an object of your own, by id.")
    ] = (),
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> int:
    """Send STIX objects, bundles and envelopes to the hub; each object gets its own answer.

    STIX 2.0 is upgraded. What was refused is listed with its reason; what was accepted is
    kept. Exit 1 when anything was refused.

    Example: bayanihan push --tlp clear reports/*.json
    """
    if not files and not withdraw:
        raise Refused("wrong-use", "Name at least one file")
    params = {"tlp": tlp, "group": group, "to": list(to), "exercise": exercise}
    params = {name: value for name, value in params.items() if value}
    summary: dict[str, Any] = {"accepted": 0, "duplicate": 0, "refused": 0, "results": []}
    try:
        with HubClient(hub, key, timeout_s=300.0) as client:
            for object_id in withdraw:
                client.json("DELETE", f"/api/objects/{in_path(object_id)}")
                print(f"withdrawn {one_line(object_id)}", file=sys.stderr)
            for name, data in documents(files, summary):
                _push_document(client, name, data, params, summary)
    finally:
        # Also when the hub stopped answering half-way: what was accepted is kept.
        if json:
            print(as_json_text(summary))
        elif summary["results"]:
            _print(summary)
    return 1 if summary["refused"] else 0


def documents(files: Sequence[Path], summary: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Each JSON document in the files; one that cannot be read is listed as refused."""
    for path in files:
        name = os.fsencode(path).decode(errors="backslashreplace")
        try:
            yield from _opened(path, name)
        except (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError) as error:
            why = getattr(error, "strerror", None) or error
            _add_refusal(summary, name, Refused("cannot-read", f"It cannot be read: {why}"))
        except Refused as refusal:
            _add_refusal(summary, name, refusal)


def _opened(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    if path == STANDARD_INPUT:
        yield "-", _limited(sys.stdin.buffer, "-")
        return
    if name.endswith((".tar.gz", ".tgz", ".tar")):
        yield from _archived(path, name)
        return
    with path.open("rb") as raw:
        gzipped = raw.peek(2)[:2] == b"\x1f\x8b"  # a pipe cannot be wound back
        yield name, _limited(gzip.GzipFile(fileobj=raw) if gzipped else raw, name)


def _archived(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    skipped = 0
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            inside = f"{name}:{os.fsencode(member.name).decode(errors='backslashreplace')}"
            file = archive.extractfile(member) if member.isreg() else None
            if file is not None and member.name.endswith(".json"):
                yield inside, _limited(file, inside)
            elif not member.isdir():
                skipped += 1
    if skipped:
        print(f"skipped {skipped} members of {name} that are not .json files", file=sys.stderr)


def _limited(file: Any, name: str) -> bytes:
    """The content of a file, without letting a small archive fill the memory."""
    whole = io.BytesIO()
    while chunk := file.read(1024 * 1024):
        whole.write(chunk)
        if whole.tell() > FILE_LIMIT_BYTES:
            raise Refused("too-large", "It holds more than 1 GiB", where=name)
    return whole.getvalue()


def _push_document(
    client: HubClient, name: str, data: bytes, params: dict[str, Any], summary: dict[str, Any]
) -> None:
    try:
        submission = stix.split(data)
    except Refused as refusal:
        _add_refusal(summary, name, refusal)
        return
    # A statement must be known before what refers to it, and chunks are judged one by one.
    objects = sorted(
        enumerate(submission.objects),
        key=lambda each: b'"marking-definition"' not in each[1][:2_000],
    )
    for chunk in _chunks(objects):
        body = b'{"objects":[' + b",".join([raw for _, raw in chunk]) + b"]}"
        places = [submission.place(number) for number, _ in chunk]
        headers = {"Content-Type": "application/json"}
        try:
            answer = client.json(
                "POST", "/api/objects", content=body, params=params, headers=headers
            )
        except Refused as refusal:
            if refusal.code in ("not-signed-in", "not-permitted", "bad-parameter"):
                raise
            _add_refusal(summary, name, refusal)
            continue
        for outcome in ("accepted", "duplicate", "refused"):
            summary[outcome] += answer[outcome]
        summary["results"] += [
            {**_in_file(result, places), "file": name} for result in answer["results"]
        ]


def _in_file(result: dict[str, Any], places: Sequence[str]) -> dict[str, Any]:
    """A result, or a warning in it, with its path in the file and not in what was sent."""

    def place(sent: re.Match[str]) -> str:
        return places[int(sent[1])]

    changed = dict(result)
    if path := result.get("path"):
        changed["path"] = _SENT_AS.sub(place, path, count=1)
    if warnings := result.get("warnings"):
        changed["warnings"] = [_in_file(each, places) for each in warnings]
    return changed


def _chunks(objects: Sequence[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    chunk: list[tuple[int, bytes]] = []
    size_bytes = 0
    for number, raw in objects:
        if chunk and (len(chunk) == _CHUNK_OBJECTS or size_bytes + len(raw) > _CHUNK_BYTES):
            yield chunk
            chunk, size_bytes = [], 0
        chunk.append((number, raw))
        size_bytes += len(raw)
    if chunk:
        yield chunk


def _add_refusal(summary: dict[str, Any], name: str, refusal: Refused) -> None:
    summary["refused"] += 1
    summary["results"].append(
        {
            "id": "",
            "result": "refused",
            "code": refusal.code,
            "path": refusal.where or name,
            "reason": refusal.message,
            "file": name,
        }
    )


def _print(summary: dict[str, Any]) -> None:
    for result in summary["results"]:
        if result["result"] == "refused":
            named, place = one_line(result["id"] or result["file"]), one_line(result["path"])
            print(f"refused {named} [{result['code']}] {place}: {one_line(result['reason'])}")
    counts = (f"{summary[each]} {each}" for each in ("accepted", "duplicate", "refused"))
    print(", ".join(counts))
