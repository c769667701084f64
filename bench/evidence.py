"""`python -m bench evidence`: how well and how fast evidence is read and found again.

Quality comes with n and a 95 % interval (Wilson). Public data lie beside the checkout; what is
absent is said and left out. The traits and word lists were written with the frozen lures in
view: figures on those show that the code works, figures on public data how well it does.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from pathlib import Path

from bench.evidence_alike import files, picture_index, reworded, text_index, texts
from bench.evidence_draft import mails_over_http, real_mails
from bench.evidence_pictures import pictures_again
from bench.evidence_text import FINDERS, extraction, languages
from bench.goals import Board, load_goals, table

GOALS = Path(__file__).with_name("goals_evidence.toml")
PEERS = (*FINDERS, "datasketch")
PARTS = ("texts", "likeness", "pictures", "indexes", "mails")
_MAILS = 200


def evidence(stored: int, parts: tuple[str, ...], pythons: Mapping[str, str]) -> None:
    """Measure some parts, and print what is met.

    Args:
        stored: cases in the text index, and ten times as many hashes of pictures.
        parts: of `PARTS`.
        pythons: for each peer that is run, an interpreter that has it.
    """
    board = Board(load_goals(GOALS), stored)
    if "texts" in parts:
        extraction(board, pythons)
        languages(board)
    if "likeness" in parts:
        texts(board)
        reworded(board)
        files()
    if "pictures" in parts:
        pictures_again(board)
    if "indexes" in parts:
        picture_index(board, 10 * stored)
        text_index(board, stored, pythons)
    gc.collect()
    if "mails" in parts:
        mails_over_http(board, _MAILS)
        real_mails(board)
    print()
    print(table(board.rows(board.findings)))
