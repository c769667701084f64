"""`/api/members/{code}/proxy`: who serves a member, by whose signed word, and handing back."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from bayanihan.core import moment
from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.registry.changes import ConsentEnded
from bayanihan.registry.consents import Consent
from bayanihan.registry.office import KeyOrder, Office
from bayanihan.registry.policy_api import check_theirs
from bayanihan.registry.serving import ConsentOrder, consent_of

# What a member's own staff needs to begin; others are for the operator to grant.
_OWN_SCOPES = ("report", "read", "feed", "receipt", "notice", "admin")


def routes(office: Office) -> list[HTTPRouteHandler]:
    """The handlers of named proxies."""
    registry = office.registry

    @get("/api/members/{code:str}/proxy")
    async def show_proxy(request: Request[Any, Any, Any], code: FromPath[str]) -> dict[str, Any]:
        """Who serves a member now, and its consents; their papers for the two and the operator."""
        viewer = viewer_in(request.scope)
        require(viewer, "read")
        if code not in registry.members:
            raise Refused("not-found", f"There is no member {code!r}", where="code")
        now_us = office.now_us()
        held = registry.consents.holding(code, now_us)
        told = [_told(viewer, each, now_us) for each in registry.consents.of(code)]
        return {"member": code, "proxy": held.proxy if held else "", "consents": told}

    @post("/api/members/{code:str}/proxy", status_code=201)
    async def give_consent(
        request: Request[Any, Any, Any], code: FromPath[str], data: JSONBody[ConsentOrder]
    ) -> dict[str, Any]:
        """Record that a member consented in writing to be served by another, until a date."""
        viewer = viewer_in(request.scope)
        check_theirs(office, viewer, code, by_member=True)
        certs = {each.code: each.cert for each in registry.members.values()}
        now_us = office.now_us()
        change = consent_of(viewer, code, data, certs, registry.consents, now_us)
        await office.enter(viewer, [change])
        wanted = (change.proxy, change.since_us, change.until_us, change.sha256)
        for each in registry.consents.of(code):
            if (each.proxy, each.since_us, each.until_us, each.sha256) == wanted:
                return {"member": code, **_told(viewer, each, now_us)}
        message = f"Another consent of {code} was recorded at the same moment"
        step = f"Look at it: bayanihan member proxy {code}"
        raise Refused("conflict", message, where="proxy", next_step=step)

    @post("/api/members/{code:str}/hand-back", status_code=200)
    async def hand_back(request: Request[Any, Any, Any], code: FromPath[str]) -> dict[str, Any]:
        """A member takes its affairs back: its proxy's keys end at once, and it gets its own."""
        viewer = viewer_in(request.scope)
        check_theirs(office, viewer, code, by_member=True)
        consents, now_us = registry.consents, office.now_us()
        ended = [each for each in consents.standing(now_us) if each.member == code]
        if not ended or code in consents.ending:
            message = f"{code} has no named proxy: nobody reports in its name"
            step = f"See what there was: bayanihan member proxy {code}"
            raise Refused("not-found", message, where="code", next_step=step)
        keys = [key.id for key in registry.every_key() if key.serves == code]
        consents.ending |= {code}
        try:
            await office.enter(viewer, [ConsentEnded(now_us, code, viewer.origin)])
        finally:
            consents.ending -= {code}
        order = KeyOrder(_OWN_SCOPES, code, label=f"after {ended[0].proxy} served {code}")
        return {
            "member": code,
            "proxy": ended[0].proxy,
            "state": "handed back",
            "at": moment.render(now_us),
            "keys_ended": keys,
            "key": await office.issue(viewer, order),
            "acts": f"/api/members/{code}/proxy/acts",
        }

    return [show_proxy, give_consent, hand_back]


def _told(viewer: Viewer, consent: Consent, now_us: int) -> dict[str, Any]:
    state = "holds" if consent.holds(now_us) else "to come"
    if consent.over_us <= now_us:
        state = "handed back" if consent.ended_us else "expired"
    told = {
        "proxy": consent.proxy,
        "since": moment.render(consent.since_us),
        "until": moment.render(consent.over_us),
        "state": state,
    }
    if viewer.constituent or viewer.member not in ("", consent.member, consent.proxy):
        return told
    paper = {"title": consent.title, "signed": consent.signed, "sha256": consent.sha256}
    return {**told, "paper": paper, "recorded_by": consent.by, "ended_by": consent.ended_by}
