"""`bayanihan feed`: what is in the defence feeds, and what is kept out of them."""

from __future__ import annotations

import sys
from typing import Annotated, Any

from cyclopts import Parameter

from bayanihan.commands.feed_match import (
    KeysOption,
    MatchOption,
    TraceOption,
    ValuesOption,
    print_matches,
    print_recipients,
)
from bayanihan.commands.feed_said import BeforeOption, SaidOption, print_said
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
    profile: Annotated[str, Parameter(help="Who loads it: office, mail or control-network.")] = "",
    say: Annotated[
        str,
        Parameter(
            help="Say this of the value NAME: confirm, false-positive, claim, release, insist,"
            " desist or admit."
        ),
    ] = "",
    said: SaidOption = False,
    before: BeforeOption = "",
    reason: Annotated[str, Parameter(help="Why you say or ask it, in a line.")] = "",
    until: Annotated[str, Parameter(help="When a confirmation ends, a UTC timestamp.")] = "",
    match: MatchOption = None,
    values: ValuesOption = None,
    keys: KeysOption = None,
    trace: TraceOption = None,
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Print a feed, list the feeds with what is kept out of them, or speak about a value.

    With --match, VALUES are held against a match list on this machine alone: nothing is sent.

    Example: bayanihan feed --list

    Example: bayanihan feed --match match.hmac --values ours.txt --keys keys.json

    With --trace the operator is told whose key made a match list that leaked.

    Example: bayanihan feed --trace leaked.txt --reason "it was for sale on a forum"

    Example: bayanihan feed --said www.bank.example.com

    Example: bayanihan feed --say false-positive www.bank.example.com --reason "our own site"
    """
    if match is not None:
        print_matches(match, values, keys, as_json=json)
        return
    if trace is not None:
        print_recipients(HubClient(hub, key), trace, reason, as_json=json)
        return
    if said:
        print_said(HubClient(hub, key), name, before, as_json=json)
        return
    if say:
        _say(HubClient(hub, key), say, name, reason, until, as_json=json)
        return
    if not name and not list and not held:
        raise Refused("wrong-use", "Name a feed, or ask for --list")
    asked = {"profile": profile} if profile else {}
    with HubClient(hub, key) as client:
        if name and not (list or held):
            place = f"/feeds/{in_path(name)}"
            sys.stdout.buffer.write(client.send("GET", place, params=asked).content)
            return
        feeds = client.json("GET", "/api/feeds", params=asked)
    feeds = [each for each in feeds if name in ("", each["feed"])]
    if name and not feeds:
        raise Refused("not-found", f"There is no feed {name!r}", where=name)
    if json:
        print(as_json_text(feeds))
        return
    for each in feeds:
        _print(each, show_held=held)


def _say(
    client: HubClient, act: str, value: str, reason: str, until: str, *, as_json: bool
) -> None:
    if not value:
        raise Refused("wrong-use", "Name the value that you speak about")
    order = {"act": act, "value": value, "reason": reason, "until": until}
    with client:
        said = client.json("POST", "/api/rulings", json=order)
    print(as_json_text(said) if as_json else f"{said['act']}: {one_line(said['value'])}")


def _print(each: dict[str, Any], *, show_held: bool) -> None:
    held = each.get("held_total", len(each["held"]))
    rest = each.get("not_expressed_total", len(each["not_expressed"]))
    engine = f"{each['engine']}{'' if each['verified'] else ', not verified'}"
    print(
        f"{each['feed']:<30} {each['items']:>8} items {each['size_bytes']:>10} bytes"
        f" {held:>6} held {rest:>6} not expressed  ({engine})"
    )
    if show_held:
        for kind in ("held", "not_expressed"):
            for item in each[kind]:
                value, reason = one_line(item["value"]), one_line(item["reason"])
                word = item["mode"] if kind == "held" else "not expressed"
                print(f"  {word}: {value}: {reason}")
