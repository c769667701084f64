"""`/api/members/{code}/assets` and `/own-list`: what is a member's, and what it keeps out."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody

from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.observables import address, domain
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.registry.changes import AssetAdded, AssetRemoved, KeptOut, LetIn
from bayanihan.registry.office import Office

ENTRIES_LIMIT = 10_000
_TEXT_LIMIT = 200


class AssetOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name with all below it, or an address range, and why it is the member's."""

    asset: str
    note: str = ""


class EntryOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a member keeps out at home, and why."""

    entry: str
    reason: str = ""


def canonical(text: str, where: str) -> str:
    """A name, an address or a range in its one spelling. Raises `Refused("bad-value")`."""
    text = text.strip()
    if text.isascii() and text.isalpha():
        return text.lower()
    try:
        if ":" in text or text.partition("/")[0].rpartition(".")[2].isdigit():
            return address(text).value
        return domain(text.removeprefix("*.")).value
    except Refused as error:
        raise Refused("bad-value", error.message, where=where) from error


def check_line(text: str, where: str) -> str:
    """One printable line. Raises `Refused("bad-value")`."""
    if len(text) > _TEXT_LIMIT or not text.isprintable():
        message = f"This is one line of {_TEXT_LIMIT} characters at most"
        raise Refused("bad-value", message, where=where)
    return text


def check_theirs(office: Office, viewer: Viewer, code: str, *, by_member: bool) -> None:
    """The operator speaks for all; a member's administrator for its own list alone."""
    require(viewer, "admin")
    if viewer.member and (viewer.constituent or viewer.member != code):
        raise Refused("not-permitted", "Your key manages your own member only", where="code")
    if viewer.member and not by_member:
        message = "Only the operator enters what belongs to a member"
        step = "Ask the operator, with what shows that it is yours."
        raise Refused("not-permitted", message, where="code", next_step=step)
    if code not in office.registry.members:
        raise Refused("bad-value", f"There is no member {code!r}", where="code")


def routes(office: Office) -> list[HTTPRouteHandler]:
    """The handlers of assets and of members' own lists."""
    return [*asset_routes(office), *list_routes(office)]


def asset_routes(office: Office) -> list[HTTPRouteHandler]:
    """What belongs to a member: it may claim that, and so suspend a block."""
    registry = office.registry

    @get("/api/members/{code:str}/assets")
    async def list_assets(request: Request[Any, Any, Any], code: FromPath[str]) -> dict[str, Any]:
        """What was entered as a member's, beside the names of its own country."""
        require(viewer_in(request.scope), "read")
        if code not in registry.members:
            raise Refused("not-found", f"There is no member {code!r}", where="code")
        listed = [{"asset": key, "note": note} for key, note in registry.assets_of(code).items()]
        return {"member": code, "country": code.lower(), "assets": listed}

    @post("/api/members/{code:str}/assets", status_code=201)
    async def add_asset(
        request: Request[Any, Any, Any], code: FromPath[str], data: JSONBody[AssetOrder]
    ) -> dict[str, str]:
        """Enter a name or an address range as a member's, or a bank's under it."""
        viewer = viewer_in(request.scope)
        check_theirs(office, viewer, code, by_member=False)
        asset, note = canonical(data.asset, "asset"), check_line(data.note, "note")
        if len(registry.assets_of(code)) >= ENTRIES_LIMIT:
            raise Refused(
                "too-large", f"A member has {ENTRIES_LIMIT} assets at most", where="asset"
            )
        await office.enter(viewer, [AssetAdded(office.now_us(), code, asset, note)])
        return {"member": code, "asset": asset}

    @delete("/api/members/{code:str}/assets", status_code=200)
    async def remove_asset(
        request: Request[Any, Any, Any], code: FromPath[str], asset: FromQuery[str] = ""
    ) -> dict[str, str]:
        """Take a name or range out of what is a member's."""
        viewer = viewer_in(request.scope)
        check_theirs(office, viewer, code, by_member=False)
        name = canonical(asset, "asset")
        if name not in registry.assets_of(code):
            raise Refused("not-found", f"{code} has no such asset", where="asset")
        await office.enter(viewer, [AssetRemoved(office.now_us(), code, name)])
        return {"member": code, "asset": name}

    return [list_assets, add_asset, remove_asset]


def list_routes(office: Office) -> list[HTTPRouteHandler]:
    """What a member keeps out of the feeds that its own people are served."""
    registry = office.registry

    @get("/api/members/{code:str}/own-list")
    async def show_own_list(request: Request[Any, Any, Any], code: FromPath[str]) -> dict[str, Any]:
        """What your member keeps out at home, and why; nobody else is shown it."""
        viewer = viewer_in(request.scope)
        require(viewer, "read")
        if viewer.member != code:
            raise Refused("not-found", "You have no such list", where="code")
        listed = [{"entry": key, "reason": why} for key, why in registry.own_list(code).items()]
        return {"member": code, "entries": listed}

    @post("/api/members/{code:str}/own-list", status_code=201)
    async def keep_out(
        request: Request[Any, Any, Any], code: FromPath[str], data: JSONBody[EntryOrder]
    ) -> dict[str, str]:
        """Keep a name with all below it, or an address range, out of your member's feeds."""
        viewer = viewer_in(request.scope)
        check_theirs(office, viewer, code, by_member=True)
        entry, reason = canonical(data.entry, "entry"), check_line(data.reason, "reason")
        if len(registry.own_list(code)) >= ENTRIES_LIMIT:
            raise Refused("too-large", f"A list has {ENTRIES_LIMIT} entries at most", where="entry")
        await office.enter(viewer, [KeptOut(office.now_us(), code, entry, reason)])
        return {"member": code, "entry": entry}

    @delete("/api/members/{code:str}/own-list", status_code=200)
    async def let_in(
        request: Request[Any, Any, Any], code: FromPath[str], entry: FromQuery[str] = ""
    ) -> dict[str, str]:
        """Keep it out no longer."""
        viewer = viewer_in(request.scope)
        check_theirs(office, viewer, code, by_member=True)
        name = canonical(entry, "entry")
        if name not in registry.own_list(code):
            raise Refused("not-found", "Your list has no such entry", where="entry")
        await office.enter(viewer, [LetIn(office.now_us(), code, name)])
        return {"member": code, "entry": name}

    return [show_own_list, keep_out, let_in]
