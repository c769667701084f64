"""`python -m bench loop`: measure the loop of one hub and print what is met."""

from __future__ import annotations

import argparse
import sys

from bench.cluster import cluster
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
    four = verbs.add_parser("taxii", help="full reads, polls and growth over TAXII")
    four.add_argument("--stored", type=int, default=100_000, help="100000 (default) or 1000000")
    five = verbs.add_parser("sandbox", help="what isolation costs, and what a killed trial repeats")
    five.add_argument("--items", type=int, default=50_000, help="items in each round: 50000")
    five.add_argument("--resumed", type=int, default=100_000, help="items of the killed trial")
    five = verbs.add_parser("evidence", help="extraction, language, likeness, mail to draft")
    five.add_argument("--pictures", type=int, default=100_000, help="picture hashes: 100000")
    six = verbs.add_parser(
        "cluster", help="a ledger on PostgreSQL: COPY, reports, nodes, fail-over"
    )
    six.add_argument("--stored", type=int, default=20_000, help="objects in envelopes: 20000")
    chosen = parser.parse_args()
    if chosen.verb == "cluster":
        cluster(chosen.stored)
        return
    if chosen.verb == "evidence":
        evidence(chosen.pictures)
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
    if any(each.partition("=")[0] not in PEERS for each in chosen.peer):
        parser.error(f"--peer takes NAME=PYTHON with a name of {', '.join(PEERS)}")
    pythons = dict(each.split("=", 1) for each in chosen.peer)
    loop(chosen.stored, tuple(chosen.only or PARTS), pythons)


if __name__ == "__main__":
    main()
