"""`bayanihan feed --said`: what people said about values, the newest first."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from bayanihan.commands.hub_client import HubClient, as_json_text
from bayanihan.errors import one_line

SaidOption = Annotated[
    bool,
    Parameter(negative="", help="List what was said about values, or about the value NAME."),
]
BeforeOption = Annotated[str, Parameter(help="With --said: go on from where a list ended.")]


def print_said(client: HubClient, value: str, before: str, *, as_json: bool) -> None:
    """Print one page of rulings, and how to go on.

    Args:
        client: of the hub.
        value: only those about this value; "" for all.
        before: the `next` of the page before.
        as_json: as the hub answers.

    Raises:
        Refused: as the hub does.
    """
    asked = {"value": value, "before": before}
    with client:
        found = client.json(
            "GET", "/api/rulings", params={name: text for name, text in asked.items() if text}
        )
    if as_json:
        print(as_json_text(found))
        return
    for each in found["rulings"]:
        print(_line(each))
    if not found["rulings"]:
        print("Nothing that you may see was said.")
    if found["more"]:
        print(f"Older ones: --before {found['next']}")


def _line(said: dict[str, Any]) -> str:
    who = ", ".join(filter(None, (said["origin"], said["person"])))
    ended = "" if said["holds"] else " (ended)"
    until = f", until {said['until']}" if said["until"] else ""
    why = f": {said['reason']}" if said["reason"] else ""
    text = f"{said['at']} {said['act']}{ended} {said['value']} by {who}{until}{why}"
    return one_line(text)
