"""`/api/members/{code}/offices`: who may sign a denial for whom."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from bayanihan.core import moment, signing
from bayanihan.core.marking import viewer_in
from bayanihan.errors import Refused
from bayanihan.registry.changes import OfficeEnded, OfficeSet
from bayanihan.registry.office import Office
from bayanihan.registry.offices import Known
from bayanihan.registry.policy_api import check_line, check_theirs

OFFICES_LIMIT = 500


class OfficeOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An office: its name in addresses, its title in words, its public key in base64."""

    office: str
    public: str
    title: str = ""


def routes(office: Office) -> list[HTTPRouteHandler]:
    """The handlers of offices."""
    registry = office.registry

    @get("/api/members/{code:str}/offices")
    async def list_offices(code: FromPath[str]) -> dict[str, Any]:
        """The offices of a member that may deny, with their public keys: for everyone to check."""
        if code not in registry.members:
            raise Refused("not-found", f"There is no member {code!r}", where="code")
        listed = [_told(name, known) for name, known in sorted(registry.offices.of(code).items())]
        return {"member": code, "offices": listed}

    @post("/api/members/{code:str}/offices", status_code=201)
    async def set_office(
        request: Request[Any, Any, Any], code: FromPath[str], data: JSONBody[OfficeOrder]
    ) -> dict[str, Any]:
        """Name an office and the key that it signs denials with; a new key replaces the last."""
        viewer = viewer_in(request.scope)
        check_theirs(office, viewer, code, by_member=True)
        name = check_line(data.office, "office")
        if not name or not name.replace("-", "").isalnum() or len(name) > 64:
            message = "A name is letters, digits and hyphens, 64 at most"
            raise Refused("bad-value", message, where="office")
        public = signing.from_text(data.public, size_bytes=32, where="public")
        title = check_line(data.title, "title") or name
        known = registry.offices.of(code)
        if name not in known and len(known) >= OFFICES_LIMIT:
            message = f"A member has {OFFICES_LIMIT} offices at most"
            raise Refused("too-large", message, where="office")
        change = OfficeSet(office.now_us(), code, name, title, public.hex())
        await office.enter(viewer, [change])
        return {"member": code, "office": name, "key": signing.fingerprint(public)}

    @delete("/api/members/{code:str}/offices/{name:str}", status_code=200)
    async def end_office(
        request: Request[Any, Any, Any], code: FromPath[str], name: FromPath[str]
    ) -> dict[str, str]:
        """Take an office's keys back: what they signed is shown as not verified from now on."""
        viewer = viewer_in(request.scope)
        check_theirs(office, viewer, code, by_member=True)
        known = registry.offices.get(code, name)
        if known is None or known.current is None:
            raise Refused("not-found", f"{code} has no such office", where="name")
        await office.enter(viewer, [OfficeEnded(office.now_us(), code, name)])
        return {"member": code, "office": name, "state": "taken back"}

    return [list_offices, set_office, end_office]


def _told(name: str, known: Known) -> dict[str, Any]:
    return {
        "office": name,
        "title": known.title,
        "keys": [
            {
                "public": signing.to_text(key.public),
                "key": signing.fingerprint(key.public),
                "since": moment.render(key.since_us),
                "until": moment.render(key.until_us) if key.until_us else "",
                "taken_back": moment.render(key.taken_back_us) if key.taken_back_us else "",
            }
            for key in known.keys
        ],
    }
