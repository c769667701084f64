"""`/api/trials/...`: trials that a hub offers to the laboratories of members.

Every address needs a key with the scope `sandbox`. Laboratories ask, the hub never calls them:
they may stand behind a firewall that lets nothing in.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import msgspec
from litestar import Request, delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import File, Response

from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.sandbox.answer import Question
from bayanihan.sandbox.exchange import FILES, Exchange
from bayanihan.sandbox.offer import Batch, Offer, Taken, Wish

_PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
_Asked = TypeVar("_Asked")


class Body(Protocol):
    """A request's body while it arrives and is worked on."""

    async def read(self) -> bytes:
        """All of it, bounded."""
        ...


Upload = Callable[[Any], AbstractContextManager[Body]]


def routes(exchange: Exchange, upload: Upload) -> list[HTTPRouteHandler]:
    """The handlers.

    Args:
        exchange: the trials.
        upload: takes a request's body in.
    """
    return [*_leaders(exchange, upload), *_laboratories(exchange, upload)]


def _leaders(exchange: Exchange, upload: Upload) -> list[HTTPRouteHandler]:
    @post("/api/trials")
    async def offer_trial(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Offer a trial to laboratories. Its files and questions follow, then it is opened."""
        viewer = _viewer(request)
        with upload(request) as body:
            offer = _read(await body.read(), Offer)
        name = await exchange.soon(lambda: exchange.offer(viewer, offer))
        return _json({"id": name}, 201)

    @put("/api/trials/{trial_id:str}/files/{name:str}", status_code=200)
    async def put_piece(
        request: Request[Any, Any, Any],
        trial_id: FromPath[str],
        name: FromPath[str],
        at: FromQuery[int] = 0,
    ) -> Response[bytes]:
        """A piece of the trial's `tool` or `training` file, or of its `questions`; `at` begins it.

        For the files `at` counts bytes; for questions, which are JSON lines, it counts them.
        """
        viewer = _viewer(request)
        if at < 0:
            raise Refused("bad-parameter", "at counts from 0", where="at")
        with upload(request) as body:
            data = await body.read()
            if name == "questions":
                asked = [_read(line, Question) for line in data.splitlines()]
                await exchange.soon(lambda: exchange.ask(viewer, trial_id, at, asked))
            else:
                _check_file(name)
                await exchange.soon(lambda: exchange.put(viewer, trial_id, name, at, data))
        return _json({})

    @post("/api/trials/{trial_id:str}/open", status_code=200)
    async def open_trial(
        request: Request[Any, Any, Any], trial_id: FromPath[str]
    ) -> Response[bytes]:
        """Let laboratories in: all of it has come."""
        viewer = _viewer(request)
        return _json(await exchange.soon(lambda: exchange.open(viewer, trial_id)))

    @get("/api/trials/{trial_id:str}/answers/{contestant:int}")
    async def show_answers(
        request: Request[Any, Any, Any], trial_id: FromPath[str], contestant: FromPath[int]
    ) -> Response[bytes]:
        """All answers of one contestant and whose each is, for who offered the trial."""
        viewer = _viewer(request)
        return _json(await exchange.soon(lambda: exchange.found(viewer, trial_id, contestant)))

    @delete("/api/trials/{trial_id:str}", status_code=200)
    async def withdraw_trial(
        request: Request[Any, Any, Any], trial_id: FromPath[str]
    ) -> Response[bytes]:
        """Take a trial back: laboratories stop, and what they answered is gone."""
        viewer = _viewer(request)
        await exchange.soon(lambda: exchange.withdraw(viewer, trial_id))
        return _json({})

    return [offer_trial, put_piece, open_trial, show_answers, withdraw_trial]


def _laboratories(exchange: Exchange, upload: Upload) -> list[HTTPRouteHandler]:
    @get("/api/trials")
    async def list_trials(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The trials that you lead, and those in which your laboratory may take part."""
        viewer = _viewer(request)
        return _json({"trials": await exchange.soon(lambda: exchange.standings(viewer))})

    @get("/api/trials/{trial_id:str}")
    async def show_trial(
        request: Request[Any, Any, Any], trial_id: FromPath[str]
    ) -> Response[bytes]:
        """How a trial stands: answers so far, laboratories with what each said of itself."""
        viewer = _viewer(request)
        return _json(await exchange.soon(lambda: exchange.standing(viewer, trial_id)))

    @post("/api/trials/{trial_id:str}/leases", status_code=200)
    async def take_shard(
        request: Request[Any, Any, Any], trial_id: FromPath[str]
    ) -> Response[bytes]:
        """Lease a shard with its questions: `{lease}`, null where all are held or answered."""
        viewer = _viewer(request)
        with upload(request) as body:
            wish = _read(await body.read(), Wish)
        lease = await exchange.soon(lambda: exchange.lease(viewer, trial_id, wish))
        return _json(Taken(lease))

    @post("/api/trials/{trial_id:str}/leases/{lease_id:str}", status_code=200)
    async def hand_in(
        request: Request[Any, Any, Any], trial_id: FromPath[str], lease_id: FromPath[str]
    ) -> Response[bytes]:
        """Answers to a shard that you hold; refused whole once its lease has run out."""
        viewer = _viewer(request)
        with upload(request) as body:
            batch = _read(await body.read(), Batch)
        await exchange.soon(lambda: exchange.hand_in(viewer, trial_id, lease_id, batch))
        return _json({})

    @get("/api/trials/{trial_id:str}/leases/{lease_id:str}/files/{name:str}")
    async def show_file(
        request: Request[Any, Any, Any],
        trial_id: FromPath[str],
        lease_id: FromPath[str],
        name: FromPath[str],
    ) -> File:
        """The trial's `tool` or `training` file, for who holds a shard of it."""
        viewer = _viewer(request)
        _check_file(name)
        path = await exchange.soon(lambda: exchange.file(viewer, trial_id, lease_id, name))
        return File(path, media_type="application/octet-stream", headers=_PRIVATE)

    return [list_trials, show_trial, take_shard, hand_in, show_file]


def _viewer(request: Request[Any, Any, Any]) -> Viewer:
    viewer = viewer_in(request.scope)
    require(viewer, "sandbox")
    return viewer


def _read(data: bytes, kind: type[_Asked]) -> _Asked:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        told, _, place = str(error).partition(" - at ")
        raise Refused("bad-value", told, where=place.strip("`") or "$") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused("not-json", str(error)) from None


def _check_file(name: str) -> None:
    if name not in FILES:
        raise Refused("not-found", f"A trial has the files {' and '.join(FILES)}", where="name")


def _json(document: Any, status: int = 200) -> Response[bytes]:
    data = msgspec.json.encode(document)
    return Response(data, status_code=status, media_type="application/json", headers=_PRIVATE)
