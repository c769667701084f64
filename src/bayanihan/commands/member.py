"""`bayanihan member`: the region's members, their constituents and groups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from bayanihan.commands import proxy
from bayanihan.commands.hub_client import (
    DEFAULT_HUB,
    HubClient,
    HubOption,
    JsonOption,
    KeyOption,
    as_json_text,
    in_path,
)
from bayanihan.commands.office_key import read_public
from bayanihan.core.signing import to_text
from bayanihan.errors import Refused, one_line

app = App(name="member", help="The region's members, their constituents and groups.")
proxy.add_to(app)


@app.command(name="list")
def list_(*, json: JsonOption = False, hub: HubOption = DEFAULT_HUB, key: KeyOption = "") -> None:
    """List the members, their national CERTs and the groups they are in.

    Example: bayanihan member list
    """
    with HubClient(hub, key) as client:
        members = client.json("GET", "/api/members")
    if json:
        print(as_json_text(members))
        return
    for each in members:
        cert = each["cert"] or "no national CERT confirmed"
        served = f"served by {each['proxy']}  " if each["proxy"] else ""
        print(f"{each['code']}  {each['name']:<34} {cert:<28} {served}{' '.join(each['groups'])}")


@app.command
def constituent(
    member: str,
    name: str,
    *,
    title: Annotated[str, Parameter(help="The organisation's full name.")] = "",
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Add an organisation under a member.

    Example: bayanihan member constituent SG harbour-bank --title "Harbour Bank"
    """
    with HubClient(hub, key) as client:
        client.json(
            "POST",
            f"/api/members/{in_path(member)}/constituents",
            json={"name": name, "title": title},
        )
    print(f"added {member}/{name}")


@app.command
def group(
    name: str,
    *,
    member: Annotated[tuple[str, ...], Parameter(help="A member of the group; repeat it.")],
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Set a group's members from now on; what was shared before stays as it was.

    Example: bayanihan member group mekong --member KH --member LA --member TH --member VN
    """
    with HubClient(hub, key) as client:
        answer = client.json("POST", f"/api/groups/{in_path(name)}", json={"members": list(member)})
    print(f"{name}: {' '.join(answer['members'])}")


@app.command
def hide(member: str, *, hub: HubOption = DEFAULT_HUB, key: KeyOption = "") -> None:
    """Show the other members `unknown` in place of this member's protection.

    Example: bayanihan member hide SG
    """
    with HubClient(hub, key) as client:
        client.json("POST", f"/api/members/{in_path(member)}/protection", json={"shown": False})
    print(f"the protection of {member} is hidden from other members")


@app.command
def show(member: str, *, hub: HubOption = DEFAULT_HUB, key: KeyOption = "") -> None:
    """Show the other members this member's protection again.

    Example: bayanihan member show SG
    """
    with HubClient(hub, key) as client:
        client.json("POST", f"/api/members/{in_path(member)}/protection", json={"shown": True})
    print(f"the protection of {member} is shown to other members")


@app.command
def leave(member: str, *, hub: HubOption = DEFAULT_HUB, key: KeyOption = "") -> None:
    """A member leaves: its keys end, and it sees nothing more of what groups shared with it.

    Example: bayanihan member leave XX
    """
    with HubClient(hub, key) as client:
        client.json("POST", f"/api/members/{in_path(member)}/leave")
    print(f"{member} has left")


@app.command
def join(member: str, *, hub: HubOption = DEFAULT_HUB, key: KeyOption = "") -> None:
    """A member that left joins again, and sees what is shared from now on.

    Example: bayanihan member join XX
    """
    with HubClient(hub, key) as client:
        client.json("POST", f"/api/members/{in_path(member)}/join")
    print(f"{member} has joined")


@app.command
def asset(
    member: str,
    asset: str,
    *,
    note: Annotated[str, Parameter(help="Why it is theirs, such as a licence.")] = "",
    remove: Annotated[bool, Parameter(negative="", help="Take it out again.")] = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Enter a name with all below it, or an address range, as a member's: it may claim that.

    Example: bayanihan member asset SG harbour-bank.com --note "licensed bank 17"
    """
    place = f"/api/members/{in_path(member)}/assets"
    with HubClient(hub, key) as client:
        if remove:
            said = client.json("DELETE", place, params={"asset": asset})
        else:
            said = client.json("POST", place, json={"asset": asset, "note": note})
    print(f"{'no longer' if remove else 'now'} {member}'s: {said['asset']}")


@app.command(name="keep-out")
def keep_out(
    member: str,
    entry: str,
    *,
    reason: Annotated[str, Parameter(help="Why, in a line.")] = "",
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Keep a name with all below it, or an address range, out of a member's own feeds.

    Example: bayanihan member keep-out SG harbour-bank.com --reason "a licensed bank"
    """
    place = f"/api/members/{in_path(member)}/own-list"
    with HubClient(hub, key) as client:
        said = client.json("POST", place, json={"entry": entry, "reason": reason})
    print(f"{member} keeps out at home: {said['entry']}")


@app.command(name="let-in")
def let_in(member: str, entry: str, *, hub: HubOption = DEFAULT_HUB, key: KeyOption = "") -> None:
    """Take an entry off a member's own list.

    Example: bayanihan member let-in SG harbour-bank.com
    """
    place = f"/api/members/{in_path(member)}/own-list"
    with HubClient(hub, key) as client:
        said = client.json("DELETE", place, params={"entry": entry})
    print(f"{member} keeps out no longer: {said['entry']}")


@app.command(name="own-list")
def own_list(
    member: str, *, json: JsonOption = False, hub: HubOption = DEFAULT_HUB, key: KeyOption = ""
) -> None:
    """Show what your member keeps out of its own feeds.

    Example: bayanihan member own-list SG
    """
    with HubClient(hub, key) as client:
        found = client.json("GET", f"/api/members/{in_path(member)}/own-list")
    if json:
        print(as_json_text(found))
        return
    for each in found["entries"]:
        print(f"{each['entry']:<40} {one_line(each['reason'])}")


@app.command
def office(
    member: str,
    name: str,
    *,
    public: Annotated[
        Path | None, Parameter(help="Its public key, as `trial signing-key` made it.")
    ] = None,
    title: Annotated[str, Parameter(help="What people call it.")] = "",
    take_back: Annotated[
        bool, Parameter(negative="", help="Take its keys back: nothing they signed counts.")
    ] = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Name an office or person that others pose as, with the key that it signs denials with.

    Example: bayanihan member office SG central-bank --title "The central bank" --public cb.key.pub
    """
    place = f"/api/members/{in_path(member)}/offices"
    with HubClient(hub, key) as client:
        if take_back:
            client.json("DELETE", f"{place}/{in_path(name)}")
            print(f"{member}/{name}: its keys are taken back")
            return
        if public is None:
            raise Refused("wrong-use", "Give the office's key with --public, or --take-back")
        order = {"office": name, "title": title, "public": to_text(read_public(public))}
        said = client.json("POST", place, json=order)
    print(f"{member}/{name} signs denials with the key {said['key']}")
