"""`bayanihan campaigns` and `bayanihan campaign`: near variants across members, as they grow."""

from __future__ import annotations

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
    in_path,
)
from bayanihan.errors import one_line

DaysOption = Annotated[int, Parameter(help="How many days back; 366 at most.")]
ExerciseOption = Annotated[bool, Parameter(negative="", help="Those of an exercise.")]


def campaigns(
    *,
    days: DaysOption = 90,
    exercise: ExerciseOption = False,
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """List campaigns: cases of any member that are variants of one another.

    Only cases that you may see are counted. What is in too many cases joins nothing and is
    listed with its count.

    Example: bayanihan campaigns --days 30
    """
    with HubClient(hub, key, timeout_s=120.0) as client:
        told = client.json("GET", "/api/campaigns", params=_params(days, exercise))
    if json:
        print(as_json_text(told))
        return
    for each in told["campaigns"]:
        print(_line(each, exercise=exercise))
    for each in told["crowded"]:
        print(f"joins nothing: {one_line(each['value'])}, in {each['cases']} cases: {each['why']}")
    if not told["campaigns"]:
        print(f"no campaign among {told['cases']} case{'s' * (told['cases'] != 1)}")
    if told["cut"]:
        print("note: there are more cases; older ones were left out")


def campaign(
    campaign_id: Annotated[str, Parameter(help="A campaign, or a case in it.")],
    *,
    days: DaysOption = 90,
    exercise: ExerciseOption = False,
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Show one campaign: how it grew by member and language, and its cases.

    With --json its `object` is a STIX campaign.

    Example: bayanihan campaign campaign--7d0cbf0e-6dc5-5ad8-9a4c-0a34ae1f5f3c
    """
    place = f"/api/campaigns/{in_path(campaign_id)}"
    with HubClient(hub, key, timeout_s=120.0) as client:
        told = client.json("GET", place, params=_params(days, exercise))
    if json:
        print(as_json_text(told))
        return
    print(_line(told, exercise=exercise))
    for denial in told["denials"]:
        print_denial(denial)
    for step in told["growth"]:
        members = " ".join(f"{code} {count}" for code, count in step["members"].items())
        languages = " ".join(f"{one_line(t)} {count}" for t, count in step["languages"].items())
        print(f"  until {step['until'][:16]}Z  {step['cases']:>6}  {members}  ({languages})")
    for each in told["shared"]:
        print(f"  shared {one_line(each['value'])}: in {each['cases']} cases")
    for each in told["listed"]:
        print(f"  case {one_line(each['id'])} {each['member']} since {each['since']}")


def _params(days: int, exercise: bool) -> dict[str, Any]:
    return {"days": days, "exercise": str(exercise).lower()}


def _line(told: dict[str, Any], *, exercise: bool) -> str:
    mark = "EXERCISE " if exercise else ""
    members = " ".join(f"{each['member']} {each['cases']}" for each in told["members"])
    kinds = ", ".join(each["kind"] for each in told["evidence"])
    return (
        f"{mark}{told['id']} {one_line(told['name'])}: {told['cases']} cases ({members}),"
        f" {told['first_seen'][:16]}Z to {told['last_seen'][:16]}Z, joined by {kinds}"
    )
