"""The one rule on modes: what it may never do, whatever is told, said or asked."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.errors import Refused
from bayanihan.readers.feeds.decide import (
    FOREVER_US,
    HIGH,
    LOW,
    MODES,
    PROFILES,
    UNSTATED,
    Bounds,
    Case,
    Told,
    Words,
    checked_profile,
    decide,
)

DAY_US = 86_400_000_000
NOW_US = 1_000 * DAY_US
BOUNDS = Bounds(2, 2, {"domain": 30})
ORIGINS = st.sampled_from(["SG", "SG/bank", "SG/grid", "TH", "VN", "HUB"])
TOLD = st.builds(
    Told,
    ORIGINS,
    st.booleans(),
    st.sampled_from([UNSTATED, 0, LOW - 1, LOW, HIGH, 100]),
    st.integers(NOW_US - 60 * DAY_US, NOW_US),
)
WORDS = st.builds(
    Words,
    st.sampled_from(["", "", "PH"]),
    st.sampled_from([FOREVER_US, NOW_US + DAY_US, NOW_US - DAY_US]),
    st.lists(ORIGINS, max_size=3, unique=True).map(tuple),
    st.sampled_from(["", "VN"]),
    st.sampled_from([0, NOW_US - 1, NOW_US + DAY_US]),
    st.sampled_from(["", "", "MY"]),
)
CASES = st.builds(
    Case,
    st.just("domain"),
    st.lists(TOLD, min_size=1, max_size=4).map(tuple),
    WORDS,
    st.sampled_from(["", "", "", "It is on the list."]),
    st.sampled_from(["", "", "", "It is on their own list."]),
    st.booleans(),
    st.sampled_from([0, NOW_US - DAY_US]),
)
PROFILE = st.sampled_from(["", *PROFILES])


def told(origin: str = "SG", *, accountable: bool = True, confidence: int = UNSTATED) -> Told:
    return Told(origin, accountable, confidence, NOW_US)


def mode(case: Case, profile: str = "", now_us: int = NOW_US) -> str:
    return decide(case, profile, now_us, BOUNDS).mode


def of(*voices: Told, **said: object) -> Case:
    return Case("domain", voices, Words(**said))  # type: ignore[arg-type]


@given(CASES, PROFILE)
def test_it_always_answers_with_a_mode_and_a_sentence(case: Case, profile: str) -> None:
    found = decide(case, profile, NOW_US, BOUNDS)
    assert found.mode in MODES
    assert found.reason.endswith(".")
    assert found.since_us <= NOW_US < found.until_us


@given(CASES, PROFILE)
def test_a_control_network_never_blocks(case: Case, profile: str) -> None:
    assert mode(case, "control-network") != "block"


@given(CASES, PROFILE)
def test_what_is_on_a_list_is_held_whatever_is_said(case: Case, profile: str) -> None:
    if case.never or case.kept_out:
        assert mode(case, profile) == "held"


@given(CASES, PROFILE)
def test_no_profile_and_no_objection_ever_raises_a_value(case: Case, profile: str) -> None:
    plain = msgspec.structs.replace(
        case, words=Words(case.words.confirmed_by, case.words.confirmed_until_us)
    )
    order = {name: rank for rank, name in enumerate(MODES)}
    if not case.words.insisted_by:
        assert order[mode(case, profile)] >= order[mode(plain)]


@given(CASES, PROFILE, st.integers(0, 90 * DAY_US))
def test_a_decision_stands_until_the_moment_it_names(
    case: Case, profile: str, later_us: int
) -> None:
    first = decide(case, profile, NOW_US, BOUNDS)
    after = decide(case, profile, min(NOW_US + later_us, first.until_us - 1), BOUNDS)
    assert (after.mode, after.reason) == (first.mode, first.reason)


@given(CASES)
def test_one_state_is_one_voice_however_many_speak_for_it(case: Case) -> None:
    """Nobody raises a value by speaking through its own constituents."""
    doubted = tuple(
        msgspec.structs.replace(each, accountable=False, origin=f"SG/{number}")
        for number, each in enumerate(case.told)
    )
    case = msgspec.structs.replace(case, told=doubted, words=Words())
    assert mode(case) != "block"


def test_who_tells_and_how_sure_decides_where_it_starts() -> None:
    assert mode(of(told())) == "block"
    assert mode(of(told(confidence=LOW))) == "block"
    assert mode(of(told(confidence=LOW - 1))) == "alert"
    assert mode(of(told(confidence=0))) == "shadow"
    assert mode(of(told(accountable=False))) == "alert"
    assert mode(of(told(accountable=False, confidence=LOW - 1))) == "shadow"


def test_a_second_state_or_a_person_raises_it() -> None:
    one = told("SG", accountable=False)
    assert mode(of(one, told("SG/bank", accountable=False))) == "alert", "no other state"
    assert mode(of(one, told("HUB", accountable=False))) == "alert", "the operator is no state"
    assert mode(of(one, told("TH", accountable=False))) == "block"
    assert mode(of(one, confirmed_by="PH")) == "block"
    ended = of(one, confirmed_by="PH", confirmed_until_us=NOW_US)
    assert mode(ended) == "alert"


def test_a_claim_suspends_until_its_time_and_a_member_may_insist_at_home() -> None:
    claimed = of(told(), claimed_by="VN", claimed_until_us=NOW_US + 1)
    found = decide(claimed, "", NOW_US, BOUNDS)
    assert (found.mode, found.until_us) == ("alert", NOW_US + 1)
    assert "VN says it is theirs" in found.reason
    after = decide(claimed, "", NOW_US + 1, BOUNDS)
    assert (after.mode, after.since_us) == ("block", NOW_US + 1)
    home = of(told(), claimed_by="VN", claimed_until_us=NOW_US + 1, insisted_by="MY")
    assert mode(home) == "block"
    assert mode(home, "control-network") == "alert"


def test_two_states_or_the_origin_suspend_a_false_positive() -> None:
    assert mode(of(told(), reported_by=("TH",))) == "block"
    assert mode(of(told(), reported_by=("TH/bank", "TH/grid"))) == "block", "one state"
    assert mode(of(told(), reported_by=("TH", "VN/bank"))) == "alert"
    assert mode(of(told(), reported_by=("SG",))) == "alert", "the origin's own word"


def test_mail_waits_for_a_high_confidence_or_a_second_voice() -> None:
    unsure = told(confidence=HIGH - 1)
    assert mode(of(unsure)) == mode(of(unsure), "office") == "block"
    assert mode(of(unsure), "mail") == "alert"
    assert mode(of(told(confidence=HIGH)), "mail") == mode(of(told()), "mail") == "block"
    assert mode(of(unsure, told("TH", confidence=HIGH - 1)), "mail") == "block"
    assert mode(of(unsure, confirmed_by="PH"), "mail") == "block"


def test_what_nobody_tells_again_fades_unless_its_author_or_a_person_gave_it_a_time() -> None:
    end_us = NOW_US + 30 * DAY_US
    assert decide(of(told()), "", NOW_US, BOUNDS).until_us == end_us
    assert mode(of(told()), now_us=end_us - 1) == "block"
    assert mode(of(told()), now_us=end_us) == "held"
    seen = msgspec.structs.replace(of(told()), seen_us=NOW_US + DAY_US)
    assert mode(seen, now_us=end_us) == "block", "a sighting refreshes"
    dated = msgspec.structs.replace(of(told()), dated=True)
    assert mode(dated, now_us=end_us) == "block", "the source's date counts"
    assert mode(of(told(), confirmed_by="PH"), now_us=end_us) == "block", "so does a person"
    digest = msgspec.structs.replace(of(told()), type="sha256")
    assert mode(digest, now_us=end_us) == "block"


def test_a_profile_that_there_is_not_is_refused() -> None:
    assert [checked_profile(name) for name in ("", *PROFILES)] == ["", *PROFILES]
    with pytest.raises(Refused, match="The profiles are"):
        checked_profile("factory")
