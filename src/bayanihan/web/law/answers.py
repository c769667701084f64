"""`/api/law/...`: the rulebook over HTTP; stateless, so that an answer can be asked for again.

Mount it with `law_handlers(opened, today)`: what opens the rulebook, and the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from litestar import Request, post
from litestar.handlers import HTTPRouteHandler

from bayanihan.core import json_bytes
from bayanihan.errors import Refused
from bayanihan.rulebook.classify import classify, next_question
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.duties import duties
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.question import JURISDICTIONS, ask, check_dates, check_members
from bayanihan.rulebook.rights import rights
from bayanihan.rulebook.system import System, system_from_json, with_markets
from bayanihan.rulebook.tracks import track_of
from bayanihan.rulebook.view import view

BODY_LIMIT_BYTES = 256 * 1024
_CLASSIFY_KEYS = frozenset(
    {"system", "name", "about", "facts", "attestations", "register", "as_of", "known", "question"}
)
_DUTY_KEYS = _CLASSIFY_KEYS - {"question"} | {"member"}


def law_handlers(
    opened: Callable[[], Rulebook], today: Callable[[], str]
) -> list[HTTPRouteHandler]:
    """The endpoints of the rulebook.

    Args:
        opened: gives the rulebook; called on a worker thread, so that a hub starts without
            reading it.
        today: gives today's day in UTC, for questions that name none.
    """

    @post("/api/law/classify", status_code=200, request_max_body_size=BODY_LIMIT_BYTES)
    async def law_classify(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """Classify a system: `{facts, as_of?, known?, question?}` to findings with proofs."""
        body = read_body(await request.body(), _CLASSIFY_KEYS)
        return await asyncio.to_thread(lambda: classified(opened(), body, today()))

    @post("/api/law/duties", status_code=200, request_max_body_size=BODY_LIMIT_BYTES)
    async def law_duties(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """Derive duties: `{facts, member?: [codes], attestations?, as_of?, known?}`."""
        body = read_body(await request.body(), _DUTY_KEYS)
        return await asyncio.to_thread(lambda: owed(opened(), body, today()))

    return [law_classify, law_duties]


def classified(book: Rulebook, body: dict[str, Any], today: str) -> dict[str, Any]:
    """The answer of `POST /api/law/classify`.

    Raises:
        Refused: what is wrong in the body, with its JSON path.
    """
    day, known, system = _asked(book, body, today)
    derivation = Derivation(view(book, known), system.facts)
    told: dict[str, Any] = {
        **book.stamp(),
        "as_of": day,
        "known": known,
        "system": system.id,
        "findings": [one.as_json() for one in classify(derivation, day)],
    }
    if body.get("question") is True:
        question = next_question(derivation.view, system.facts, day)
        told["question"] = question and {"fact": question.fact, "ask": question.ask}
    return told


def owed(book: Rulebook, body: dict[str, Any], today: str) -> dict[str, Any]:
    """The answer of `POST /api/law/duties`.

    Raises:
        Refused: what is wrong in the body, with its JSON path.
    """
    day, known, system = _asked(book, body, today)
    asked = body.get("member") or [
        one
        for one in JURISDICTIONS
        if one in (system.facts.get("markets") or ())  # type: ignore[operator]
    ]
    if not isinstance(asked, list) or not all(isinstance(one, str) for one in asked) or not asked:
        raise Refused("bad-value", "Name at least one member.", where="$.member")
    members = check_members(asked)
    facts = with_markets(system.facts, members)
    owed_here: list[dict[str, Any]] = []
    held: list[dict[str, Any]] = []
    for member in members:
        derivation = Derivation(ask(book, known, {}, track_of(book, member)), facts)
        found = duties(derivation, member, day, system.attestations)
        owed_here += [one.as_json() for one in found]
        held += [one.as_json() for one in rights(derivation, member, day)]
    told = {"as_of": day, "known": known, "system": system.id}
    return {**book.stamp(), **told, "duties": owed_here, "rights": held}


def _asked(book: Rulebook, body: dict[str, Any], today: str) -> tuple[str, str, System]:
    day, known = check_dates(book, body.get("as_of") or today, body.get("known") or "")
    return day, known, system_from_json(body, book.vocabulary)


def read_body(raw: bytes, keys: frozenset[str]) -> dict[str, Any]:
    """A request's body as an object with these keys at most.

    Raises:
        Refused: what is wrong, with its JSON path.
    """
    body = json_bytes.decode(raw)
    if not isinstance(body, dict):
        raise Refused("bad-value", "Send a JSON object.", where="$")
    for key in body:
        if key not in keys:
            raise Refused("bad-value", f"There is no key {key!r} here.", where=f"$.{key}")
    return body
