"""`bayanihan report` and `bayanihan lookup`: evidence in, drafts and likenesses out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bayanihan.commands.deny import print_denial
from bayanihan.commands.hub_client import (
    DEFAULT_HUB,
    HubClient,
    HubOption,
    JsonOption,
    KeyOption,
    as_json_text,
)
from bayanihan.commands.push import STANDARD_INPUT
from bayanihan.errors import Refused, one_line

FILE_LIMIT_BYTES = 25 * 1024 * 1024
# What evidence is called by, as far as no domain of the Internet ends so: `x.eml` is never a name.
FILE_ENDINGS = frozenset(
    """apk avi bmp csv dll doc docx eml exe flac gif gz htm html jpeg jpg json jsonl log m4a mp3 mp4
    msg ogg pcap pdf png ppt pptx rtf tar tsv txt wav webp xls xlsx xml yaml""".split()
)


def report(
    file: Annotated[Path, Parameter(help="Any evidence; - for input.")] = STANDARD_INPUT,
    *,
    vector: Annotated[str, Parameter(help="How it attacks: phishing, malware, ...")] = "",
    note: Annotated[str, Parameter(help="What neighbours should know.")] = "",
    tlp: Annotated[str, Parameter(help="How far it may go.")] = "",
    group: Annotated[str, Parameter(help="The group that AMBER material is for.")] = "",
    degree: Annotated[str, Parameter(help="AI's part, as you say: assisted, generated ...")] = "",
    role: Annotated[tuple[str, ...], Parameter(help="What AI did: text, voice ...; repeat.")] = (),
    exercise: Annotated[bool, Parameter(negative="", help="It is an exercise.")] = False,
    publish: Annotated[bool, Parameter(negative="", help="Confirm and publish at once.")] = False,
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> int:
    """Report evidence: a mail, text, page, table, picture, recording, log or any file.

    The answer is a draft: what is proposed and held and why, what was removed, what is alike.
    A constituent's draft waits for its own CERT.

    Example: bayanihan report lure.eml --note "seen by two banks" --publish
    """
    name, data = _evidence(file)
    given = {
        "vector": vector,
        "note": note,
        "tlp": tlp,
        "group": group,
        "degree": degree,
        "role": ",".join(role),
        "exercise": "true" if exercise else "",
        "publish": "true" if publish else "",
    }
    form = {field: value for field, value in given.items() if value}
    with HubClient(hub, key, timeout_s=120.0) as client:
        draft = client.json("POST", "/api/reports", data=form, files={"file": (name, data)})
    if json:
        print(as_json_text(draft))
    else:
        _print(draft)
    return 1 if publish and draft["state"] != "published" else 0


def lookup(
    what: Annotated[str, Parameter(help="A file, or a text; - for input.")],
    *,
    exercise: Annotated[bool, Parameter(negative="", help="Among an exercise's cases.")] = False,
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> int:
    """Ask whether your neighbours have seen this, or its like.

    Each kind of likeness is told by itself. Nothing of what you ask is kept.

    Example: bayanihan lookup suspicious.eml
    """
    path = Path(what)
    try:
        is_file = path.is_file() or path == STANDARD_INPUT
    except (OSError, ValueError):
        is_file = False
    if not is_file:
        _refuse_if_a_file_was_meant(what)
    name, data = _evidence(path) if is_file else ("text", what.encode(errors="surrogateescape"))
    form = {"exercise": "true"} if exercise else {}
    with HubClient(hub, key, timeout_s=120.0) as client:
        answer = client.json("POST", "/api/lookup", data=form, files={"file": (name, data)})
    if json:
        print(as_json_text(answer))
        return 0
    for match in answer["matches"]:
        told = ", ".join([_likeness(each) for each in match["evidence"]])
        mark = "EXERCISE " if match["exercise"] else ""
        print(f"{mark}{one_line(match['id'])} since {match['since']}: {told}")
    for denial in answer["denials"]:
        print_denial(denial)
    for note in answer["left_out"]:
        print(f"note: {one_line(note)}", file=sys.stderr)
    if not answer["matches"] and not answer["denials"]:
        print("nothing is alike")
    return 0


def _refuse_if_a_file_was_meant(what: str) -> None:
    """A mistyped file's name, looked up as a text, would come back as "nothing is alike"."""
    ending = what.rpartition(".")[2].lower() if "." in what else ""
    is_path = what.startswith(("/", "./", "../", "~"))
    is_one_word = len(what.split()) == 1 and "://" not in what
    if is_one_word and (is_path or ending in FILE_ENDINGS):
        step = "Check the file's name; to look such a text up, send it to `bayanihan lookup -`."
        message = "There is no such file, and it looks like the name of one"
        raise Refused("cannot-read", message, where=what, next_step=step)


def _evidence(path: Path) -> tuple[str, bytes]:
    try:
        if path == STANDARD_INPUT:
            data = sys.stdin.buffer.read(FILE_LIMIT_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(FILE_LIMIT_BYTES + 1)
    except OSError as error:
        why = error.strerror or error
        raise Refused("cannot-read", f"It cannot be read: {why}", where=str(path)) from None
    if len(data) > FILE_LIMIT_BYTES:
        limit_mib = FILE_LIMIT_BYTES // 1024 // 1024
        raise Refused("too-large", f"One piece of evidence may hold {limit_mib} MiB")
    if not data:
        step = "Give a file, or a text, that holds something."
        raise Refused("empty", "It holds nothing", where=str(path), next_step=step)
    return path.name.encode(errors="replace").decode(), data


def _likeness(evidence: dict[str, Any]) -> str:
    told = f"{evidence['kind']} {evidence['score']:.2f}"
    if evidence.get("candidate"):
        told += ", worth a look"
    return told + (f" ({one_line(', '.join(evidence['on']))})" if evidence["on"] else "")


def _print(draft: dict[str, Any]) -> None:
    language = draft["language"]
    also = f" or {draft['language_also']}" if draft["language_also"] else ""
    mark = "EXERCISE " if draft["exercise"] else ""
    print(f"{mark}{draft['state']} {draft['id']}: {draft['kind']}, language {language}{also}")
    for each in draft["indicators"]:
        shown, plain = one_line(each["value"]), one_line(each["ascii"])
        other = f" = {plain}" if plain != shown else ""
        print(f"  propose {each['type']} {shown}{other}: {one_line(each['why'])}")
    for each in draft["held"]:
        print(f"  hold    {each['type']} {one_line(each['value'])}: {one_line(each['why'])}")
    for each in draft["removed"]:
        print(f"  removed {each['what']} {one_line(each['shown'])} ({one_line(each['where'])})")
    for note in [*draft["disguises"], *draft["cadence"], *draft["left_out"], *draft["provenance"]]:
        print(f"  note    {one_line(note)}")
    for match in draft["similar"]:
        kinds = ", ".join([_likeness(each) for each in match["evidence"]])
        print(f"  alike   {one_line(match['id'])}: {kinds}")
    if waits := draft.get("waits_for"):
        print(f"It waits as a draft for the people of {waits}, who confirm and publish it.")
    elif draft["state"] == "draft":
        page = draft["address"].removeprefix("/api")
        print(f"Confirm it on the hub's page {page}, or by POST {draft['address']}/publish.")
