"""`python -m bench loop`: measure the loop of one hub and print what is met."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection

from bench.cluster import cluster, flood
from bench.evidence import PARTS as OF_EVIDENCE
from bench.evidence import PEERS as FINDERS
from bench.evidence import evidence
from bench.feeds import feeds
from bench.growth import RUNGS
from bench.law import law
from bench.loop import PARTS, loop
from bench.peers import PEERS
from bench.sandbox import sandbox
from bench.taxii import taxii


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("loop", help="report, store, read, push, crash, start again")
    one.add_argument(
        "--stored",
        type=int,
        default=100_000,
        help="objects in the large hub: 100000 (default), 1000000 or 10000000",
    )
    one.add_argument("--only", choices=PARTS, action="append", help="measure this part; repeat it")
    one.add_argument(
        "--peer",
        metavar="NAME=PYTHON",
        action="append",
        default=[],
        help="run a peer live with an interpreter that has it: medallion=..., opentaxii=...",
    )
    two = verbs.add_parser("feeds", help="make every feed, and what a small change costs")
    two.add_argument("--active", type=int, default=100_000, help="active indicators: 100000")
    three = verbs.add_parser("law", help="load, classify, and derive anew after a change of law")
    three.add_argument("--systems", type=int, default=100_000, help="AI systems: 100000")
    four = verbs.add_parser("taxii", help="full reads, polls, crowds, growth, a bad line")
    told = "100000 (default) or 1000000; below 10000 all of it is small"
    four.add_argument("--stored", type=int, default=100_000, help=told)
    five = verbs.add_parser("sandbox", help="what isolation costs, and what a killed trial repeats")
    five.add_argument("--items", type=int, default=50_000, help="items in each round: 50000")
    five.add_argument("--resumed", type=int, default=100_000, help="items of the killed trial")
    seven = verbs.add_parser("evidence", help="extraction, language, likeness, mail to draft")
    seven.add_argument(
        "--stored",
        type=int,
        default=100_000,
        help="cases in the text index, a tenth of the hashes of pictures: 100000",
    )
    seven.add_argument("--only", choices=OF_EVIDENCE, action="append", help="this part; repeat it")
    seven.add_argument(
        "--peer",
        metavar="NAME=PYTHON",
        action="append",
        default=[],
        help=f"run a peer with an interpreter that has it: {', '.join(FINDERS)}",
    )
    _add_cluster(verbs.add_parser("cluster", help="PostgreSQL: COPY, reports, nodes, fail-over"))
    chosen = parser.parse_args()
    if chosen.verb == "cluster":
        flood(chosen.reports, chosen.within) if chosen.reports else cluster(chosen.stored)
        return
    if chosen.verb == "evidence":
        pythons = _pythons(parser, chosen.peer, FINDERS)
        evidence(chosen.stored, tuple(chosen.only or OF_EVIDENCE), pythons)
        return
    if chosen.verb == "sandbox":
        sys.exit(sandbox(chosen.items, chosen.resumed))
    if chosen.verb == "law":
        sys.exit(law(chosen.systems))
    if chosen.verb == "taxii":
        taxii(chosen.stored)
        return
    if chosen.verb == "feeds":
        feeds(chosen.active)
        return
    if chosen.stored < RUNGS[0]:
        parser.error(f"--stored must be {RUNGS[0]} or more")
    loop(chosen.stored, tuple(chosen.only or PARTS), _pythons(parser, chosen.peer, PEERS))


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stored", type=int, default=20_000, help="objects in envelopes: 20000")
    parser.add_argument(
        "--reports", type=int, default=0, help="so many as fast as it goes, and 10^8 on paper"
    )
    told = "with --reports: begin no sixth of them that would end after so many minutes"
    parser.add_argument("--within", type=float, default=float("inf"), help=told)


def _pythons(
    parser: argparse.ArgumentParser, given: list[str], names: Collection[str]
) -> dict[str, str]:
    """The interpreters of the peers that were named."""
    parted = [each.partition("=") for each in given]
    if any(name not in names or not python for name, _, python in parted):
        parser.error(f"--peer takes NAME=PYTHON with a name of {', '.join(names)}")
    return {name: python for name, _, python in parted}


if __name__ == "__main__":
    main()
