"""`python -m tests.soak --minutes 10 --seed 1`: load, faults and restarts.

With `--store postgresql` on two nodes over one server, else on a hub with a file.

Everything the hub acknowledged is held against it at the end. Ends with `verify: ok` and 0,
or says what did not hold and ends with 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.sim.process import RunningHub
from tests.soak.people import Follower, Person, Poller, Reporter
from tests.soak.places import PLACES, Place
from tests.soak.told import Told, digest_of, encoded

MEMBERS = ("SG", "VN", "TH", "LA")
BETWEEN_FAULTS_S = (0.5, 4.0)
CATCH_UP_S = 60.0


def people_of(hub: RunningHub, told: Told, seed: int) -> list[Person]:
    """A reporter of each member, two of the first, and a poller and a follower."""
    keys = {member: hub.key(member) for member in MEMBERS}
    reporters = [Reporter(hub, member, keys[member], told, seed) for member in MEMBERS]
    reporters.append(Reporter(hub, MEMBERS[0], keys[MEMBERS[0]], told, seed + 1))
    readers = [Poller(hub, "MY", hub.key("MY"), told, seed)]
    followers = [Follower(hub, "PH", hub.key("PH"), told, seed)]
    return [*reporters, *readers, *followers]


def befall(place: Place, folder: Path, until_s: float, chance: random.Random) -> Counter[str]:
    """Let one fault after the other happen; how often each ended how."""
    outcomes: Counter[str] = Counter()
    while time.monotonic() < until_s:
        time.sleep(chance.uniform(*BETWEEN_FAULTS_S))
        outcomes[place.befall(folder, chance)] += 1
    return outcomes


def stop(people: Sequence[Person]) -> None:
    """Let the reporters finish, the readers catch up, and all of them stop."""
    reporters = [one for one in people if isinstance(one, Reporter)]
    readers = [one for one in people if one not in reporters]
    for group in (reporters, readers):
        for person in group:
            person.stopping.set()
        for person in group:
            person.join(CATCH_UP_S)
        time.sleep(CATCH_UP_S / 20)  # readers ask several times a second


def hold(hub: RunningHub, told: Told, people: Sequence[Person]) -> None:
    """Hold what was acknowledged against what is there."""
    keys = {one.member: one.key for one in people}
    standing = set(told.digests) - told.erased - told.withdrawn - told.doubtful
    there = {
        one["id"]: digest_of(encoded(one)) for key in keys.values() for one in hub.objects(key)
    }
    for object_id in standing:
        if there.get(object_id) != told.digests[object_id]:
            told.broke(f"{object_id} is {'changed' if object_id in there else 'lost'}")
    for object_id in told.erased | told.withdrawn:
        answer = hub.ask("GET", f"/api/objects/{object_id}", keys[told.member[object_id]])
        if answer.status_code not in (404, 410):
            told.broke(f"{object_id} was taken back and answers {answer.status_code}")
    for one in people:
        if isinstance(one, Poller | Follower):
            name = type(one).__name__
            if missed := standing - set(one.seen):
                told.broke(f"the {name} missed {len(missed)} objects")
            if twice := [each for each, times in one.seen.items() if times > 1]:
                told.broke(f"the {name} got {len(twice)} objects twice")


def soak(folder: Path, minutes: float, seed: int, store: str = "file") -> int:
    """Run it; the exit code."""
    place, told = PLACES[store](folder), Told()
    try:
        people = people_of(place.hub, told, seed)
        for one in people:
            one.start()
        chance = random.Random(seed)
        outcomes = befall(place, folder, time.monotonic() + minutes * 60, chance)
        stop(people)
        hold(place.hub, told, people)
        code = place.end()
        checked = place.verified()
    finally:
        place.kill()
    for what, times in sorted(outcomes.items()):
        print(f"{times:5} × {what}")
    for what, number in sorted(told.counts.items()):
        print(f"{number:7} {what}")
    for what in told.wrong:
        print(f"wrong: {what}")
    if code:
        print(f"wrong: a hub ended with {code}")
    print(checked.stdout.decode().strip().splitlines()[-1])
    return int(bool(told.wrong or code or checked.returncode))


def main() -> None:
    """Read the options and soak."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", choices=list(PLACES), default="file")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        sys.exit(soak(Path(folder), chosen.minutes, chosen.seed, chosen.store))


if __name__ == "__main__":
    main()
