"""`bayanihan trial`: test an AI security tool in isolation, score it, sign for it. Needs no hub."""

from __future__ import annotations

import datetime as dt
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bayanihan.commands import trial_print
from bayanihan.commands.hub_client import (
    DEFAULT_HUB,
    HubClient,
    HubOption,
    JsonOption,
    KeyOption,
    as_json_text,
)
from bayanihan.commands.whole_file import write_whole
from bayanihan.errors import Refused
from bayanihan.sandbox.attest import (
    check_result,
    new_key,
    read_envelope,
    read_key,
    read_statement,
    sign,
    statement_of,
)
from bayanihan.sandbox.corpus import Corpus, read_folder, write_folder
from bayanihan.sandbox.gate import read_rule
from bayanihan.sandbox.isolate import Bubblewrap, Isolator, Limits, isolator_of, strongest
from bayanihan.sandbox.isolate.remote import TOLD, Remote
from bayanihan.sandbox.journal import begun_with, full_disk_told
from bayanihan.sandbox.remote.proxy import host_of
from bayanihan.sandbox.remote.retired import check_disclosable, retire
from bayanihan.sandbox.report import page
from bayanihan.sandbox.rerun import rerun as ask_again
from bayanihan.sandbox.result import Result, encode_result, read_result
from bayanihan.sandbox.seal import check_revealed, commitment_of, read_commitment
from bayanihan.sandbox.seal import seal as make_sealed
from bayanihan.sandbox.selfcheck import selfcheck as run_selfcheck
from bayanihan.sandbox.shift import open_corpus
from bayanihan.sandbox.skeleton import write_skeleton
from bayanihan.sandbox.tool import load_tool
from bayanihan.sandbox.trial import Order, Trial, check_previous, workers_allowed
from bayanihan.sandbox.trust import read_trust
from bayanihan.sandbox.trust import verify as verify_envelope
from bayanihan.sandbox.writing import shipped_names

app = App(
    name="trial",
    help="Test an AI security tool in isolation, score it honestly, sign the result.",
    result_action="return_value",
)

IsolationOption = Annotated[
    str,
    Parameter(help="L2, L1 or L0; the strongest that this machine has when left out, never L0."),
]

MemoryOption = Annotated[int, Parameter(help="Memory that the tool may use, in MiB.")]


@app.command
def init(folder: Path) -> None:
    """Make a tool that works at once, to begin from.

    Example: bayanihan trial init my-tool
    """
    write_skeleton(folder)
    print(f"{folder}: a tool that works. Try it:")
    print(f"  bayanihan trial run {folder} --corpus mail-en-th --out trial.json")


@dataclass(frozen=True)
class Wanted:
    """What every trial is told."""

    corpus: Annotated[str, Parameter(help="A corpus that ships, or a folder of one.")]
    out: Annotated[Path, Parameter(help="The result; report.html is written beside it.")]
    gate: Annotated[
        tuple[str, ...],
        Parameter(negative="", help="detection>=80% or false_alarm<=1%; repeat it."),
    ] = ()
    isolation: IsolationOption = ""
    seed: Annotated[int | None, Parameter(help="Of order and sample; drawn when left out.")] = None
    previous: Annotated[Path | None, Parameter(help="An earlier result to compare with.")] = None
    item_s: Annotated[float, Parameter(help="Seconds that an item may take.")] = 5.0
    memory_mib: MemoryOption = 2048
    fresh: Annotated[bool, Parameter(negative="", help="Throw an unfinished trial away.")] = False
    disclose: Annotated[
        str, Parameter(help="HOST:PORT of a remote tool: it is shown the items; they are retired.")
    ] = ""
    json: JsonOption = False

    @property
    def journal(self) -> Path:
        """Where answers are kept until the result is written."""
        return self.out.with_name(self.out.name + ".journal")

    def order(self, tool: Path, workers: int = 1) -> Order:
        """The order for a tool. Raises `Refused` for what cannot be asked for."""
        rules = [read_rule(each) for each in self.gate]
        if not 0.01 <= self.item_s <= 3600 or not 16 <= self.memory_mib <= 1 << 20:
            raise Refused("wrong-use", "--item-s takes 0.01 to 3600, --memory-mib 16 to 1048576")
        if not self.out.parent.is_dir() or self.out.is_dir():
            raise Refused("cannot-write", "The result cannot be written here", where=str(self.out))
        asked = open_corpus(self.corpus, "" if self.fresh else begun_with(self.journal))
        read = load_tool(tool)
        if read.manifest.remote is None:
            isolator, passed_over = choose(self.isolation)
        else:
            isolator, passed_over = self._remote(read.manifest.remote.url, asked), []
            workers = 1
        return Order(
            read,
            tool,
            asked,
            str(Path(self.corpus).resolve()) if Path(self.corpus).is_dir() else self.corpus,
            isolator,
            passed_over,
            Limits(item_s=self.item_s, memory_bytes=self.memory_mib << 20),
            rules,
            self.seed,
            workers,
            check_previous(read_result(self.previous), asked) if self.previous else None,
        )

    def _remote(self, url: str, asked: Corpus) -> Isolator:
        """What keeps a remote tool's client in, once its items may be disclosed."""
        if self.isolation not in ("", "R"):
            raise Refused("wrong-use", "A remote tool has the level R, and no other")
        host = host_of(url)
        check_disclosable(asked, host, self.disclose)
        client = Bubblewrap()
        if why := client.missing():
            raise Refused("no-isolation", f"A remote tool's client needs L2: {why}")
        say(f"Isolation R: {TOLD}. The client runs at L2, with one line out, to {host}.")
        return Remote(client, url, self.out.with_name(self.out.name + ".exchanges.jsonl"))

    def trial(self, order: Order) -> Trial:
        """The trial, begun or gone on with; what it will disclose is written down first."""
        trial = Trial(order, self.journal, fresh=self.fresh)
        remote, folder = order.tool.manifest.remote, Path(self.corpus)
        if remote is not None and folder.is_dir():
            try:
                retire(folder, order.corpus, host_of(remote.url), order.tool.name,
                       dt.datetime.now(dt.UTC))  # fmt: skip
            except BaseException:
                trial.journal.close()
                raise
        return trial

    def finish(self, trial: Trial, result: Result) -> int:
        """Write result and page, print them; the exit code."""
        report = self.out.with_name("report.html")
        write_whole(self.out, encode_result(result))
        write_whole(report, page(result).encode())
        trial.finish()
        if self.json:
            print(as_json_text(result))
        else:
            trial_print.show_result(result, self.out, report)
        return 0 if result.passed else 1


WantedOptions = Annotated[Wanted, Parameter(name="*")]


@app.command
def run(
    tool: Path,
    *,
    wanted: WantedOptions,
    workers: Annotated[int, Parameter(help="Processes that answer at once.")] = 1,
) -> int:
    """Test a tool on a corpus: all items, blind, beside four baselines, in isolation.

    Cancel it with Ctrl-C at any time; the same command goes on where it stopped.

    Example: bayanihan trial run examples/tools/regex --corpus mail-en-th --out trial.json
    """
    order = wanted.order(tool, workers_allowed(workers))
    with full_disk_told(wanted.journal), wanted.trial(order) as trial:
        if trial.answered:
            say(f"Going on with a trial that was begun here: {trial.answered:,} answers are kept.")
        try:
            with shown() as progress:
                result = trial.run(progress)
        except KeyboardInterrupt:
            say("Cancelled. The same command goes on where it stopped.")
            raise
        return wanted.finish(trial, result)


@app.command
def selfcheck(*, isolation: IsolationOption = "", json: JsonOption = False) -> int:
    """Trip every limit of the isolation with a tool that wants out; 0 only if none gives.

    Example: bayanihan trial selfcheck
    """
    isolator, _ = choose(isolation)
    checks = run_selfcheck(isolator)
    if json:
        print(as_json_text({"level": isolator.level, "checks": checks}))
    else:
        trial_print.show_checks(isolator.level, checks)
    return 0 if all(check.stopped for check in checks) else 1


@app.command(name="signing-key")
def signing_key(
    *, out: Annotated[Path, Parameter(help="The key; OUT.pub is its public half.")]
) -> None:
    """Make the key that an authority signs attestations with.

    Example: bayanihan trial signing-key --out sg.key
    """
    public = new_key(out)
    print(f"{out}: the signing key. Keep it where only the authority can read it.")
    print(f"{public}: its public half. Give it to whoever shall trust it.")


@app.command
def attest(
    result: Path,
    *,
    sign_with: Annotated[Path, Parameter(help="The authority's signing key.")],
    out: Annotated[Path, Parameter(help="The attestation.")],
    days: Annotated[int, Parameter(help="How long it holds.")] = 365,
    corpus: Annotated[str, Parameter(help="The folder of a corpus that does not ship.")] = "",
    enter: Annotated[
        bool, Parameter(negative="", help="Enter it into the record of --hub as well.")
    ] = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Sign for a result: an in-toto statement in a DSSE envelope, good without a hub.

    Example: bayanihan trial attest trial.json --sign-with sg.key --out trial.att
    """
    signer = read_key(sign_with)
    found = read_result(result)
    root = found.corpus.root.removeprefix("sha256:")
    check_result(found, open_corpus(corpus or found.corpus.name, root))
    payload = statement_of(found, dt.datetime.now(dt.UTC), days)
    data = sign(payload, signer)
    write_whole(out, data)
    trial_print.show_attested(read_statement(payload), out)
    if enter:
        with HubClient(hub, key) as client:
            told = client.json("POST", "/api/attestations", content=data)
        print(f"entered: {told['id']} {told['result']}, {told['digest']}")


@app.command
def countersign(
    file: Path,
    *,
    sign_with: Annotated[Path, Parameter(help="Your authority's signing key.")],
    trust: Annotated[Path, Parameter(help="Whom you trust already: trust.toml or one .pub.")],
    out: Annotated[Path, Parameter(help="The attestation with one signature more.")],
) -> None:
    """Add your signature to an attestation that you have verified.

    Example: bayanihan trial countersign a.att --sign-with my.key --trust sg.key.pub --out b.att
    """
    envelope = read_envelope(file)
    verify_envelope(envelope, read_trust(trust), dt.datetime.now(dt.UTC))
    write_whole(out, sign(envelope.payload_bytes, read_key(sign_with), envelope))
    print(f"{out}: {len(envelope.signatures) + 1} signatures")


@app.command
def verify(
    file: Path,
    *,
    trust: Annotated[Path, Parameter(help="Whose word counts: trust.toml or one .pub.")],
    rerun: Annotated[Path | None, Parameter(help="The tool: ask 1 % of the items again.")] = None,
    corpus: Annotated[str, Parameter(help="The folder of a corpus that does not ship.")] = "",
    isolation: IsolationOption = "",
    json: JsonOption = False,
) -> None:
    """Check an attestation without a network: signatures, trust, expiry, reservations.

    Example: bayanihan trial verify trial.att --trust sg.key.pub
    """
    envelope = read_envelope(file)
    verified = verify_envelope(envelope, read_trust(trust), dt.datetime.now(dt.UTC))
    repeated = None
    if rerun is not None:
        trial = verified.statement.predicate.trial
        isolator, _ = choose(isolation)
        root = trial.corpus.root.removeprefix("sha256:")
        asked = open_corpus(corpus or trial.corpus.name, root)
        repeated = ask_again(trial, verified.digest, load_tool(rerun), asked, isolator)
    if json:
        print(as_json_text(trial_print.verified_json(verified, repeated)))
    else:
        trial_print.show_verified(verified, repeated)


@app.command
def corpora(*, json: JsonOption = False) -> None:
    """The corpora that ship, with their Merkle roots and what they cannot show.

    Example: bayanihan trial corpora
    """
    found = [open_corpus(name) for name in shipped_names()]
    if json:
        print(as_json_text([trial_print.corpus_json(each) for each in found]))
        return
    for each in found:
        trial_print.show_corpus(each)


@app.command
def seal(
    corpus: str,
    *,
    out: Annotated[Path, Parameter(help="A new folder; keep it from vendors.")],
    commitment: Annotated[Path, Parameter(help="What is published before the trial.")],
) -> None:
    """Make a held-out split: changed in secret, salted, with canaries, and committed to.

    Example: bayanihan trial seal mail-en-th --out held-out --commitment held-out.json
    """
    sealed = make_sealed(open_corpus(corpus), secrets.randbelow, secrets.token_bytes)
    write_folder(sealed, out)
    out.chmod(0o700)
    write_whole(commitment, msgspec.json.format(msgspec.json.encode(commitment_of(sealed))) + b"\n")
    print(f"{out}: {len(sealed.items)} items. Keep them from vendors until you reveal them.")
    print(f"{commitment}: the commitment. Publish it before the trial.")


@app.command
def reveal(
    folder: Path, *, commitment: Annotated[Path, Parameter(help="What was published.")]
) -> None:
    """Check that a revealed split is the one that was committed to.

    Example: bayanihan trial reveal held-out --commitment held-out.json
    """
    try:
        data = commitment.read_bytes()
    except OSError as error:
        raise Refused("cannot-read", error.strerror or str(error), where=str(commitment)) from None
    said = read_commitment(data, str(commitment))
    check_revealed(read_folder(folder), said)
    print(f"{folder}: this is what was committed to, {said.root}")


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


app.command("bayanihan.commands.trial_lab:serve", name="serve")
app.command("bayanihan.commands.trial_lab:work", name="work")


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
