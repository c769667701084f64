"""Each legal fact is stated twice, and a changed word on either side is found."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bayanihan.errors import Broken, Refused
from bayanihan.rulebook.claims import Claim, claims, day_in_words
from bayanihan.rulebook.law import Rulebook, digest_of_quote
from bayanihan.rulebook.load import load, read_seals

LAW = "eu-ai-act.yaml"
SHARED = Path(__file__).resolve().parents[2] / "../shared/data/governance/eu-ai-act"


def test_every_claim_holds(book: Rulebook) -> None:
    made = claims(book)
    assert len(made) >= 300
    assert [one for one in made if not one.holds] == []


def test_every_european_finding_and_duty_is_quoted_or_sourced(book: Rulebook) -> None:
    bare = [
        p.id
        for group in book.provisions.values()
        for p in group
        if p.text == "eu-ai-act" and p.kind in ("finding", "duty") and not p.slices
    ]
    assert sorted(set(bare)) == ["eu/annex-i/section-a", "eu/annex-i/section-b"]


def test_every_fixed_european_date_names_its_quotation(book: Rulebook) -> None:
    rows = [row for p in book.texts["eu-ai-act"].provisions for row in p.rows]
    assert rows
    assert [row.place for row in rows if not row.slice and (row.start or row.end)] == []


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("2 December 2027 as regards", "2 December 2026 as regards"),
        ("greater than 10^25", "at least 10^25"),
        ("35 000 000 EUR", "30 000 000 EUR"),
        ("within the shorter of 15 working days", "within the shorter of 15 calendar days"),
        ("shall always be considered", "shall never be considered"),
    ],
)
def test_one_flipped_word_is_refused_with_file_line_and_slice(
    files: dict[str, str], word: str, other: str
) -> None:
    assert word in files[LAW]
    changed = {**files, LAW: files[LAW].replace(word, other, 1)}
    with pytest.raises(Refused) as caught:
        load(changed)
    assert caught.value.code == "conflict"
    assert re.fullmatch(rf"{re.escape(LAW)}:\d+", caught.value.where)
    assert "does not match its digest" in caught.value.message


def _with_new_digest(text: str, before: str, after: str) -> str:
    """Change a quotation and its digest, as a careless editor would."""
    quote = next(m for m in re.findall(r'quote: "(.*)"', text) if before in m)
    changed = quote.replace(before, after)
    text = text.replace(f'"{quote}"', f'"{changed}"', 1)
    return text.replace(digest_of_quote(quote), digest_of_quote(changed), 1)


@pytest.mark.parametrize(
    ("before", "after", "claim"),
    [
        ("2 December 2027 as", "2 December 2028 as", "eu/art6/2 at 2027-12-02"),
        ("2 August 2028 as", "2 August 2027 as", "eu/art6/1 at 2028-08-02"),
        ("greater than 10^25", "at least 10^25", "eu/art51/2 > 1e25"),
        ("EUR 15 000 000", "EUR 10 000 000", "fines/art101 15 000 000"),
        ("up to 7 %", "up to 6 %", "fines/art5 share"),
        ("not later than two days", "not later than three days", "clock eu/art73/critical first"),
        ("within six months", "within five months", "procedure eu/art79/object union-decision"),
    ],
)
def test_a_flipped_word_with_a_new_digest_breaks_its_claim(
    files: dict[str, str], before: str, after: str, claim: str
) -> None:
    changed = load({**files, LAW: _with_new_digest(files[LAW], before, after)})
    assert claim in [one.id for one in claims(changed) if not one.holds]


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        (LAW, "from: 2027-12-02, known_from", "from: 2027-12-03, known_from"),
        (LAW, "amount_eur: 35000000", "amount_eur: 36000000"),
        (LAW, "training_flop > 1e25", "training_flop >= 1e25"),
        ("clocks.yaml", "first: {days: 10}", "first: {days: 11}"),
        ("procedures.yaml", "{working_days: 15}", "{working_days: 16}"),
    ],
)
def test_a_changed_value_breaks_its_claim(
    files: dict[str, str], file: str, before: str, after: str
) -> None:
    assert before in files[file]
    changed = load({**files, file: files[file].replace(before, after, 1)})
    assert [one for one in claims(changed) if not one.holds]


def test_a_file_edited_by_hand_differs_from_its_seal(files: dict[str, str]) -> None:
    seals = read_seals(files["seals.yaml"])
    changed = {**files, LAW: files[LAW].replace("weight: 5", "weight: 6", 1)}
    with pytest.raises(Broken) as caught:
        load(changed, seals)
    assert caught.value.code == "record-damaged"
    assert caught.value.where == LAW
    with pytest.raises(Broken):
        load({**files, "extra.yaml": "part: practices\npractices: []\n"}, seals)


def test_days_are_written_as_the_journal_does() -> None:
    assert day_in_words("2026-08-02") == "2 August 2026"


def _full_text() -> dict[str, str]:
    path = SHARED / "ai_act_full_content.json.gz"
    if not path.exists():
        pytest.skip("needs the full text of 2024 beside the checkout")
    document = json.loads(gzip.decompress(path.read_bytes()))
    found: dict[str, str] = {}
    for chapter in document["chapters"]:
        parts = [*chapter.get("articles", [])]
        for section in chapter.get("sections") or []:
            parts += section.get("articles", [])
        for part in parts:
            found[part["article"].split(":")[0]] = part["text"]
    for part in document["annexes"]:
        found[part["annex"].split(":")[0]] = part["text"]
    return found


def _plain(text: str) -> str:
    text = re.sub(r"\nRelated:(\n(Recital \d+|and|,))+", "", text)
    return re.sub(r"\s+", "", text.translate(str.maketrans("‘’“”", "''\"\"")))


def _quoted(book: Rulebook, source: str) -> Iterator[tuple[str, str, str]]:
    for piece in book.slices.values():
        if piece.source == source:
            name = re.match(r"(Art\. \d+[a-d]?|Annex [IVX]+)", piece.article)
            assert name, piece.article
            yield piece.id, name.group().replace("Art.", "Article"), piece.quote


def test_every_quotation_of_2024_stands_in_the_full_text(book: Rulebook) -> None:
    full = {name: _plain(text) for name, text in _full_text().items()}
    quoted = list(_quoted(book, "eu-2024"))
    assert len(quoted) > 60
    assert [i for i, article, quote in quoted if _plain(quote) not in full[article]] == []


def test_a_claim_is_a_value() -> None:
    one = Claim("a", "s", ("w",), holds=True)
    assert one == Claim("a", "s", ("w",), holds=True)
