"""Which cases are variants: whatever order they came in, and never through what is crowded."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.core.fingerprint import Fingerprints, packed, resemblance, signature
from bayanihan.readers.alike.variants import (
    STRANGERS,
    TEXT_LEAST,
    TOO_MANY,
    VALUE_LIMIT,
    grouped,
)

WORDS = "bank account suspended verify within hours notice reward parcel customs fee urgent".split()


def never(value: str) -> bool:
    return value == "domain:shared.example"


def texts(seed: int, count: int) -> list[str]:
    """Signatures of messages that are more and less alike."""
    chosen = random.Random(seed)
    base = [chosen.choice(WORDS) for _ in range(40)]
    found = []
    for _ in range(count):
        words = list(base)
        for _ in range(chosen.randrange(12)):
            words[chosen.randrange(len(words))] = chosen.choice(WORDS)
        found.append(packed(signature(" ".join(words))))
    return found


def told(prints: list[Fingerprints]) -> tuple[set[frozenset[Fingerprints]], list[object]]:
    groups, crowded = grouped(prints, never)
    return {frozenset(prints[at] for at in group.cases) for group in groups}, list(crowded)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(seed: int, order: random.Random) -> None:
    chosen = random.Random(seed)
    signs = texts(seed, 12)
    cases = [
        Fingerprints(
            text=(sign,),
            infrastructure=(f"domain:{chosen.randrange(8)}.example", f"case:{at}"),
            files=(f"{chosen.randrange(9):064x}",) if chosen.random() < 0.3 else (),
            pdq=(f"{chosen.getrandbits(16):064x}",) if chosen.random() < 0.3 else (),
        )
        for at, sign in enumerate(signs)
    ]
    first = told(cases)
    order.shuffle(cases)
    assert told(cases) == first


def joined(cases: list[Fingerprints]) -> list[set[int]]:
    """The rule told again plainly: every pair is looked at."""
    holders = Counter(value for each in cases for value in each.infrastructure)
    parts = [{at} for at in range(len(cases))]
    for one, other in combinations(range(len(cases)), 2):
        hosts = set(cases[one].infrastructure) & set(cases[other].infrastructure)
        if any(holders[each] <= VALUE_LIMIT and not never(each) for each in hosts):
            whole = parts[one] | parts[other]
            for at in whole:
                parts[at] = whole
    return parts


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.sets(st.sampled_from(["a", "b", "c", "d", "shared"]), max_size=3).map(
            lambda names: Fingerprints(
                infrastructure=tuple(f"domain:{name}.example" for name in sorted(names))
            )
        ),
        max_size=14,
    )
)
def test_groups_are_what_looking_at_every_pair_finds(cases: list[Fingerprints]) -> None:
    groups, _ = grouped(cases, never)
    found = {frozenset(group.cases) for group in groups}
    assert found == {frozenset(part) for part in joined(cases) if len(part) > 1}


def test_what_is_crowded_joins_nothing_and_is_listed_with_its_count() -> None:
    def case(at: int, *more: str) -> Fingerprints:
        return Fingerprints(infrastructure=("domain:short.example", f"domain:{at}.example", *more))

    cases = [case(at) for at in range(VALUE_LIMIT)]
    groups, crowded = grouped(cases, never)
    assert [len(group.cases) for group in groups] == [VALUE_LIMIT]
    assert crowded == []
    # One case more, and nothing is joined through it: not even two that it alone would lead to.
    cases += [case(-1, "domain:pair.example"), case(-2, "domain:pair.example")]
    groups, crowded = grouped(cases, never)
    assert [group.cases for group in groups] == [(VALUE_LIMIT, VALUE_LIMIT + 1)]
    assert [(c.value, c.cases, c.why) for c in crowded] == [
        ("domain:short.example", VALUE_LIMIT + 2, TOO_MANY)
    ]
    shared = [Fingerprints(infrastructure=("domain:shared.example",)) for _ in range(2)]
    groups, crowded = grouped(shared, never)
    assert (groups, [(c.cases, c.why) for c in crowded]) == ([], [(2, STRANGERS)])


def test_a_picture_that_is_near_everything_joins_nothing() -> None:
    cases = [Fingerprints(pdq=(f"{1 << (at % 200):064x}",)) for at in range(VALUE_LIMIT + 1)]
    groups, crowded = grouped(cases, never)
    assert groups == []
    assert {c.why for c in crowded} == {TOO_MANY}
    near = [Fingerprints(pdq=("0" * 64,)), Fingerprints(pdq=("7" + "0" * 63,))]
    assert [group.kinds for group in grouped(near, never)[0]] == [(("pdq", 2),)]


def test_a_kit_that_words_each_message_anew_is_one_campaign() -> None:
    """More different texts than a value may have cases: each step is measured instead."""
    chosen = random.Random(5)
    base = [f"{chosen.choice(WORDS)}{at}" for at in range(60)]
    signs = set()
    for _ in range(VALUE_LIMIT + 50):
        words = list(base)
        for _ in range(3):
            words[chosen.randrange(len(words))] = f"{chosen.choice(WORDS)}{chosen.random()}"
        signs.add(packed(signature(" ".join(words))))
    assert len(signs) > VALUE_LIMIT
    groups, crowded = grouped([Fingerprints(text=(sign,)) for sign in sorted(signs)], never)
    assert crowded == []
    assert max(len(group.cases) for group in groups) > 0.95 * len(signs)


def test_texts_that_are_only_a_little_alike_are_not_joined() -> None:
    one = packed(signature("your parcel waits at customs, pay the fee at once or it goes back"))
    other = packed(signature("your bank account was suspended, verify it within the next hours"))
    assert grouped([Fingerprints(text=(one,)), Fingerprints(text=(other,))], never)[0] == []
    assert resemblance(b"\0" * 256, [b"\0" * 256]) == [1.0]
    assert TEXT_LEAST > 0.5
