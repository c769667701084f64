"""`bayanihan trial serve` and `trial work`: a trial that the laboratories of members answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bayanihan.commands.hub_client import DEFAULT_HUB, HubClient, HubOption, KeyOption
from bayanihan.commands.trial import IsolationOption, WantedOptions, choose, say, shown
from bayanihan.errors import Refused, one_line
from bayanihan.sandbox import lead
from bayanihan.sandbox.isolate import Isolator
from bayanihan.sandbox.journal import full_disk_told
from bayanihan.sandbox.laboratory import Line, check_offer, offered, work_on
from bayanihan.sandbox.offer import Standing
from bayanihan.sandbox.trial import Progress, Trial

_LOOK_S = 5.0


def serve(
    tool: Path,
    *,
    wanted: WantedOptions,
    laboratory: Annotated[
        tuple[str, ...],
        Parameter(negative="", help="A member whose laboratory may take part; repeat it."),
    ] = (),
    least: Annotated[str, Parameter(help="The weakest isolation that is let in: L1 or L2.")] = "L2",
    withdraw: Annotated[
        bool, Parameter(negative="", help="Take the trial back from the hub, and end.")
    ] = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> int:
    """Lead a trial that laboratories answer: they fetch shards from the hub, with `trial work`.

    Labels stay here. Some of each laboratory's items are asked again here, in isolation.
    Cancel it with Ctrl-C: laboratories go on, and the same command waits for them again.

    Example: bayanihan trial serve my-tool --corpus held-out --laboratory MY --out trial.json
    """
    if least not in ("L1", "L2"):
        raise Refused("wrong-use", "--least takes L1 or L2")
    order = wanted.order(tool)
    lead.check_leading(order)
    note = wanted.out.with_name(wanted.out.name + ".offered")
    with (
        full_disk_told(wanted.journal),
        wanted.trial(order) as trial,
        HubClient(hub, key) as client,
    ):
        line = Line(client)
        name = lead.kept_offer(line, note, trial.seed)
        if withdraw:
            return _withdraw(line, name, note, trial)
        if not name:
            name = lead.offered(line, order, trial.desk, list(laboratory), least)
            note.write_text(f"{name} {trial.seed}\n", "utf-8")
        say(f"Offered at {client.hub} as {name}. Laboratories join with: bayanihan trial work")
        with shown() as progress:
            standing = lead.answered(line, name, _watch(progress))
            result = lead.concluded(trial, standing, lead.found(line, standing), lambda _: None)
        code = wanted.finish(trial, result)
        line.send("DELETE", f"/{name}")
        note.unlink(missing_ok=True)
    return code


def _withdraw(line: Line, name: str, note: Path, trial: Trial) -> int:
    if name:
        line.send("DELETE", f"/{name}")
    note.unlink(missing_ok=True)
    trial.finish()
    say("Taken back." if name else "There is no such trial at this hub any more.")
    return 0


class _watch:  # noqa: N801 (used as a function with a memory)
    """Shows how a trial stands, and tells once who joined and what went wrong."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._told: set[str] = set()

    def __call__(self, standing: Standing) -> None:
        self._progress(standing.answers, standing.of)
        for share in standing.laboratories:
            self._once(f"{share.origin} takes part: {share.said.level} ({share.said.isolator}).")
        for trouble in standing.troubles:
            self._once(f"A laboratory gave a shard back. {trouble}")

    def _once(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            say(one_line(sentence))


def work(
    *,
    isolation: IsolationOption = "",
    memory_mib: Annotated[int, Parameter(help="The most that a tool may use here, in MiB.")] = 4096,
    stay: Annotated[
        bool, Parameter(negative="", help="Wait for further trials when all is answered.")
    ] = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> int:
    """Take part in the trials that a hub offers: fetch shards, answer them here in isolation.

    It only asks the hub and needs no open port. The key has the scope `sandbox`.

    Example: bayanihan trial work --hub https://hub.example --stay
    """
    isolator, _ = choose(isolation)
    refused: dict[str, str] = {}
    with HubClient(hub, key) as client:
        line = Line(client)
        while True:
            mine = [e for e in offered(line) if e.state == "open" and e.id not in refused]
            for standing in mine:
                _work_on(line, standing, isolator, memory_mib << 20, refused)
            if not mine and not stay:
                break
            time.sleep(_LOOK_S if not mine else 1.0)
    for sentence in refused.values():
        say(one_line(sentence))
    if not refused:
        say("Nothing is left to answer.")
    return 1 if refused else 0


def _work_on(
    line: Line, standing: Standing, isolator: Isolator, memory_bytes: int, refused: dict[str, str]
) -> None:
    named = f"{standing.offer.tool} on {standing.offer.corpus}, led by {standing.leader}"
    try:
        check_offer(standing, isolator, memory_bytes)
        with shown() as progress:
            done = standing.answers

            def told(number: int) -> None:
                nonlocal done
                done += number
                progress(min(done, standing.of), standing.of)

            late = work_on(line, standing, isolator, told)
    except Refused as error:
        if error.code in ("not-signed-in", "not-permitted"):
            raise
        if error.code == "not-found":
            say(f"{named}: its leader took it back.")
            return
        # No trial for this laboratory: the others go on.
        refused[standing.id] = f"{named}: {error.message}"
        return
    if late:
        say(f"{named}: {late} answers came after their lease had run out; they are asked again.")
