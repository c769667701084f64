"""`bayanihan takedown`: a takedown request as X-ARF, in a mail for a person to send."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bayanihan.commands.hub_client import (
    DEFAULT_HUB,
    HubClient,
    HubOption,
    KeyOption,
    in_path,
)
from bayanihan.errors import Refused


def takedown(
    indicator: Annotated[str, Parameter(help="The id of an indicator.")],
    *,
    to: Annotated[str, Parameter(help="The abuse address of the host or registrar.")],
    org: Annotated[str, Parameter(help="Who asks: your organisation.")],
    contact: Annotated[str, Parameter(help="Your mail address.")],
    out: Annotated[Path, Parameter(help="The mail, to be looked at and sent by you.")],
    note: Annotated[str, Parameter(help="A sentence for who reads it.")] = "",
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Draft a takedown request about a page or site. Nothing is sent: a person does that.

    Example: bayanihan takedown ID --to abuse@h.example --org X --contact a@x.example --out t.eml
    """
    asks = {"org": org, "contact": contact, "domain": contact.rpartition("@")[2]}
    with HubClient(hub, key) as client:
        place = f"/api/objects/{in_path(indicator)}/takedown"
        mail = client.send("POST", place, json={"to": to, "asks": asks, "note": note}).content
    try:
        with out.open("xb") as file:
            file.write(mail)
    except OSError as error:
        message = error.strerror or str(error)
        raise Refused("cannot-write", message, where=str(out)) from None
    print(f"{out}: a request to {to}. Read it, then send it from your own mail.")
