"""Members' own rules with foreign pieces in them, and hostile values at length."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.core.observables import TYPES, Observable
from bayanihan.readers.feeds import FORMATS, Item
from bayanihan.readers.feeds.format import lines_of, written
from tests.readers.record import PLAIN_VALUES
from tests.readers.test_formats import HEADING, HOSTILE, PASSED_ON, check_value


@pytest.mark.long
@settings(max_examples=6_000, deadline=None)
@given(text=HOSTILE, type_=st.sampled_from(TYPES), canonical=st.booleans())
def test_no_value_adds_a_line_or_leaves_its_field_at_length(
    text: str, type_: str, canonical: bool
) -> None:
    check_value(text, type_, canonical=canonical)


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_SID = re.compile(r"(?<![a-z0-9_.-])sid:")
# Pieces that end, begin or part rules, put into a rule that is in order.
_BITS = st.sampled_from(
    (
        *(
            "\n---\n",
            "\n# end of rule\n",
            "\n// end of rule\n",
            "}",
            "{",
            "*/",
            "/*",
            "//",
            '"',
            "\n",
        ),
        *(
            "\nrule two { condition: true }",
            "; sid:1;)",
            ")\n",
            "\r",
            "# ",
            "include",
            "\u2028",
            "|",
        ),
        *("\n# end of rule", "// end of rule\n", " ", "\\", "'", "...", "\n...\n", "--- ", "\x1f"),
    )
)


@st.composite
def broken_rules(draw: st.DrawFn) -> Item:
    """A member's rule with pieces in places where they do not belong."""
    type_ = draw(st.sampled_from(sorted(PASSED_ON)))
    text = PLAIN_VALUES[type_]
    for bit in draw(st.lists(_BITS, min_size=1, max_size=4)):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + bit + text[at:]
    return Item(type_, text, ("indicator--1",))


def check_passed_on(item: Item) -> None:
    """A file with a broken rule and a plain one has two texts, and a number for each."""
    for format_ in FORMATS.values():
        if item.type not in format_.types or item.type not in PASSED_ON:
            continue
        if format_.refusal(Observable(item.type, item.value)) is not None:
            continue
        plain = Item(item.type, PLAIN_VALUES[item.type].replace("member", "other"), ("other",))
        texts = set(lines_of(format_, [item, plain], HEADING.hub))
        heading = msgspec.structs.replace(HEADING, feed=format_.name)
        file = written(format_, sorted([item, plain], key=lambda each: each.value), heading)[
            format_.name
        ]
        assert [each.decode() for chunk in file.chunks for each in chunk.lines()] == sorted(texts)
        if format_.rules is not None:
            bare = [_QUOTED.sub('""', text) for text in texts]
            assert [len(text.splitlines()) for text in texts] == [1] * len(texts)
            assert [len(_SID.findall(text)) for text in bare] == [1] * len(texts), bare


@settings(max_examples=150, deadline=None)
@given(broken_rules())
def test_no_member_s_rule_parts_or_joins_others(item: Item) -> None:
    check_passed_on(item)


@pytest.mark.long
@settings(max_examples=6_000, deadline=None)
@given(broken_rules())
def test_no_member_s_rule_parts_or_joins_others_at_length(item: Item) -> None:
    check_passed_on(item)
