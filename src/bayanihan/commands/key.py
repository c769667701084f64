"""`bayanihan key`: issue, list and end API keys, and accept agents' keys."""

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
from bayanihan.errors import one_line

app = App(name="key", help="Issue, list and end API keys, and accept agents' keys.")


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
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Make a key. Its secret is shown this once and kept nowhere.

    Example: bayanihan key new --member SG --scope feed --scope receipt
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
        waiting = f"  {len(each['agent_keys_pending'])} agent key waits" * bool(
            each["agent_keys_pending"]
        )
        scopes, label = " ".join(each["scopes"]), one_line(each["label"])
        print(f"{each['id']}  {place:<12} {scopes}  {label}{waiting}")


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
