"""What ships as a corpus, and what an authority may bring of its own."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.errors import Refused
from bayanihan.sandbox.corpus import (
    Corpus,
    merkle_root,
    read_folder,
    training_lines,
    write_folder,
)
from bayanihan.sandbox.desk import question_of
from bayanihan.sandbox.mutate import OPERATORS, text_variant
from bayanihan.sandbox.shift import open_corpus
from bayanihan.sandbox.writing import Draw, shipped, shipped_names

REGION = {"ms", "id", "km", "lo", "my", "fil", "en", "th", "vi", "tet", "zh"}


@pytest.fixture(params=shipped_names())
def corpus(request: pytest.FixtureRequest) -> Corpus:
    return shipped(request.param)


def test_mail_has_enough_of_both_in_both_languages() -> None:
    mail = shipped("mail-en-th")
    assert min(mail.counts().values()) >= 400
    cells = Counter((item.language, item.label) for item in mail.items)
    assert set(cells) == {(a, b) for a in ("en", "th") for b in ("attack", "legitimate")}
    assert len({item.campaign for item in mail.items}) >= 40
    assert len({item.age_days for item in mail.items}) >= 20


def test_messages_are_in_eleven_languages() -> None:
    cells = Counter((item.language, item.label) for item in shipped("messages-region").items)
    assert {language for language, _ in cells} == REGION
    assert min(cells.values()) >= 20


def test_a_corpus_is_whole(corpus: Corpus) -> None:
    assert corpus.card.limits
    assert corpus.card.base_rate_source
    assert set(corpus.counts()) == {"attack", "legitimate"}
    campaigns = {item.campaign for item in corpus.items}
    assert not campaigns & {item.campaign for item in corpus.training}
    assert len({item.id for item in (*corpus.items, *corpus.training)}) == len(corpus.items) + len(
        corpus.training
    )
    assert len({(item.subject, item.text) for item in corpus.items}) >= 0.99 * len(corpus.items)
    for item in corpus.items:
        assert "{" not in item.subject + item.sender, item.id
        assert item.medium == "script" or "{" not in item.text, item.id


def test_every_address_is_reserved(corpus: Corpus) -> None:
    for item in (*corpus.items, *corpus.training):
        for host in re.findall(r"https?://([^\s/'\"|]+)|@([\w.-]+\w)", item.text + item.sender):
            assert "".join(host).endswith(".example"), item.id


def test_the_same_version_is_the_same_corpus() -> None:
    names = shipped_names()
    first = [shipped(name).root for name in names]
    shipped.cache_clear()
    assert [shipped(name).root for name in names] == first


@given(st.integers(0, 815), st.sampled_from(["label", "campaign", "language", "age_days", "text"]))
def test_the_root_changes_with_any_item(at: int, field: str) -> None:
    items = list(shipped("mail-en-th").items)[at : at + 8] or list(shipped("mail-en-th").items)[:8]
    whole = merkle_root(items)
    other = {"label": "legitimate" if items[0].label == "attack" else "attack", "age_days": 9999}
    changed = msgspec.structs.replace(items[0], **{field: other.get(field, "xx")})
    assert merkle_root([changed, *items[1:]]) != whole
    assert merkle_root(items[1:]) != whole
    if len(items) > 1:
        assert merkle_root([items[1], items[0], *items[2:]]) != whole


def test_a_tool_sees_neither_label_nor_campaign(corpus: Corpus) -> None:
    item = corpus.items[0]
    seen = msgspec.to_builtins(question_of(item, 41))
    assert seen["id"] == "42"
    assert set(seen) <= {"id", "medium", "text", "sender", "subject"}
    assert item.id not in json.dumps(seen)


def test_training_items_carry_labels(corpus: Corpus) -> None:
    rows = [json.loads(line) for line in training_lines(corpus.training).splitlines()]
    assert {row["label"] for row in rows} == {"attack", "legitimate"}


def test_a_folder_is_the_same_corpus(tmp_path: Path) -> None:
    scripts = shipped("scripts")
    write_folder(scripts, tmp_path / "copy")
    again = read_folder(tmp_path / "copy")
    assert (again.root, again.training_root) == (scripts.root, scripts.training_root)
    assert open_corpus(str(tmp_path / "copy")).card == scripts.card
    with pytest.raises(Refused, match="there already"):
        write_folder(scripts, tmp_path / "copy")


def test_what_is_no_corpus_is_told_with_its_line(tmp_path: Path) -> None:
    scripts = shipped("scripts")
    write_folder(scripts, tmp_path / "copy")
    lines = (tmp_path / "copy" / "items.jsonl").read_bytes().splitlines()

    def written(*rows: bytes) -> None:
        (tmp_path / "copy" / "items.jsonl").write_bytes(b"\n".join(rows))

    written(*lines[:3], b'{"id":"x"}')
    with pytest.raises(Refused) as refused:
        read_folder(tmp_path / "copy")
    assert refused.value.where.endswith("items.jsonl:4")
    written(lines[0], lines[0])
    with pytest.raises(Refused, match="twice"):
        read_folder(tmp_path / "copy")
    written(lines[0])
    with pytest.raises(Refused, match="attacks and legitimate"):
        read_folder(tmp_path / "copy")
    written()
    with pytest.raises(Refused, match="1 to"):
        read_folder(tmp_path / "copy")
    with pytest.raises(Refused, match="No corpus is called"):
        open_corpus("nothing")
    with pytest.raises(Refused, match="no corpus"):
        open_corpus(str(tmp_path / "absent"))


@given(st.sampled_from(sorted(OPERATORS)), st.integers(0, 50), st.integers(0, 800))
def test_operators_are_seeded_and_leave_addresses(name: str, seed: int, at: int) -> None:
    item = shipped("mail-en-th").items[at]
    operator = OPERATORS[name]
    changed = operator(item.text, Draw(f"{seed}").number)
    assert changed == operator(item.text, Draw(f"{seed}").number)
    if name != "without-marks":
        for address in re.findall(r"https?://\S+", item.text):
            assert address in changed


def test_a_variant_differs_and_marks_can_be_dropped() -> None:
    assert text_variant("Dear customer, your account", Draw("1").number) != (
        "Dear customer, your account"
    )
    dropped = OPERATORS["without-marks"]("Tài khoản của bạn bị khóa, đăng nhập", Draw("1").number)
    assert dropped == "Tai khoan cua ban bi khoa, dang nhap"
    thai = "บัญชีของท่านถูกระงับ"
    assert OPERATORS["without-marks"](thai, Draw("1").number) == thai
