"""`/api/members`, `/api/groups` and `/api/keys`: the registry, read and changed."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from bayanihan.core import moment
from bayanihan.core.entrance_order import Limits
from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.registry.keys import Key
from bayanihan.registry.office import (
    ConstituentOrder,
    GroupOrder,
    KeyOrder,
    Office,
    RotationOrder,
    ShownOrder,
    origin_of,
)
from bayanihan.registry.registry import AgentKeys, Registry


def _admin(request: Request[Any, Any, Any]) -> Viewer:
    viewer = viewer_in(request.scope)
    require(viewer, "admin")
    return viewer


def _holder(request: Request[Any, Any, Any]) -> Viewer:
    viewer = viewer_in(request.scope)
    if not viewer.key:
        raise Refused("not-signed-in", "This needs a key: the one it is about, or its manager's")
    return viewer


def routes(office: Office) -> list[HTTPRouteHandler]:
    """The handlers of the registry."""
    return [*member_routes(office), *key_routes(office)]


def member_routes(office: Office) -> list[HTTPRouteHandler]:
    """The handlers of members, constituents and groups."""
    registry = office.registry

    @get("/api/members")
    async def list_members(request: Request[Any, Any, Any]) -> list[dict[str, Any]]:
        """The members, who serves one in its name, and which of your own groups they are in."""
        viewer = viewer_in(request.scope)
        now_us = registry.now_us()
        groups = [
            group
            for group in registry.groups.values()
            if viewer.key and (not viewer.member or viewer.member in group.members)
        ]
        return [
            {
                **msgspec.to_builtins(member),
                "groups": [g.name for g in groups if member.code in g.members],
                "proxy": held.proxy
                if viewer.key and (held := registry.consents.holding(member.code, now_us))
                else "",
            }
            for member in registry.members.values()
        ]

    @post("/api/members/{code:str}/constituents", status_code=201)
    async def add_constituent(
        request: Request[Any, Any, Any], code: FromPath[str], data: JSONBody[ConstituentOrder]
    ) -> dict[str, str]:
        """Add a constituent under a member."""
        await office.add_constituent(_admin(request), code, data)
        return {"member": code, "name": data.name}

    @post("/api/members/{code:str}/leave", status_code=200)
    async def member_leaves(request: Request[Any, Any, Any], code: FromPath[str]) -> dict[str, str]:
        """A member leaves: its keys end and it sees nothing of what groups shared with it."""
        await office.set_membership(_admin(request), code, present=False)
        return {"member": code, "state": "left"}

    @post("/api/members/{code:str}/join", status_code=200)
    async def member_joins(request: Request[Any, Any, Any], code: FromPath[str]) -> dict[str, str]:
        """A member joins again, and sees what is shared from now on."""
        await office.set_membership(_admin(request), code, present=True)
        return {"member": code, "state": "joined"}

    @post("/api/members/{code:str}/protection", status_code=200)
    async def show_protection(
        request: Request[Any, Any, Any], code: FromPath[str], data: JSONBody[ShownOrder]
    ) -> dict[str, Any]:
        """Let the other members see how a member is protected, or show them `unknown`."""
        await office.show_protection(_admin(request), code, shown=data.shown)
        return {"member": code, "shown": data.shown}

    @post("/api/groups/{name:str}", status_code=200)
    async def set_group(
        request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[GroupOrder]
    ) -> dict[str, Any]:
        """Set the members of a group from now on."""
        await office.set_group(_admin(request), name, data.members)
        return {"group": name, "members": registry.groups[name].members}

    return [
        list_members,
        add_constituent,
        member_leaves,
        member_joins,
        show_protection,
        set_group,
    ]


def _told(registry: Registry, key: Key) -> dict[str, Any]:
    """A key as it is listed: everything but its secret."""
    waiting = registry.agent_keys.get(key.id, AgentKeys()).pending
    return {
        "id": key.id,
        "member": key.member,
        "constituent": key.constituent,
        "serves": key.serves,
        "person": key.person,
        "label": key.label,
        "scopes": key.scopes,
        "level": key.level,
        "group": key.group,
        "accountable": registry.answered(origin_of(key), key.person),
        "until": moment.render(key.until_us) if key.until_us else "",
        "ended": key.ended(registry.now_us()),
        "limits": msgspec.to_builtins(key.limits),
        "agent_keys_pending": [public.hex() for public in waiting],
    }


def key_routes(office: Office) -> list[HTTPRouteHandler]:
    """The handlers of API keys and agents' keys."""
    registry = office.registry

    @post("/api/keys", status_code=201)
    async def issue_key(
        request: Request[Any, Any, Any], data: JSONBody[KeyOrder]
    ) -> dict[str, str]:
        """Make a key; its secret is shown this once."""
        return await office.issue(_admin(request), data)

    @get("/api/keys")
    async def list_keys(request: Request[Any, Any, Any]) -> list[dict[str, Any]]:
        """The keys in force that you manage, without their secrets."""
        viewer = _admin(request)
        return [
            _told(registry, key)
            for key in registry.every_key()
            if viewer.member in ("", key.member, key.serves)
            if viewer.constituent in ("", key.constituent)
        ]

    @delete("/api/keys/{key_id:str}", status_code=200)
    async def revoke_key(request: Request[Any, Any, Any], key_id: FromPath[str]) -> dict[str, str]:
        """End a key at once; its holder may, and who manages it."""
        await office.revoke(_holder(request), key_id)
        return {"id": key_id, "state": "revoked"}

    @post("/api/keys/{key_id:str}/rotate", status_code=200)
    async def rotate_key(
        request: Request[Any, Any, Any], key_id: FromPath[str], data: JSONBody[RotationOrder]
    ) -> dict[str, str]:
        """Give a key a new secret, shown this once; its holder may, and the operator."""
        return await office.rotate(_holder(request), key_id, data)

    @post("/api/keys/{key_id:str}/limits", status_code=200)
    async def limit_key(
        request: Request[Any, Any, Any], key_id: FromPath[str], data: JSONBody[Limits]
    ) -> dict[str, Any]:
        """Give a key limits of its own; zeros give it the hub's."""
        await office.limit(_admin(request), key_id, data)
        return {"id": key_id, "limits": msgspec.to_builtins(data)}

    @post("/api/keys/{key_id:str}/agents/{public:str}", status_code=200)
    async def trust_agent_key(
        request: Request[Any, Any, Any], key_id: FromPath[str], public: FromPath[str]
    ) -> dict[str, str]:
        """Accept an agent's new public key (hex) in place of the one before."""
        try:
            raw = bytes.fromhex(public)
        except ValueError:
            raise Refused("bad-value", "A public key is 64 hex digits", where="public") from None
        await office.trust(_admin(request), key_id, raw)
        return {"id": key_id, "public": public, "state": "trusted"}

    return [issue_key, list_keys, revoke_key, rotate_key, limit_key, trust_agent_key]
