"""Asking some items again: what a second authority does before it believes the first."""

from __future__ import annotations

import random
from dataclasses import dataclass

from bayanihan.errors import Refused
from bayanihan.sandbox.corpus import Corpus, training_lines
from bayanihan.sandbox.desk import blind_order, question_of
from bayanihan.sandbox.isolate import Isolator, Stage
from bayanihan.sandbox.result import Result
from bayanihan.sandbox.shift import asked
from bayanihan.sandbox.tool import Tool
from bayanihan.sandbox.trial import AGAIN_LEAST, AGAIN_SHARE
from bayanihan.sandbox.worker import Worker


@dataclass(frozen=True)
class Repeated:
    """The verdict bytes that were signed for and those of now, for the same items."""

    signed: bytes
    now: bytes


def rerun(result: Result, digest: str, tool: Tool, corpus: Corpus, isolator: Isolator) -> Repeated:
    """Ask 1 % of the items again, drawn from the attestation's digest.

    Args:
        result: what was signed.
        digest: of the attestation: nobody could choose the sample beforehand.
        tool: the one that the result names, by digest.
        corpus: the same.
        isolator: what keeps the tool in.

    Raises:
        Refused: another tool or corpus; `not-reproduced` when a verdict differs.
    """
    for what, named, held in (
        ("tool", result.tool.digest, tool.digest),
        ("corpus", result.corpus.root, corpus.root),
    ):
        if named != f"sha256:{held}":
            raise Refused("conflict", f"This is not the {what} that was tested", where=named)
    if tool.manifest.remote is not None:
        raise Refused(
            "not-reproduced", "A remote tool's version is not fixed: nothing can be reproduced"
        )
    items = len(corpus.items)
    number = min(items, max(AGAIN_LEAST, round(items * AGAIN_SHARE)))
    places = sorted(random.Random(digest).sample(range(items), number))  # noqa: S311
    order = blind_order(items, result.seed)
    letters = ""
    with (
        Stage(tool, training_lines(corpus.training)) as stage,
        Worker(isolator, stage, result.limits) as worker,
    ):
        for place in places:
            letters += asked(worker, question_of(corpus.items[order[place]], place))[0]
    signed = "".join(result.verdicts[order[place]] for place in places)
    if letters != signed:
        differing = sum(a != b for a, b in zip(letters, signed, strict=True))
        raise Refused(
            "not-reproduced",
            f"{differing} of {number} verdicts came out otherwise than was signed for",
        )
    return Repeated(signed.encode(), letters.encode())
