"""`bayanihan deny`: an impersonated office says, signed, that something is not its own."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
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
from bayanihan.commands.office_key import read_signing
from bayanihan.core.denial import Denial, deniable, sign
from bayanihan.core.fingerprint import Fingerprints
from bayanihan.errors import Refused, one_line
from bayanihan.intake.evidence import Reader

_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
_CASE = re.compile(r"[a-z-]+--[0-9a-f-]{36}")


def deny(
    what: Annotated[str, Parameter(help="A file, its SHA-256, or the id of a case.")] = "",
    *,
    office: Annotated[str, Parameter(help="MEMBER/OFFICE, as it is registered.")] = "",
    statement: Annotated[str, Parameter(help="What the office says, in its words.")] = "",
    sign_with: Annotated[Path | None, Parameter(help="The office's signing key.")] = None,
    tlp: Annotated[str, Parameter(help="How far it may go; to everyone, unless said.")] = "clear",
    exercise: Annotated[bool, Parameter(negative="", help="It is an exercise.")] = False,
    withdraw: Annotated[str, Parameter(help="The id of a denial to withdraw instead.")] = "",
    reason: Annotated[str, Parameter(help="Why it is withdrawn.")] = "",
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Deny a recording, picture, text or case that passes as an office's own.

    The file stays here: what is signed and sent are its digest and fingerprints. Whoever looks
    it up, or its like, is shown the denial, and whether its signature holds.

    Example: bayanihan deny call.mp3 --office SG/bank --statement "Not ours" --sign-with bank.key
    """
    if withdraw:
        with HubClient(hub, key) as client:
            params = {"reason": reason}
            said = client.json("DELETE", f"/api/denials/{in_path(withdraw)}", params=params)
        print(as_json_text(said) if json else f"withdrawn {withdraw}")
        return
    member, _, name = office.partition("/")
    if not (what and name and statement and sign_with):
        missing = "Give what is denied, --office MEMBER/OFFICE, --statement and --sign-with"
        raise Refused("wrong-use", missing)
    prints, cases = _denied(what)
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z"
    denial = Denial(
        id=f"denial--{uuid.uuid4()}",
        member=member,
        office=name,
        statement=statement,
        at=now,
        prints=prints,
        cases=cases,
    )
    document = sign(denial, read_signing(sign_with))
    order = {"document": document, "tlp": tlp, "exercise": exercise}
    with HubClient(hub, key) as client:
        said = client.json("POST", "/api/denials", json=order)
    print(as_json_text({**said, "document": document}) if json else f"entered {said['id']}")


def _denied(what: str) -> tuple[Fingerprints, tuple[str, ...]]:
    """The likenesses and cases that the words amount to."""
    path = Path(what)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):
        is_file = False
    if not is_file:
        if digest := _SHA256.fullmatch(what):
            return Fingerprints(files=(digest[1].lower(),)), ()
        if _CASE.fullmatch(what):
            return Fingerprints(), (what,)
        raise Refused("cannot-read", "This is no file, SHA-256 or id of a case", where=what)
    reader = Reader()
    try:
        return deniable(reader.examine(path.read_bytes()).prints), ()
    finally:
        reader.stop()


def print_denial(denial: dict[str, Any]) -> None:
    """A denial as commands show it: truth beside alarm."""
    mark = "EXERCISE " if denial["exercise"] else ""
    office, statement = one_line(denial["office"]), one_line(denial["statement"])
    kinds = ", ".join(f"{e['kind']} {e['score']:.2f}" for e in denial.get("evidence", []))
    like = f" [{kinds}]" if kinds else ""
    print(
        f"{mark}A denial by {office} ({denial['member']}) of {denial['at'][:10]}{like}: {statement}"
    )
    print(f"  {denial['verified_as']} ({denial['id']})")
