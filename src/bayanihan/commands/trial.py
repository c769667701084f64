"""`bayanihan trial`: test an AI security tool in isolation, score it, sign for it. Needs no hub."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bayanihan.commands import trial_print
from bayanihan.commands.hub_client import JsonOption, as_json_text
from bayanihan.errors import Refused
from bayanihan.sandbox.gate import read_rule
from bayanihan.sandbox.isolate import Isolator, Limits, isolator_of, strongest
from bayanihan.sandbox.report import page
from bayanihan.sandbox.result import encode_result, read_result
from bayanihan.sandbox.shift import open_corpus
from bayanihan.sandbox.skeleton import write_skeleton
from bayanihan.sandbox.tool import load_tool
from bayanihan.sandbox.trial import Order, Trial, check_previous, workers_allowed

app = App(
    name="trial",
    help="Test an AI security tool in isolation, score it honestly, sign the result.",
    result_action="return_value",
)

IsolationOption = Annotated[
    str,
    Parameter(help="L2, L1 or L0; the strongest that this machine has when left out, never L0."),
]


@app.command
def init(folder: Path) -> None:
    """Make a tool that works at once, to begin from.

    Example: bayanihan trial init my-tool
    """
    write_skeleton(folder)
    print(f"{folder}: a tool that works. Try it:")
    print(f"  bayanihan trial run {folder} --corpus mail-en-th --out trial.json")


@app.command
def run(
    tool: Path,
    *,
    corpus: Annotated[str, Parameter(help="A corpus that ships, or a folder of one.")],
    out: Annotated[Path, Parameter(help="The result; report.html is written beside it.")],
    gate: Annotated[
        tuple[str, ...],
        Parameter(negative="", help="detection>=80% or false_alarm<=1%; repeat it."),
    ] = (),
    isolation: IsolationOption = "",
    seed: Annotated[int | None, Parameter(help="Of order and sample; drawn when left out.")] = None,
    workers: Annotated[int, Parameter(help="Processes that answer at once.")] = 1,
    previous: Annotated[Path | None, Parameter(help="An earlier result to compare with.")] = None,
    item_s: Annotated[float, Parameter(help="Seconds that an item may take.")] = 5.0,
    memory_mib: Annotated[int, Parameter(help="Memory that the tool may use.")] = 2048,
    fresh: Annotated[bool, Parameter(negative="", help="Throw an unfinished trial away.")] = False,
    json: JsonOption = False,
) -> int:
    """Test a tool on a corpus: all items, blind, beside four baselines, in isolation.

    Cancel it with Ctrl-C at any time; the same command goes on where it stopped.

    Example: bayanihan trial run examples/tools/regex --corpus mail-en-th --out trial.json
    """
    rules = [read_rule(each) for each in gate]
    if not 0.01 <= item_s <= 3600 or not 16 <= memory_mib <= 1 << 20:
        raise Refused("wrong-use", "--item-s takes 0.01 to 3600, --memory-mib 16 to 1048576")
    if not out.parent.is_dir() or out.is_dir():
        raise Refused("cannot-write", "The result cannot be written here", where=str(out))
    asked = open_corpus(corpus)
    isolator, passed_over = choose(isolation)
    order = Order(
        load_tool(tool),
        tool,
        asked,
        str(Path(corpus).resolve()) if Path(corpus).is_dir() else corpus,
        isolator,
        passed_over,
        Limits(item_s=item_s, memory_bytes=memory_mib << 20),
        rules,
        seed,
        workers_allowed(workers),
        check_previous(read_result(previous), asked) if previous else None,
    )
    with Trial(order, out.with_name(out.name + ".journal"), fresh=fresh) as trial:
        if trial.answered:
            say(f"Going on with a trial that was begun here: {trial.answered:,} answers are kept.")
        try:
            with shown() as progress:
                result = trial.run(progress)
        except KeyboardInterrupt:
            say("Cancelled. The same command goes on where it stopped.")
            raise
        report = out.with_name("report.html")
        out.write_bytes(encode_result(result))
        report.write_text(page(result), encoding="utf-8")
        trial.finish()
    if json:
        print(as_json_text(result))
    else:
        trial_print.show_result(result, out, report)
    return 0 if result.passed else 1


def say(sentence: str) -> None:
    """A sentence for the person, apart from what the command prints."""
    print(sentence, file=sys.stderr)


def choose(level: str) -> tuple[Isolator, list[str]]:
    """The isolation asked for, or the strongest there is; its level is said aloud."""
    if level:
        isolator, passed_over = isolator_of(level), list[str]()
    else:
        isolator, passed_over = strongest()
    for why in passed_over:
        say(f"Weaker isolation than usual: {why}.")
    if isolator.level == "L0":
        say("NO ISOLATION: the tool runs as you. For development; the result cannot be attested.")
    else:
        say(f"Isolation {isolator.level}: {isolator.described()['isolator']}.")
    return isolator, passed_over


@contextmanager
def shown() -> Iterator[trial_print.Told]:
    """A progress bar on standard error, where that is a terminal."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TimeRemainingColumn(),
        console=console,
        # A thread of its own would be there when tools are forked.
        auto_refresh=False,
        disable=not console.is_terminal,
        transient=True,
    )
    with bar:
        task = bar.add_task("Asking", total=1)

        def told(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, refresh=True)

        yield told
