"""The example tools find something, isolated, with what this machine has."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bayanihan.sandbox.answer import Question
from bayanihan.sandbox.corpus import training_lines
from bayanihan.sandbox.isolate import Limits, Stage, strongest
from bayanihan.sandbox.tool import load_tool
from bayanihan.sandbox.worker import Worker
from bayanihan.sandbox.writing import shipped
from tests.sandbox.tools import isolator_or_skip

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "tools"
# What anti-spam programs agree to call spam, so that they can be tried.
_GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
_CARD = "Your card is suspended. Verify your card and password at https://card.example/1 today."
_LOADER = "IEX ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($x)))"

# Tool -> the program it needs, an attack that it must find, the corpus it is trained on.
NEEDS = {
    "spamassassin": ("spamassassin", _GTUBE, ""),
    "bogofilter": ("bogofilter", _CARD, "mail-en-th"),
    "sklearn": ("", _CARD, "mail-en-th"),
    "yara-x": ("", _LOADER, ""),
    "regex": ("", _CARD, ""),
    "tfidf": ("", _CARD, "mail-en-th"),
    "always-block": ("", _CARD, ""),
}


@pytest.mark.parametrize("name", NEEDS)
def test_an_example_finds_an_attack_and_lets_mail_pass(name: str) -> None:
    program, attack, corpus = NEEDS[name]
    if program and not shutil.which(program):
        assert not os.environ.get("CI"), f"{program} is missing"
        pytest.skip(f"{program} is not installed")
    isolator_or_skip("L1")
    # Every eighth training item is enough to find the plainest of lures.
    training = training_lines(shipped(corpus).training[::8]) if corpus else b""
    limits = Limits(item_s=60, start_s=120)
    with (
        Stage(load_tool(EXAMPLES / name), training) as stage,
        Worker(strongest()[0], stage, limits) as worker,
    ):
        found, _ = worker.ask(Question("1", "mail", attack, "x <x@a.example>", "Card suspended"))
        passed, _ = worker.ask(
            Question(
                "2", "mail", "The report of Monday has ten pages.", "y <y@b.example>", "Report"
            )
        )
    assert found.verdict == "malicious"
    assert passed.verdict == ("malicious" if name == "always-block" else "benign")


def test_every_example_is_tried_or_allows_everything() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {*NEEDS, "always-allow"}
