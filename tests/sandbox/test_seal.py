"""Held-out splits: committed to, revealed, and telling on tools that knew the labels."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import msgspec
import pytest

from bayanihan import cli
from bayanihan.errors import Refused
from bayanihan.sandbox.corpus import Corpus
from bayanihan.sandbox.score import honesty_of, scores_of
from bayanihan.sandbox.seal import CANARIES, check_revealed, commitment_of, seal
from bayanihan.sandbox.writing import shipped
from tests.sandbox.test_trial import trial


@pytest.fixture(scope="module")
def sealed() -> Corpus:
    return seal(shipped("messages-region"), secrets.randbelow, secrets.token_bytes)


def test_a_split_is_held_out_and_committed_to(sealed: Corpus) -> None:
    base = shipped("messages-region")
    assert sealed.card.sealed
    assert sealed.counts() == base.counts()
    assert len(sealed.items) == len(base.items) + CANARIES
    assert len({item.salt for item in sealed.items}) == len(sealed.items)
    changed = {item.text for item in sealed.items} - {item.text for item in base.items}
    assert len(changed) > 0.95 * len(sealed.items)
    commitment = commitment_of(sealed)
    check_revealed(sealed, commitment)
    again = seal(base, secrets.randbelow, secrets.token_bytes)
    assert commitment_of(again).root != commitment.root


def test_what_was_not_committed_to_is_refused(sealed: Corpus) -> None:
    commitment = commitment_of(sealed)
    first = sealed.items[0]
    for other in (
        msgspec.structs.replace(first, salt="0" * 32),
        msgspec.structs.replace(first, text=first.text + " "),
        msgspec.structs.replace(first, campaign="other"),
    ):
        changed = Corpus(sealed.card, (other, *sealed.items[1:]))
        with pytest.raises(Refused, match="root differ"):
            check_revealed(changed, commitment)
    with pytest.raises(Refused, match="items"):
        check_revealed(Corpus(sealed.card, sealed.items[1:]), commitment)


def test_only_who_knew_the_labels_agrees_with_canaries(sealed: Corpus) -> None:
    knows = "".join("m" if item.label == "attack" else "b" for item in sealed.items)
    honest = "".join(
        "m" if item.label == "attack" and not item.canary else "b" for item in sealed.items
    )
    told = honesty_of(sealed, knows, {})
    assert (told.canaries, told.canaries_agreed) == (CANARIES, CANARIES)
    assert "knew the labels" in told.told[0]
    assert honesty_of(sealed, honest, {}).told == []
    # Canaries count for no score.
    assert scores_of(sealed, knows, 1) == scores_of(sealed, honest, 1)


def test_from_command_to_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, published = tmp_path / "held-out", tmp_path / "held-out.json"
    trial("seal", "scripts", "--out", folder, "--commitment", published)
    assert folder.stat().st_mode & 0o077 == 0
    trial("reveal", folder, "--commitment", published)
    assert "this is what was committed to" in capfd.readouterr().out
    assert json.loads(published.read_text())["canaries"] == CANARIES
    lines = (folder / "items.jsonl").read_text().splitlines()
    (folder / "items.jsonl").write_text("\n".join(lines[1:]))
    trial("reveal", folder, "--commitment", published, code=1)
    trial("reveal", folder, "--commitment", tmp_path / "absent", code=1)
    trial("seal", "scripts", "--out", folder, "--commitment", published, code=1)


def test_corpora_are_listed(capfd: pytest.CaptureFixture[str]) -> None:
    trial("corpora")
    assert "mail-en-th 1" in capfd.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["trial", "corpora", "--json"])
    told = json.loads(capfd.readouterr().out)
    assert {each["name"] for each in told} == {"mail-en-th", "messages-region", "scripts"}
