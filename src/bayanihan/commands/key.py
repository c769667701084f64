"""`bayanihan key`: issue, list and end API keys, and accept agents' keys."""

from __future__ import annotations

import re
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
    keep_admin_key,
)
from bayanihan.core import moment
from bayanihan.errors import one_line
from bayanihan.ledger import wall_us

_LASTS = re.compile(r"([1-9][0-9]{0,4})([dh])")
_HOURS = {"d": 24, "h": 1}
_HOUR_US = 3_600_000_000

app = App(name="key", help="Issue, list, change and end API keys, and accept agents' keys.")


def until_of(text: str, now_us: int) -> str:
    """When a key ends, as a STIX timestamp: so many days or hours from now, or as it is given."""
    found = _LASTS.fullmatch(text)
    if found is None:
        return text
    return moment.render(now_us + int(found[1]) * _HOURS[found[2]] * _HOUR_US)


@app.command
def new(
    *,
    scope: Annotated[tuple[str, ...], Parameter(help="What the key may do; repeat it.")],
    member: Annotated[str, Parameter(help="The member's code; none for the operator.")] = "",
    constituent: Annotated[str, Parameter(help="The organisation under the member.")] = "",
    person: Annotated[str, Parameter(help="Whose key it is: ana becomes SG/ana.")] = "",
    label: Annotated[str, Parameter(help="A note for people.")] = "",
    level: Annotated[str, Parameter(help="TLP level of what comes unmarked.")] = "amber+strict",
    group: Annotated[str, Parameter(help="Group of what comes unmarked.")] = "region",
    accountable: Annotated[
        bool | None, Parameter(help="Whether somebody answers for what it reports.")
    ] = None,
    expires: Annotated[str, Parameter(help="When it ends: 90d, 12h, or a time.")] = "",
    serves: Annotated[
        str, Parameter(name="--for", help="Report in this member's name, as its named proxy.")
    ] = "",
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Make a key. Its secret is shown this once and kept nowhere.

    Example: bayanihan key new --member SG --scope feed --scope receipt --expires 90d
    """
    order = {
        "scopes": list(scope),
        "member": member,
        "constituent": constituent,
        "person": person,
        "label": label,
        "level": level,
        "group": group,
        "accountable": accountable,
        **({"serves": serves} if serves else {}),
        **({"until": until_of(expires, wall_us())} if expires else {}),
    }
    with HubClient(hub, key) as client:
        made = client.json("POST", "/api/keys", json=order)
    print(as_json_text(made) if json else made["key"])


@app.command(name="list")
def list_(*, json: JsonOption = False, hub: HubOption = DEFAULT_HUB, key: KeyOption = "") -> None:
    """List the keys in force, without their secrets.

    Example: bayanihan key list --json
    """
    with HubClient(hub, key) as client:
        keys = client.json("GET", "/api/keys")
    if json:
        print(as_json_text(keys))
        return
    for each in keys:
        place = "/".join(filter(None, (each["member"] or "HUB", each["constituent"])))
        place += f" for {each['serves']}" if each["serves"] else ""
        waiting = f"  {len(each['agent_keys_pending'])} agent key waits" * bool(
            each["agent_keys_pending"]
        )
        scopes, label = " ".join(each["scopes"]), one_line(each["label"])
        until = ("  ended " if each["ended"] else "  until ") + each["until"]
        print(f"{each['id']}  {place:<12} {scopes}  {label}{until * bool(each['until'])}{waiting}")


@app.command
def rotate(
    id: str,
    *,
    overlap: Annotated[int, Parameter(help="Hours for which the old secret still opens.")] = 24,
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Give a key a new secret. Whoever holds a key may do it, and the operator.

    Where it is the key in DATA/admin.key, the file is written anew.

    Example: bayanihan key rotate k3fm9x2a7q --overlap 24
    """
    with HubClient(hub, key) as client:
        order = {"overlap_hours": overlap}
        made = client.json("POST", f"/api/keys/{in_path(id)}/rotate", json=order)
    if not key:
        keep_admin_key(id, made["key"])
    print(as_json_text(made) if json else made["key"])


@app.command
def limit(
    id: str,
    *,
    requests_per_s: Annotated[int, Parameter(help="Requests a second; 0: the hub's.")] = 0,
    in_flight: Annotated[int, Parameter(help="Requests at the same time; 0: the hub's.")] = 0,
    body_bytes: Annotated[int, Parameter(help="Size of one body; 0: the hub's.")] = 0,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Give a key limits of its own in place of those of hub.toml. For the operator.

    Example: bayanihan key limit k3fm9x2a7q --requests-per-s 20 --in-flight 4
    """
    limits = {"requests_per_s": requests_per_s, "in_flight": in_flight, "body_bytes": body_bytes}
    with HubClient(hub, key) as client:
        client.json("POST", f"/api/keys/{in_path(id)}/limits", json=limits)
    print(f"limited {id}")


@app.command
def revoke(id: str, *, hub: HubOption = DEFAULT_HUB, key: KeyOption = "") -> None:
    """End a key at once.

    Example: bayanihan key revoke k3fm9x2a7q
    """
    with HubClient(hub, key) as client:
        client.json("DELETE", f"/api/keys/{in_path(id)}")
    print(f"revoked {id}")


@app.command
def trust(id: str, public: str, *, hub: HubOption = DEFAULT_HUB, key: KeyOption = "") -> None:
    """Accept the new public key of the agent behind an API key, in place of the one before.

    Example: bayanihan key trust k3fm9x2a7q 5b1f...e0
    """
    with HubClient(hub, key) as client:
        client.json("POST", f"/api/keys/{in_path(id)}/agents/{in_path(public)}")
    print(f"trusted {public} for {id}")
