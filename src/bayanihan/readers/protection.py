"""Who is protected against an object: what defenders' receipts say, per member.

Two rooms of state hold what was said. `receipt` has the latest signed receipt of each
(API key, feed). `standing` has the little of it that the board needs, ordered by feed and
member. `applied` has the first time at which a member reached a position of a feed and a
stage, and is written only when it goes beyond all before, so that the first document at
or after an object's position is the answer.

The rules are functions of values. A state is never better than its evidence: `protected`
needs a receipt that says `probed`, for a version of a feed that blocks the object, from a
defender that was heard of lately and excepts nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bayanihan.core import moment
from bayanihan.core.marking import Viewer
from bayanihan.core.receipt import Receipt
from bayanihan.errors import Refused
from bayanihan.ledger import Change, Document, State

RECEIPTS, STANDINGS, APPLIED = "receipt", "standing", "applied"

# From best to worst: of a member's defenders the best one counts.
STATES = (
    "protected",
    "loaded",
    "fetched",
    "shadow",
    "failed",
    "stale",
    "not-yet",
    "unknown",
)
RANK = {state: rank for rank, state in enumerate(STATES)}

# A receipt's state -> the board's state, and the stages that are reached with it.
_SHOWN = {"probed": "protected", "loaded": "loaded", "fetched": "fetched", "shadow": "shadow"}
STAGES = {
    "probed": ("fetched", "loaded", "protected"),
    "loaded": ("fetched", "loaded"),
    "fetched": ("fetched",),
    "shadow": ("shadow",),
    "failed": (),
}

STALE_AFTER_US = 3_600 * 1_000_000
CLOCK_AHEAD_LIMIT_US = 600 * 1_000_000
_PAGE = 200


class Expressed(msgspec.Struct, frozen=True):
    """A feed that blocks an object, and the values that it blocks for it."""

    feed: str
    values: tuple[str, ...]


class Standing(msgspec.Struct, frozen=True):
    """What one defender last said of one feed.

    `state` and `position` are the receipt's own. `held_state` and `held_position` are what
    is in force: the same, except after a failure, when it is the older version that the
    defender kept ("" and 0 when there is none). Times are the hub's, in UTC microseconds:
    `since_us` when this state and position began, `heard_us` the latest receipt.
    """

    epoch: str
    state: str
    position: int
    held_state: str
    held_position: int
    excepted: tuple[str, ...]
    since_us: int
    heard_us: int


class Latest(msgspec.Struct, frozen=True):
    """The latest receipt of one (API key, feed), with the document as it was signed."""

    member: str
    constituent: str
    fingerprint: str
    at: str
    standing: Standing
    document: dict[str, Any]


class Said(msgspec.Struct, frozen=True):
    """A receipt that was opened: what it says, and what the hub knows beside it.

    `position` and `held_position` are those of its cursors. `epoch` is the ledger's, hex.
    """

    receipt: Receipt
    document: dict[str, Any]
    fingerprint: str
    position: int
    held_position: int
    epoch: str


class Asked(msgspec.Struct, frozen=True):
    """The question about one object: where it stands in the ledger, and as of when."""

    position: int
    epoch: str
    now_us: int
    stale_after_us: int = STALE_AFTER_US


class Found(msgspec.Struct, frozen=True):
    """A state on the board and since when, in UTC microseconds; None where nothing began."""

    state: str
    since_us: int | None = None


NOT_YET = Found("not-yet")
UNKNOWN = Found("unknown")


def record(
    said: Said,
    viewer: Viewer,
    now_us: int,
    latest: Latest | None,
    reached: Collection[str],
) -> list[Change]:
    """What a receipt changes in state; nothing when it is the same receipt once more.

    Args:
        said: the receipt.
        viewer: whose key it came under. The operator's counts for no member.
        now_us: the hub's clock.
        latest: what this key said of this feed before.
        reached: the stages in which the member already has this position or a later one.

    Raises:
        Refused: `conflict` when it is older than the one before, `bad-value` when its time
            lies ahead of the hub's clock.
    """
    if latest is not None and latest.document == said.document:
        return []
    _check_time(said.receipt, now_us, latest)
    standing = _standing(said, now_us, latest)
    key = f"{viewer.key}/{said.receipt.feed}"
    kept = Latest(
        viewer.member,
        viewer.constituent,
        said.fingerprint,
        said.receipt.at,
        standing,
        said.document,
    )
    changes = [Change(RECEIPTS, key, msgspec.json.encode(kept))]
    if not viewer.member:
        return changes
    place = f"{standing_prefix(said.receipt.feed, viewer.member)}{viewer.key}"
    changes.append(Change(STANDINGS, place, msgspec.json.encode(standing)))
    if said.receipt.except_:
        return changes
    for stage in STAGES[said.receipt.state]:
        if stage not in reached:
            place = applied_prefix(viewer.member, said.receipt.feed, stage, said.epoch)
            place += f"{said.position:016d}"
            changes.append(Change(APPLIED, place, msgspec.json.encode(now_us)))
    return changes


def _check_time(receipt: Receipt, now_us: int, latest: Latest | None) -> None:
    at_us = moment.parse(receipt.at) or 0
    if at_us > now_us + CLOCK_AHEAD_LIMIT_US:
        message = f"The receipt's time lies ahead of the hub's, which is {moment.render(now_us)}"
        step = "Set the clock of the machine that signed it."
        raise Refused("bad-value", message, where="$.receipt.at", next_step=step)
    if latest is not None and at_us <= (moment.parse(latest.at) or 0):
        raise Refused(
            "conflict",
            f"A receipt of {latest.at} is known already, and this one is not later",
            where="$.receipt.at",
            next_step="Sign a new receipt; see that the signing machine's clock is right.",
        )


def _standing(said: Said, now_us: int, latest: Latest | None) -> Standing:
    receipt = said.receipt
    before = latest.standing if latest and latest.standing.epoch == said.epoch else None
    held_state: str = receipt.state
    held_position, excepted = said.position, receipt.except_
    if receipt.state == "failed":
        held_state, held_position = "", 0
        if before is not None and said.held_position:
            held_state = before.held_state
            held_position = min(before.held_position, said.held_position)
            excepted = tuple(dict.fromkeys((*before.excepted, *excepted)))
    same = before is not None and (before.state, before.position) == (
        receipt.state,
        said.position,
    )
    return Standing(
        epoch=said.epoch,
        state=receipt.state,
        position=said.position,
        held_state=held_state,
        held_position=held_position,
        excepted=excepted,
        since_us=before.since_us if before is not None and same else now_us,
        heard_us=now_us,
    )


def evidence(standing: Standing, expressed: Expressed, asked: Asked) -> Found:
    """What one defender's standing proves of an object that a feed blocks."""
    if standing.epoch != asked.epoch:
        return NOT_YET
    if asked.now_us - standing.heard_us > asked.stale_after_us:
        return Found("stale", standing.heard_us + asked.stale_after_us)
    if standing.held_state and standing.held_position >= asked.position:
        if set(standing.excepted).intersection(expressed.values):
            return NOT_YET
        return Found(_SHOWN[standing.held_state], standing.since_us)
    if standing.state == "failed":
        return Found("failed", standing.since_us)
    return NOT_YET


def best(found: Iterable[Found]) -> Found:
    """The best state and, of those that have it, the earliest time; not-yet of none."""
    return min(found, key=lambda one: (RANK[one.state], one.since_us or 0), default=NOT_YET)


def dated(found: Found, reached_us: int | None) -> Found:
    """`found`, since the member first reached it if that was earlier."""
    if found.since_us is None or reached_us is None:
        return found
    return Found(found.state, min(found.since_us, reached_us))


def shown(
    object_id: str,
    accepted_us: int,
    feeds: Sequence[str],
    found: Mapping[str, Found],
    viewer: Viewer,
) -> dict[str, Any]:
    """The board as one viewer may see it: the fixed shape of `/api/protection/{id}`.

    Args:
        object_id: the object.
        accepted_us: when the hub accepted it.
        feeds: the feeds that block it.
        found: each member's state; `unknown` for one that opted out.
        viewer: members' own staff and the operator see all members; others see their own
            member, if they have one, and how many members are in each state.
    """
    board: dict[str, Any] = {
        "id": object_id,
        "accepted_at": moment.render(accepted_us),
        "feeds": list(feeds),
    }
    full = viewer.origin == "HUB" or (viewer.member != "" and not viewer.constituent)
    codes = [code for code in found if full or code == viewer.member]
    board["members"] = [_row(code, found[code], accepted_us) for code in codes]
    if not full:
        counts = dict.fromkeys(STATES, 0)
        for one in found.values():
            counts[one.state] += 1
        board["counts"] = {state: number for state, number in counts.items() if number}
    return board


def _row(code: str, found: Found, accepted_us: int) -> dict[str, Any]:
    row: dict[str, Any] = {"member": code, "state": found.state, "since": None, "seconds": None}
    if found.since_us is not None:
        row["since"] = moment.render(found.since_us)
        row["seconds"] = max(0, found.since_us - accepted_us) / 1_000_000
    return row


def standing_prefix(feed: str, member: str) -> str:
    """Where the standings of a member's defenders of a feed lie."""
    return f"{feed}/{member}/"


def applied_prefix(member: str, feed: str, stage: str, epoch: str) -> str:
    """Where the positions lie that a member reached, in order."""
    return f"{member}/{feed}/{stage}/{epoch}/"


# What follows reads state, and decides nothing.


def latest_of(state: State, key_id: str, feed: str) -> Latest | None:
    """What a key last said of a feed."""
    document = state.get(RECEIPTS, f"{key_id}/{feed}")
    return msgspec.json.decode(document.value, type=Latest) if document else None


def own(state: State, key_id: str) -> list[tuple[str, Latest]]:
    """Every feed that a key spoke of, with the latest receipt."""
    prefix = f"{key_id}/"
    return [
        (document.key.removeprefix(prefix), msgspec.json.decode(document.value, type=Latest))
        for document in _listed(state, RECEIPTS, prefix)
    ]


def reached_us(
    state: State, member: str, feed: str, stage: str, epoch: str, position: int
) -> int | None:
    """When a member first reached `position` or beyond; None when it never did."""
    prefix = applied_prefix(member, feed, stage, epoch)
    documents = state.list(APPLIED, prefix, f"{prefix}{position - 1:016d}", 1)
    return msgspec.json.decode(documents[0].value, type=int) if documents else None


def member_found(
    state: State,
    member: str,
    feeds: Sequence[Expressed],
    asked: Asked,
    sees: Callable[[str], bool] = lambda _: True,
) -> Found:
    """A member's state against an object: the best of its own and constituents' defenders.

    `sees` says of an API key whether the object was in the feed as that key sees it: an
    agent may stand beyond an object that was never meant for it.
    """
    results = []
    for expressed in feeds:
        found = best(_proofs(state, member, expressed, asked, sees))
        if found.state in _SHOWN.values():
            place = (member, expressed.feed, found.state, asked.epoch)
            found = dated(found, reached_us(state, *place, asked.position))
        results.append(found)
    return best(results)


def _proofs(
    state: State, member: str, expressed: Expressed, asked: Asked, sees: Callable[[str], bool]
) -> Iterator[Found]:
    """What each defender proves; nothing better can follow the first that is protected."""
    for document in _listed(state, STANDINGS, standing_prefix(expressed.feed, member)):
        if not sees(document.key.rpartition("/")[2]):
            continue
        standing = msgspec.json.decode(document.value, type=Standing)
        found = evidence(standing, expressed, asked)
        yield found
        if found.state == "protected":
            return


def _listed(state: State, room: str, prefix: str) -> Iterator[Document]:
    after = ""
    while True:
        documents = state.list(room, prefix, after, _PAGE)
        yield from documents
        if len(documents) < _PAGE:
            return
        after = documents[-1].key
