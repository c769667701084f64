"""`bayanihan member proxy|hand-back|acts`: another member serves one, and gives it back."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from bayanihan.commands.hub_client import (
    DEFAULT_HUB,
    HubClient,
    HubOption,
    JsonOption,
    KeyOption,
    as_json_text,
    in_path,
)
from bayanihan.commands.key import until_of
from bayanihan.errors import Refused, one_line
from bayanihan.ledger import wall_us


def add_to(app: App) -> None:
    """Put the commands under `bayanihan member`."""
    app.command(proxy)
    app.command(hand_back, name="hand-back")
    app.command(acts)


def proxy(
    member: str,
    *,
    by: Annotated[str, Parameter(help="The member that serves it; none: show who does.")] = "",
    paper: Annotated[Path | None, Parameter(help="The signed consent; it stays here.")] = None,
    title: Annotated[str, Parameter(help="The paper's title.")] = "",
    signed: Annotated[str, Parameter(help="The day it was signed, such as 2026-11-20.")] = "",
    since: Annotated[str, Parameter(help="From when; now unless given.")] = "",
    until: Annotated[str, Parameter(help="Until when: 365d, or a time.")] = "",
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Record a member's written consent that another serves it; or show who serves it.

    Of the paper only its title, its day and its SHA-256 are sent.

    Example: bayanihan member proxy TL --by TH --paper consent.pdf --title "Consent of ANCIT"
    --signed 2026-11-20 --until 365d
    """
    place = f"/api/members/{in_path(member)}/proxy"
    with HubClient(hub, key) as client:
        if not by:
            found = client.json("GET", place)
            print(as_json_text(found) if json else _shown(found))
            return
        order = {
            "proxy": by,
            "title": title,
            "signed": signed,
            "sha256": _digest(paper),
            "since": since,
            "until": until_of(until, wall_us()),
        }
        said = client.json("POST", place, json=order)
    if json:
        print(as_json_text(said))
        return
    print(f"{by} serves {member} from {said['since']} until {said['until']}")
    print(f"Its officers' keys: bayanihan key new --member {by} --for {member} --scope report")


def _digest(paper: Path | None) -> str:
    if paper is None:
        message = "A consent is a signed paper: name its file with --paper"
        raise Refused("wrong-use", message, where="--paper")
    try:
        with paper.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        message = f"The paper cannot be read: {error.strerror or error}"
        raise Refused("cannot-read", message, where=str(paper)) from None


def _shown(found: dict[str, Any]) -> str:
    served = f"is served by {found['proxy']}" if found["proxy"] else "has no named proxy"
    lines = [f"{found['member']} {served}"]
    for each in found["consents"]:
        line = f"{each['proxy']}  {each['since']}  {each['until']}  {each['state']}"
        paper = each.get("paper")
        told = f"  {one_line(paper['title'])}, signed {paper['signed']}" if paper else ""
        lines.append(line + told)
    return "\n".join(lines)


def hand_back(
    member: str, *, json: JsonOption = False, hub: HubOption = DEFAULT_HUB, key: KeyOption = ""
) -> None:
    """A member takes its affairs back: its proxy's keys end at once, and it gets its own key.

    Example: bayanihan member hand-back TL
    """
    with HubClient(hub, key) as client:
        said = client.json("POST", f"/api/members/{in_path(member)}/hand-back")
    if json:
        print(as_json_text(said))
        return
    ended = " ".join(said["keys_ended"]) or "none"
    print(f"{said['proxy']} serves {member} no longer; keys that ended: {ended}")
    print(f"{member}'s own key, shown this once: {said['key']['key']}")
    print(f"With it, all that was done in its name: bayanihan member acts {member}")


def acts(
    member: str,
    *,
    out: Annotated[Path | None, Parameter(help="Write the whole list to this file.")] = None,
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """List everything that a named proxy did in your member's name.

    Example: bayanihan member acts TL --out acts.json
    """
    place, after = f"/api/members/{in_path(member)}/proxy/acts", ""
    found: list[dict[str, Any]] = []
    with HubClient(hub, key) as client:
        while True:
            page = client.json("GET", place, params={"after": after})
            found += page["acts"]
            after = page["next"]
            if not after:
                break
    if out is not None:
        _write(out, as_json_text({"member": member, "acts": found}))
        print(f"{len(found)} acts written to {out}")
        return
    print(as_json_text({"member": member, "acts": found}) if json else _lines(found))


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        message = f"The list cannot be written: {error.strerror or error}"
        raise Refused("cannot-write", message, where=str(out)) from None


def _lines(found: list[dict[str, Any]]) -> str:
    lines = []
    for each in found:
        about = each.get("draft") or " ".join(each["ids"])
        lost = each.get("not_there", 0)
        note = f"  ({lost} not in the record, erased, or not yours to see)" if lost else ""
        lines.append(f"{each['at']}  {each['by']}  {each['act']}  {about}{note}")
    return "\n".join(lines) or "Nothing was done in its name"
