"""Leading a trial that laboratories answer: offer it to a hub, wait, fetch what they answered.

Labels, campaigns, the seed and the sample that is asked again stay here. So a laboratory that
makes its answers up is found by the items of its own that this machine asks again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bayanihan.errors import Refused
from bayanihan.sandbox.desk import LocalDesk
from bayanihan.sandbox.laboratory import Line
from bayanihan.sandbox.offer import PIECE_BYTES, Found, Level, Offer, Share, Standing
from bayanihan.sandbox.result import FORMAT, Laboratory, Result
from bayanihan.sandbox.shift import Told
from bayanihan.sandbox.tool import packed
from bayanihan.sandbox.trial import AGAIN_LEAST, Order, Trial, sample

LOOK_S = 2.0


class _Name(msgspec.Struct):
    id: str


def check_leading(order: Order) -> None:
    """Refuse a trial that cannot be led: nothing isolates here, or the tool is elsewhere."""
    if order.isolator.level == "L0":
        raise Refused("no-isolation", "Who leads a trial asks items again, in isolation")
    if order.tool.manifest.remote is not None:
        raise Refused("bad-value", "A remote tool is asked from one place: use `trial run`")


def offered(
    line: Line,
    order: Order,
    desk: LocalDesk,
    laboratories: list[str],
    least: Level,
    lease_s: float | None = None,
) -> str:
    """Offer a trial with all that goes with it, and open it; its id.

    Args:
        line: to the hub.
        order: the trial.
        desk: its questions and tools.
        laboratories: members that may take part.
        least: the weakest isolation that is let in.
        lease_s: how long a shard is held without an answer; by the limits when None.
    """
    tool, training = packed(order.tool.files), desk.training()
    card, limits = order.corpus.card, order.limits
    offer = Offer(
        order.tool.name,
        f"{card.name} {card.version}",
        [f"sha256:{desk.tool(number).digest}" for number in range(desk.contestants)],
        len(order.corpus.items),
        len(tool),
        len(training),
        limits,
        least,
        laboratories,
        # A start and an item may take their time without a sign of life.
        lease_s or 30 + limits.start_s + 2 * limits.item_s,
        format=FORMAT,
    )
    name = line.ask("POST", "", _Name, offer).id
    for file, data in (("tool", tool), ("training", training)):
        for at in range(0, len(data), PIECE_BYTES):
            line.send("PUT", f"/{name}/files/{file}?at={at}", data[at : at + PIECE_BYTES])
    _ask(line, name, desk, offer.items)
    line.send("POST", f"/{name}/open")
    return name


def _ask(line: Line, name: str, desk: LocalDesk, items: int) -> None:
    held, size, first = list[bytes](), 0, 0
    for place in range(items):
        question = msgspec.json.encode(desk.question(place))
        if size + len(question) >= PIECE_BYTES:
            line.send("PUT", f"/{name}/files/questions?at={first}", b"\n".join(held))
            held, size, first = [], 0, place
        held.append(question)
        size += len(question) + 1
    line.send("PUT", f"/{name}/files/questions?at={first}", b"\n".join(held))


def kept_offer(line: Line, note: Path, seed: int) -> str:
    """The id of a trial that was offered earlier and is still there; "" when it is not.

    Args:
        line: to the hub.
        note: where id and seed were written down.
        seed: of the trial as it is now; one in another order is taken back.
    """
    words = note.read_text("utf-8").split() if note.exists() else []
    if len(words) != 2:
        return ""
    name = words[0]
    try:
        if words[1] != str(seed):
            line.send("DELETE", f"/{name}")
            return ""
        standing_of(line, name)
    except Refused as error:
        if error.code != "not-found":
            raise
        return ""
    return name


def standing_of(line: Line, name: str) -> Standing:
    """How the trial stands."""
    return line.ask("GET", f"/{name}", Standing)


def answered(
    line: Line,
    name: str,
    told: Callable[[Standing], None],
    pause: Callable[[float], None] = time.sleep,
) -> Standing:
    """Wait until every item has an answer.

    Args:
        line: to the hub.
        name: of the trial.
        told: is given how it stands, again and again.
        pause: waits so many seconds.
    """
    while True:
        standing = standing_of(line, name)
        told(standing)
        if standing.state == "answered":
            return standing
        pause(LOOK_S)


def found(line: Line, standing: Standing) -> list[Found]:
    """What every contestant answered.

    Raises:
        Refused: the hub does not have an answer for every item.
    """
    items = standing.offer.items
    all_found = []
    for contestant in range(len(standing.offer.tools)):
        one = line.ask("GET", f"/{standing.id}/answers/{contestant}", Found)
        if [row[0] for row in one.rows] != list(range(items)):
            raise Refused("conflict", "The hub's answers are not whole", where=standing.id)
        all_found.append(one)
    return all_found


def concluded(trial: Trial, standing: Standing, all_found: list[Found], told: Told) -> Result:
    """Score what laboratories answered, and ask some of each one's items again here.

    Args:
        trial: whose journal takes the answers.
        standing: of the trial on the hub, when all was answered.
        all_found: what every contestant answered.
        told: is given the number of items asked again, one by one.
    """
    for contestant, one in enumerate(all_found):
        trial.journal.fill(
            [(contestant, *row[:4]) for row in one.rows],
            [(contestant, c.cold_start_s, c.peak_bytes, c.bounded) for c in one.costs],
        )
    places: dict[int, list[int]] = {}
    for row in all_found[0].rows:
        places.setdefault(row[4], []).append(row[0])
    drawn = set(sample(standing.offer.items, trial.seed))
    for number, theirs in places.items():
        draw = random.Random(f"laboratory {number} {trial.seed}")  # noqa: S311 (repeatable)
        drawn.update(draw.sample(theirs, min(AGAIN_LEAST, len(theirs))))
    trial.ask_again(sorted(drawn), told)
    verdicts, again = trial.journal.verdicts(0), trial.journal.again()
    return trial.scored(
        [
            _laboratory(share, places.get(share.number, []), verdicts, again)
            for share in standing.laboratories
            if share.answers
        ]
    )


def _laboratory(
    share: Share, places: list[int], verdicts: dict[int, str], again: dict[int, str]
) -> Laboratory:
    reasked = [place for place in places if place in again]
    return Laboratory(
        share.origin,
        share.said.level,
        share.said.isolator,
        share.said.environment,
        share.said.harness,
        share.answers,
        len(places),
        len(reasked),
        sum(verdicts[place] != again[place] for place in reasked),
    )
