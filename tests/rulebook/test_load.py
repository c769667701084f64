"""What is wrong in a text is refused with file, line and provision."""

from __future__ import annotations

import pytest

from bayanihan.errors import Refused
from bayanihan.rulebook.law import digest_of_quote
from bayanihan.rulebook.load import load, read_seals, write_seals

FACTS = """facts:
  roles: {type: set, ask: Which roles?, values: {provider: makes it, deployer: uses it}}
  chatbot: {type: bool, ask: Is it a chatbot?}
  flop: {type: number, ask: How much compute?}
  placed: {type: date, ask: When was it placed?}
  changes: {type: dates, ask: When was it changed?}
contradictions:
  - {says: a provider has no chatbot here, when: {chatbot: false, roles: provider}}
"""

HEAD = """text: t
prefix: t
title: T
jurisdiction: EU
bindingness: law
sources:
  s: {title: S, quality: official}
provisions:
"""

BACKWARDS = "source: s, applies: [{from: 2026-02-01, until: 2026-01-01}]"

RULE = "  - {id: t/a, article: Art. 1, kind: finding, title: A, when: chatbot, source: s}\n"


def refusal(body: str, head: str = HEAD, facts: str = FACTS) -> Refused:
    with pytest.raises(Refused) as caught:
        load({"facts.yaml": facts, "t.yaml": head + body})
    return caught.value


def test_a_small_text_loads() -> None:
    book = load({"facts.yaml": FACTS, "t.yaml": HEAD + RULE})
    assert list(book.provisions) == ["t/a"]
    assert book.digest.startswith("sha256:")
    assert book.digest != load({"facts.yaml": FACTS + "\n", "t.yaml": HEAD + RULE}).digest


def test_line_endings_do_not_change_the_digest() -> None:
    unix = load({"facts.yaml": FACTS, "t.yaml": HEAD + RULE})
    windows = load({"facts.yaml": FACTS, "t.yaml": (HEAD + RULE).replace("\n", "\r\n")})
    assert unix.digest == windows.digest


def leaf(expression: str) -> str:
    return RULE.replace("when: chatbot", f"when: '{expression}'")


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("[1, 2].map(x, [1, 2].map(y, x * y)).size() > 0", "loops"),
        ("chatbot && chatbot", "&&"),
        ("!chatbot", "one comparison"),
        ("size(roles) > 0", "calls"),
        ("flop + 1 > 2", "arithmetic"),
        ("chatbott", "No fact is called"),
        ('"proviider" in roles', "no value"),
        ("flop > ", "not CEL"),
        ("flop", "not a yes-or-no"),
        ("flop > 1 > 0", "more than one comparison"),
        ('placed < "2026-02-30"', "not a day"),
        ("true", "at least one fact"),
        ('roles == ["provider", "provider", ' + '"provider", ' * 18 + '"provider"]', "over 200"),
    ],
)
def test_a_leaf_is_one_bounded_comparison(expression: str, says: str) -> None:
    error = refusal(leaf(expression))
    assert says in error.message
    assert error.message.startswith("t/a: ")
    assert error.where == "t.yaml:9"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (RULE + RULE, "valid twice at once"),
        (RULE.replace("source: s", "source: nowhere"), "no known source"),
        (RULE.replace(", source: s", ""), "neither a source nor a slice"),
        (RULE.replace("source: s", "slice: q"), "no known slice"),
        (RULE.replace("t/a", "u/a"), "begins with t/"),
        (RULE.replace("finding", "duti"), "one of"),
        (RULE.replace("title: A", "titel: A"), "title"),
        (RULE.replace("when: chatbot", "when: {finding: t/z}"), "which is nowhere"),
        (RULE.replace("when: chatbot", "when: {oder: [chatbot]}"), "none of all, any"),
        (RULE.replace("when: chatbot", "when: {all: []}"), "list of 1"),
        (RULE.replace("when: chatbot", "when: [chatbot]"), "A condition is"),
        (RULE.replace("when: chatbot", "when: {finding: t/a}"), "in a circle: t/a -> t/a"),
        (RULE.replace("when: chatbot", "when: {event: placed, since: 2026-01-01}"), "type dates"),
        (RULE.replace("source: s", "source: s, applies: later"), "No schedule"),
        (RULE.replace("source: s", "source: s, applies: []"), "list of rows"),
        (RULE.replace("source: s", "source: s, applies: [{from: 2026-13-01}]"), "not a day"),
        (RULE.replace("source: s", "source: s, applies: [{form: 2026-01-01}]"), "no key `form`"),
        (
            RULE.replace(
                "source: s", "source: s, applies: [{from: 2026-02-01, until: 2026-01-01}]"
            ),
            "ends before",
        ),
        (
            RULE.replace(
                "source: s",
                "source: s, applies: [{from: 2026-01-01, until: 2027-01-01}, {from: 2026-06-01}]",
            ),
            "t/a: overlapping validity",
        ),
        (RULE.replace("source: s", "source: s, excepts: [t/a]"), "priority must be higher"),
        (RULE.replace("source: s", "source: s, fine: big"), "names no fine"),
        ("  - just text\n", "is a mapping"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(body: str, says: str) -> None:
    error = refusal(body)
    assert says in error.message
    assert error.where.startswith("t.yaml:")


def test_rows_that_touch_do_not_overlap() -> None:
    rows = "applies: [{from: 2026-01-01, until: 2027-01-01}, {from: 2027-01-01}]"
    book = load(
        {"facts.yaml": FACTS, "t.yaml": HEAD + RULE.replace("source: s", f"source: s, {rows}")}
    )
    assert len(book.provisions["t/a"][0].rows) == 2


def test_versions_differ_in_law_date_or_knowledge_date() -> None:
    first = RULE.replace("source: s", "source: s, known_until: 2026-07-27")
    second = RULE.replace("source: s", "source: s, known_from: 2026-07-27")
    book = load({"facts.yaml": FACTS, "t.yaml": HEAD + first + second})
    assert len(book.provisions["t/a"]) == 2


def test_an_exception_cycle_is_named() -> None:
    body = (
        "  - {id: t/a, article: Art. 1, kind: finding, title: A, when: chatbot, source: s}\n"
        "  - {id: t/b, article: Art. 2, kind: exception, title: B, when: {finding: t/c},\n"
        "     excepts: [t/a], priority: 1, source: s}\n"
        "  - {id: t/c, article: Art. 3, kind: finding, title: C, when: {finding: t/a}, source: s}\n"
    )
    error = refusal(body)
    assert error.code == "conflict"
    assert "t/a -> t/b -> t/c -> t/a" in error.message
    assert error.where == "t.yaml:9"


def test_a_quotation_that_was_changed_is_refused() -> None:
    digest = digest_of_quote("The provider shall report.")
    quoted = f"{{source: s, article: Art. 1, quote: The provider may report., digest: {digest}}}"
    head = HEAD.replace("provisions", f"slices:\n  q: {quoted}\nprovisions")
    error = refusal(RULE.replace("source: s", "slice: q"), head)
    assert error.code == "conflict"
    assert error.where == "t.yaml:9"


def test_white_space_in_a_quotation_does_not_matter() -> None:
    assert digest_of_quote("a  b\n c") == digest_of_quote("a b c")
    assert digest_of_quote("a b") != digest_of_quote("a B")


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ("facts:\n  a: {type: boolean, ask: A?}\n", "needs a type"),
        ("facts:\n  a: {type: bool}\n", "a question"),
        ("facts:\n  a: {type: set, ask: A?}\n", "has values"),
        (
            "facts: {a: {type: bool, ask: A?}}\ncontradictions: [{says: x, when: {b: true}}]\n",
            "No fact",
        ),
    ],
)
def test_a_bad_vocabulary_is_refused(facts: str, says: str) -> None:
    assert says in refusal(RULE, facts=facts).message


@pytest.mark.parametrize(
    "content",
    ["part: clocks\nclocks: 5\n", "part: members\nmembers: [1]\n", "part: procedures\n",
     "part: practices\npractices: {a: 1}\n", "text: u\nprovisions: {a: 1}\n", "part: templates\n",
     "something: else\n", "- a\n", "", "part: clocks\nkinds: {}\nclocks: [{id: a}]\n"],
)  # fmt: skip
def test_a_file_of_another_shape_is_refused_and_never_crashes(content: str) -> None:
    with pytest.raises(Refused) as caught:
        load({"facts.yaml": FACTS, "odd.yaml": content})
    assert caught.value.where


def test_two_vocabularies_are_one_too_many() -> None:
    with pytest.raises(Refused):
        load({"facts.yaml": FACTS, "more.yaml": FACTS})
    with pytest.raises(Refused):
        load({"t.yaml": HEAD + RULE})


def test_seals_round_trip() -> None:
    files = {"facts.yaml": FACTS, "t.yaml": HEAD + RULE}
    seals = read_seals(write_seals(files))
    assert load(files, seals).digest == load(files).digest


def test_the_shipped_files_load_without_their_seals(files: dict[str, str]) -> None:
    assert load(files).digest == load(files, read_seals(files["seals.yaml"])).digest
