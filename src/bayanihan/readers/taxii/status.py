"""The status of a submission: what became of each object, kept for two days.

The hub answers when everything is done, so nothing is ever pending. A repetition of what
is already there is a success, as the specification asks.

Source: TAXII 2.1 sections 4.3 (status) and 5.5 (add objects).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from bayanihan.core import moment
from bayanihan.core.marking import Viewer
from bayanihan.errors import Refused
from bayanihan.ledger import Change, Ledger, apply_changes
from bayanihan.readers.taxii.answers import date_added

ROOM = "taxii-status"
KEPT_US = 48 * 3_600 * 1_000_000
_AT_ONCE = 500


class Outcome(msgspec.Struct, frozen=True):
    """What became of one object: `accepted`, `duplicate` or `refused`, and why.

    `shown` is false where it is taken, and the collection that it was sent to asks for others.
    """

    id: str
    version: str
    result: str
    code: str = ""
    path: str = ""
    reason: str = ""
    shown: bool = True


class _Envelope(msgspec.Struct):
    # One widely used library posts a bundle as it is: it holds objects as an envelope does.
    objects: list[msgspec.Raw]


class _Head(msgspec.Struct):
    id: Any = ""
    modified: Any = None
    created: Any = None


_read_head = msgspec.json.Decoder(_Head).decode
_read_envelope = msgspec.json.Decoder(_Envelope).decode


class Submitted(msgspec.Struct, frozen=True):
    """An object of an envelope, as far as a status names it; "" where it does not say."""

    id: str
    version: str
    shown: bool = True


def objects_of(
    data: bytes, limit: int, shows: Callable[[str, bytes], bool] | None = None
) -> list[Submitted]:
    """The objects of an envelope, in order, to name them by.

    Args:
        data: the envelope.
        limit: how many it may hold.
        shows: whether their collection asks for an object of an id and these bytes; None
            where it asks for all.

    Raises:
        Refused: `not-an-envelope` for other JSON, `not-json`, `empty`, and `too-large`
            when there are more than `limit`.
    """
    try:
        envelope = _read_envelope(data)
    except msgspec.ValidationError:
        raise _no_envelope() from None
    except RecursionError:
        raise Refused("too-deep", "The body is nested too deeply", where="$") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused("not-json", f"The body is no JSON: {error}", where="$") from None
    if not envelope.objects:
        raise Refused("empty", "The envelope holds no object", where="$.objects")
    if len(envelope.objects) > limit:
        raise Refused("too-large", f"One envelope may hold {limit} objects", where="$.objects")
    return [_submitted(bytes(raw), shows) for raw in envelope.objects]


def _no_envelope() -> Refused:
    step = 'Send a TAXII envelope: {"objects": [...]}.'
    return Refused("not-an-envelope", "This is no TAXII envelope", where="$", next_step=step)


def _submitted(raw: bytes, shows: Callable[[str, bytes], bool] | None) -> Submitted:
    try:
        head = _read_head(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Submitted("", "")
    version = head.modified or head.created
    known = isinstance(version, str) and moment.parse(version) is not None
    named = head.id if isinstance(head.id, str) else ""
    shown = shows is None or not named or shows(named, raw)
    return Submitted(named, version if known else "", shown)


def outcomes_of(sent: Sequence[Submitted], results: Sequence[Any]) -> list[Outcome]:
    """The outcome of each object that was sent.

    Args:
        sent: the objects, in order.
        results: intake's results, in the same order; an object of STIX 2.0 may have
            become several, which then follow each other and count for themselves.
    """
    named: dict[str, list[Submitted]] = {}
    for each in sent:
        named.setdefault(each.id, []).append(each)
    found = []
    for told in results:
        left = named.get(told.id)
        of = (left.pop(0) if len(left) > 1 else left[0]) if left else Submitted(told.id, "")
        # What its origin took back is a repetition that is not there.
        result = "refused" if told.code == "withdrawn" else told.result
        found.append(
            Outcome(told.id, of.version, result, told.code, told.path, told.reason, of.shown)
        )
    return found


def status_of(status_id: str, at_us: int, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The status resource. Its counts are those of its lists."""
    at = date_added(at_us)
    good = [_detail(each, at) for each in outcomes if each.result != "refused"]
    bad = [_detail(each, at) for each in outcomes if each.result == "refused"]
    return {
        "id": status_id,
        "status": "complete",
        "request_timestamp": at,
        "total_count": len(outcomes),
        "success_count": len(good),
        **({"successes": good} if good else {}),
        "failure_count": len(bad),
        **({"failures": bad} if bad else {}),
        "pending_count": 0,
    }


def _detail(outcome: Outcome, at: str) -> dict[str, str]:
    # A status names every object with a version: for one that has none, when it was sent.
    detail = {"id": outcome.id, "version": outcome.version or at}
    if outcome.result == "duplicate":
        detail["message"] = "It was already here"
    elif outcome.result == "refused":
        place = f", at {outcome.path}" if outcome.path else ""
        detail["message"] = f"{outcome.reason.rstrip('.')}{place} [{outcome.code}]"
    if not outcome.shown and outcome.result != "refused":
        detail["message"] = "It is taken, and read elsewhere: this collection asks for others"
    return detail


class _Kept(msgspec.Struct):
    person: str
    origin: str
    at_us: int
    status: msgspec.Raw


_read_kept = msgspec.json.Decoder(_Kept).decode


class Statuses:
    """Keeps statuses in state, for those who submitted.

    Args:
        ledger: holds the state.
        entropy: random bytes.
    """

    def __init__(self, ledger: Ledger, entropy: Callable[[int], bytes]) -> None:
        self._ledger = ledger
        self._entropy = entropy

    async def keep(self, viewer: Viewer, root: str, outcomes: Sequence[Outcome]) -> bytes:
        """Keep the status of a submission; the resource as JSON."""
        at_us = self._ledger.now_us()
        status_id = str(new_id(at_us, self._entropy(10)))
        status = msgspec.json.encode(status_of(status_id, at_us, outcomes))
        kept = _Kept(viewer.person, viewer.origin, at_us, msgspec.Raw(status))
        change = Change(ROOM, f"{status_id}/{root}", msgspec.json.encode(kept))
        await self._ledger.change_soon(partial(apply_changes, changes=[change]))
        return status

    def find(self, viewer: Viewer, root: str, status_id: str) -> bytes:
        """A status of this root that the viewer's own submission got.

        Raises:
            Refused: `not-found`, also for the status of somebody else.
        """
        document = self._ledger.state.get(ROOM, f"{status_id}/{root}") if viewer.key else None
        kept = _read_kept(document.value) if document else None
        if kept is None or (kept.person, kept.origin) != (viewer.person, viewer.origin):
            raise Refused("not-found", "There is no such status")
        return bytes(kept.status)

    def forget_old(self) -> int:
        """Remove the statuses that were kept long enough; how many. Blocks."""
        until_us, count = self._ledger.now_us() - KEPT_US, 0
        while documents := self._ledger.state.list(ROOM, limit=_AT_ONCE):
            old = [each for each in documents if _read_kept(each.value).at_us < until_us]
            if old:
                self._ledger.state.put([Change(ROOM, each.key, None) for each in old])
                count += len(old)
            if len(old) < len(documents):
                break
        return count


def new_id(at_us: int, entropy: bytes) -> uuid.UUID:
    """A UUID of version 7 (RFC 9562): ids sort by time, so that the oldest are found first.

    Args:
        at_us: UTC microseconds.
        entropy: ten random bytes.
    """
    number = (at_us // 1_000) << 80 | int.from_bytes(entropy, "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=number)
