"""`bayanihan feed`: what is in the defence feeds, and what is kept out of them."""

from __future__ import annotations

import sys
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
from bayanihan.errors import Refused, one_line


def feed(
    name: Annotated[str, Parameter(help="A feed to print, such as rpz.zone.")] = "",
    *,
    list: Annotated[bool, Parameter(negative="", help="List the feeds.")] = False,
    held: Annotated[bool, Parameter(negative="", help="Show what is kept out, and why.")] = False,
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Print a feed, or list the feeds with what they hold and what is kept out of them.

    Example: bayanihan feed --list
    """
    if not name and not list and not held:
        raise Refused("wrong-use", "Name a feed, or ask for --list")
    with HubClient(hub, key) as client:
        if name and not (list or held):
            sys.stdout.buffer.write(client.send("GET", f"/feeds/{in_path(name)}").content)
            return
        feeds = client.json("GET", "/api/feeds")
    feeds = [each for each in feeds if name in ("", each["feed"])]
    if name and not feeds:
        raise Refused("not-found", f"There is no feed {name!r}", where=name)
    if json:
        print(as_json_text(feeds))
        return
    for each in feeds:
        _print(each, show_held=held)


def _print(each: dict[str, Any], *, show_held: bool) -> None:
    held = each.get("held_total", len(each["held"]))
    rest = each.get("not_expressed_total", len(each["not_expressed"]))
    engine = f"{each['engine']}{'' if each['verified'] else ', not verified'}"
    print(
        f"{each['feed']:<24} {each['items']:>8} items {each['size_bytes']:>10} bytes"
        f" {held:>6} held {rest:>6} not expressed  ({engine})"
    )
    if show_held:
        for kind in ("held", "not_expressed"):
            for item in each[kind]:
                value, reason = one_line(item["value"]), one_line(item["reason"])
                print(f"  {kind.replace('_', ' ')}: {value}: {reason}")
