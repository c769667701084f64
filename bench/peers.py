"""Peers, run live where an interpreter has them; else their figures are scaled by the floor.

Their services answer TAXII 2.1, so only ingest is run: what they take at once. They run
before ours, on an otherwise idle machine, which is to their advantage.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from bench.children import load
from bench.run import Run
from bench.server import ROOT, Server, environment, free_port

APPS = ROOT / "bench" / "peer_apps"
_MEDIA = "application/taxii+json;version=2.1"
_MEDALLION_PATH = "/api1/collections/91a7b528-80eb-42ed-a74d-c6fbd5a26116/objects/"
_BURST, _LIMIT_S = 4_000, 15.0


def _server(python: str, app: str, folder: Path, workers: tuple[str, ...]) -> Server:
    port = free_port()
    line = [python, "-m", "gunicorn", "--chdir", str(APPS), *workers]
    return Server(
        [*line, "--bind", f"127.0.0.1:{port}", f"{app}:app"],
        port,
        folder / "peer.log",
        {"PEER_FOLDER": str(folder), "PYTHONPATH": ""},
    )


def _ingest(server: Server, path: str, size: int, **how: Any) -> float:
    answer = load(
        do="ingest",
        url=server.url,
        path=path,
        media=_MEDIA,
        seed=f"peer {size}",
        size=size,
        count=_BURST,
        limit_s=_LIMIT_S,
        **how,
    )
    if not answer["accepted"] or answer["refused"]:
        raise ValueError(f"the peer took nothing: {answer['refused']}")
    return float(answer["accepted"] / answer["elapsed_s"])


def medallion(run: Run, python: str) -> None:
    """One worker with four threads, for each worker would hold data of its own; from empty."""
    for size, goal in ((100, "P2-peer"), (1_000, "P3-burst")):
        server = _server(
            python, "medallion_app", run.folder_for(f"medallion-{size}"), ("-w1", "--threads=4")
        )
        try:
            server.start()
            rate = _ingest(server, _MEDALLION_PATH, size, basic="bench:bench")
        finally:
            server.kill()
        run.board.live(goal, "medallion, first 4,000", rate)
        run.say(f"medallion, envelopes of {size}: {rate:,.0f} objects/s, in memory, unchecked")


def opentaxii(run: Run, python: str) -> None:
    """Two workers over SQLite, without observables, which it cannot take."""
    folder = run.folder_for("opentaxii")
    variables = {**environment(), "PEER_FOLDER": str(folder), "PYTHONPATH": ""}
    subprocess.run(
        [python, "-c", "import opentaxii_app"],
        cwd=APPS,
        env=variables,
        check=True,
        capture_output=True,
    )
    server = _server(python, "opentaxii_app", folder, ("-w2",))
    try:
        server.start()
        path = (folder / "address").read_text()
        rate = _ingest(server, path, 1_000, connections=4, versioned=True)
    finally:
        server.stop()
    run.board.live("P3-peer", "OpenTAXII + SQLite", rate)
    run.say(f"OpenTAXII over SQLite, envelopes of 1000: {rate:,.0f} objects/s")


PEERS = {"medallion": medallion, "opentaxii": opentaxii}


def measure(run: Run, pythons: dict[str, str]) -> None:
    """Run the peers that an interpreter was named for.

    Args:
        run: told their figures.
        pythons: a peer's name -> an interpreter that has it and gunicorn.
    """
    for name, python in pythons.items():
        PEERS[name](run, python)
    for name in PEERS.keys() - pythons.keys():
        run.say(f"{name}: no interpreter named for it; its survey figures, scaled by the floor")
