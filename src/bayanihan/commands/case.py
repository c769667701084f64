"""`bayanihan case`: a case as an evidence package for a bank or the police, and its check."""

from __future__ import annotations

from pathlib import Path
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
from bayanihan.errors import Refused, one_line
from bayanihan.readers.package import check
from bayanihan.readers.package.archive import WHOLE_LIMIT_BYTES

app = App(name="case", help="A case as an evidence package, and its check without a hub.")


@app.command
def export(
    case: Annotated[str, Parameter(help="The case: the id of an incident.")],
    *,
    out: Annotated[Path, Parameter(help="The package, a ZIP.")],
    purpose: Annotated[
        str, Parameter(help="For what your own redacted evidence goes in; this is recorded.")
    ] = "",
    position: Annotated[int, Parameter(help="The length of the record that it shows.")] = 0,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Export a case: its bytes, who held it when, times with their source, and proofs, signed.

    Example: bayanihan case export incident--0c6f1d5e-7f0d-4c3e-9d5b-0c1f2a3b4c5d --out case.zip
    """
    place = f"/api/cases/{in_path(case)}/package"
    order = {"purpose": purpose, "position": position}
    with HubClient(hub, key, timeout_s=120.0) as client:
        data = client.send("POST", place, json=order).content
    checked = check(data)
    try:
        with out.open("xb") as file:
            file.write(data)
    except OSError as error:
        message = error.strerror or str(error)
        raise Refused("cannot-write", message, where=str(out)) from None
    print(f"{out}: {len(checked.manifest.custody)} acts, at entry {checked.manifest.position}")
    print(f"signed by {checked.key}")


@app.command
def verify(
    file: Path,
    *,
    hub_key: Annotated[
        str, Parameter(help="The hub's verifier key, got by another way; see `/api/hub`.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Check a package without a hub: signature, hashes, and every proof.

    Example: bayanihan case verify case.zip --hub-key "hub.example+1a2b3c4d+AQ..."
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(2 * WHOLE_LIMIT_BYTES)
    except OSError as error:
        message = error.strerror or str(error)
        raise Refused("cannot-read", message, where=str(file)) from None
    checked = check(data, hub_key)
    if json:
        print(as_json_text(checked))
        return
    manifest = checked.manifest
    mark = "EXERCISE " if manifest.exercise else ""
    print(f"{mark}{one_line(manifest.case)}, exported for {one_line(manifest.exported_for)}")
    for each in checked.held:
        print(f"holds: {one_line(each)}")
    for act in manifest.custody:
        print(f"  {act.at} {act.act} {one_line(act.object_id)} by {one_line(act.by)} ({act.level})")
    if not hub_key:
        print(f"note: compare the key with the hub's, got by another way: {one_line(checked.key)}")
