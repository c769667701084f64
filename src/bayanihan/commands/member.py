"""`bayanihan member`: the region's members, their constituents and groups."""

from __future__ import annotations

from typing import Annotated

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

app = App(name="member", help="The region's members, their constituents and groups.")


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
        print(f"{each['code']}  {each['name']:<34} {cert:<28} {' '.join(each['groups'])}")


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
