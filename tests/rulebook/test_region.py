"""The matrix, what-if, tracks, diff, evidence, register, templates, compendium."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bayanihan.errors import Refused
from bayanihan.rulebook.derive import Derivation
from bayanihan.rulebook.diff import diff, effects
from bayanihan.rulebook.evidence import Attestation, read_attestations
from bayanihan.rulebook.facts import Facts
from bayanihan.rulebook.law import Rulebook
from bayanihan.rulebook.matrix import RELATIONS, adopt, matrix, member_entries, obligations
from bayanihan.rulebook.question import MEMBERS, ask
from bayanihan.rulebook.register import entry
from bayanihan.rulebook.shelf import assessment, checks, practices
from bayanihan.rulebook.system import System
from bayanihan.rulebook.tracks import Behaviour, standing, track_of
from bayanihan.rulebook.view import view

TEXTS = ("asean-guide", "asean-genai", "model-asean", "vn-ai-law", "treaties")


@pytest.mark.parametrize("baseline", TEXTS)
def test_every_cell_has_a_relation_and_every_known_one_a_source(
    book: Rulebook, baseline: str
) -> None:
    cells = matrix(book, baseline)
    assert len(cells) == len(MEMBERS) * len(obligations(book, baseline))
    for cell in cells:
        assert cell.relation in RELATIONS
        if cell.relation != "unknown":
            assert cell.source in book.sources
            assert cell.as_of
            assert cell.quality not in ("unconfirmed", "weak")


def test_a_text_without_topics_is_no_baseline(book: Rulebook) -> None:
    with pytest.raises(Refused):
        matrix(book, "eu-ai-act")
    with pytest.raises(Refused):
        matrix(book, "nowhere")


def bank(**more: object) -> System:
    facts: Facts = {
        "roles": ("provider",), "markets": ("KH", "SG"), "only_military": False,
        "decides_about_people": True, "sector": "finance", "no_significant_risk": False,
        "critical_infrastructure": False, **more,  # type: ignore[dict-item]
    }  # fmt: skip
    return System("bank", "Bank", "", facts)


def test_what_if_names_who_changes_who_gains_and_who_stays_free(book: Rulebook) -> None:
    views = [
        (m, ask(book, "", {"model-asean": "2028-01-01"}, track_of(book, m), "2028-02-01"))
        for m in MEMBERS
    ]
    free = System("shop", "Shop", "", {**bank().facts, "sector": "other", "impact": "low"})
    found = adopt(book, "model/register", views, [bank(), free], "2028-01-01")
    assert found.may_keep == {"VN": "equal"}
    assert found.must_change["KH"] == "gap"
    assert ("bank", "SG", "2029-01-01") in found.gains
    assert ("bank", "KH", "2031-01-01") in found.gains
    assert found.stays_free == ("shop",)
    with pytest.raises(Refused):
        adopt(book, "model/nothing", views, [], "2028-01-01")


def test_what_is_not_known_about_a_system_is_undetermined(book: Rulebook) -> None:
    views = [("SG", ask(book, "", {"model-asean": "2028-01-01"}, "A"))]
    facts: Facts = {k: v for k, v in bank().facts.items() if k != "sector"}
    found = adopt(book, "model/register", views, [System("x", "", "", facts)], "2028-01-01")
    assert found.gains == (("x", "SG", "undetermined"),)


def test_tracks_follow_readiness_and_bindingness_is_another_axis(book: Rulebook) -> None:
    tracks = {member: standing(book, member).track for member in MEMBERS}
    assert {m for m, t in tracks.items() if t == "C"} == {"KH", "LA", "MM", "TL"}
    assert tracks["VN"] == "B"
    assert member_entries(book)["VN"]["ai_state"] == "binding-law"
    assert tracks["SG"] == "A"
    assert member_entries(book)["SG"]["ai_state"] == "voluntary-guide"
    assert tracks == {member: track_of(book, member) for member in MEMBERS}


def test_a_member_graduates_by_what_it_did(book: Rulebook) -> None:
    good = Behaviour(365, 20, 18, 6.0, 1)
    up = standing(book, "KH", good)
    assert (up.track, up.graduates, up.by_readiness) == ("B", True, "C")
    for bad in (
        Behaviour(300, 20, 18, 6.0, 1),
        Behaviour(365, 9, 9, 6.0, 1),
        Behaviour(365, 20, 15, 6.0, 1),
        Behaviour(365, 20, 18, None, 1),
        Behaviour(365, 20, 18, 30.0, 1),
        Behaviour(365, 20, 18, 6.0, 0),
    ):
        still = standing(book, "KH", bad)
        assert (still.track, still.graduates, len(still.still_needed)) == ("C", False, 1)
    assert standing(book, "SG", Behaviour(365, 20, 0, None, 0)).track == "A", "never down"
    assert standing(book, "KH").still_needed == ("behaviour was not measured",)
    with pytest.raises(Refused):
        standing(book, "XX")


def test_the_score_keeps_its_digits(book: Rulebook) -> None:
    assert standing(book, "VN").readiness == Decimal("61.42")


def test_diff_tells_what_the_amendment_changed(book: Rulebook) -> None:
    changes = diff(book, "eu-ai-act@2026-07-26", "eu-ai-act@2026-07-27")
    told = {(one.provision, one.change, one.field): (one.before, one.after) for one in changes}
    assert told["eu/art6/2", "changed", "applies"] == ("from 2026-08-02", "from 2027-12-02")
    assert told["eu/art6/1", "changed", "applies"] == ("from 2027-08-02", "from 2028-08-02")
    assert ("eu/art5/1/ba", "added", "") in told
    assert ("eu/art5/1/bb", "added", "") in told
    assert told["fines/art16", "changed", "lower for"] == ("sme", "sme, smc")
    assert ("fines/art25", "added", "") in told
    assert ("eu/art73", "changed", "applies") not in told
    assert diff(book, "eu-ai-act@2026-07-27", "eu-ai-act") == []


def test_diff_shows_the_effect_on_a_system(book: Rulebook, composite: System) -> None:
    before, after = view(book, "2026-07-26"), view(book, "2026-07-27")
    found = {e.duty: e for e in effects(before, after, [composite], ("eu-ai-act",), "2026-08-02")}
    assert found["eu/art50/2/duty"].effect == "moves"
    assert found["eu/art50/2/duty"].after == "2026-12-02"
    assert found["eu/art5"].effect == "gains"
    assert "eu/art50/1/duty" not in found


@pytest.mark.parametrize(
    ("before", "after"),
    [("eu-ai-act@2026-07-26", "vn-ai-law"), ("nothing@2026-01-01", "nothing"),
     ("eu-ai-act@tomorrow", "eu-ai-act"), ("eu-ai-act@1990-01-01", "eu-ai-act")],
)  # fmt: skip
def test_a_bad_diff_is_refused(book: Rulebook, before: str, after: str) -> None:
    with pytest.raises(Refused):
        diff(book, before, after)


@pytest.mark.parametrize(
    ("more", "day", "fault"),
    [
        ({}, "2026-01-01", ""),
        ({}, "2025-12-31", "not valid before"),
        ({"end": "2027-01-01"}, "2027-01-01", "expired"),
        ({"revoked": "2026-06-01"}, "2026-06-01", "revoked"),
        ({"revoked": "2026-06-01"}, "2026-05-31", ""),
        ({"drifted": "2026-06-01"}, "2026-06-01", "drifted"),
    ],
)
def test_an_attestation_counts_until_something_happens(
    more: dict[str, str], day: str, fault: str
) -> None:
    told = Attestation("d", "robustness", "2026-01-01", **more).fault_on(day)
    assert fault in told
    assert bool(told) == bool(fault)


@pytest.mark.parametrize("raw", [["x"], [{"kind": "a"}], [{"digest": "d", "kind": "a", "x": 1}],
                                 [{"digest": "d", "kind": "a", "start": "soon"}]])  # fmt: skip
def test_a_bad_attestation_is_refused(raw: object) -> None:
    with pytest.raises(Refused) as caught:
        read_attestations(raw, "s.yaml")
    assert caught.value.where.startswith("s.yaml.attestations[0]")


FILLED = {"provider": "ACME, Bangkok", "trade_name": "Scorer 3", "purpose": "credit",
          "data": "income", "status": "on the market", "states": "AT", "declaration": "D1",
          "instructions": "https://example.org"}  # fmt: skip


def registered(book: Rulebook, composite: System, viewer: str, **facts: object) -> object:
    system = System("s", "S", "", {**composite.facts, **facts}, register=FILLED)  # type: ignore[dict-item]
    return entry(Derivation(view(book), system.facts), system, "2027-12-03", viewer)


def test_the_register_shows_the_public_what_is_public(book: Rulebook, composite: System) -> None:
    public = registered(book, composite, "public")
    assert (public.section, public.place) == ("A", "public")  # type: ignore[attr-defined]
    assert len(public.fields) == 8  # type: ignore[attr-defined]


def test_police_uses_are_restricted(book: Rulebook, composite: System) -> None:
    public = registered(book, composite, "public", annex_iii=("6c",))
    authority = registered(book, composite, "authority", annex_iii=("6c",))
    assert public.fields == ()  # type: ignore[attr-defined]
    assert public.place == "restricted"  # type: ignore[attr-defined]
    points = [point for point, _, _ in authority.fields]  # type: ignore[attr-defined]
    assert points == [1, 4, 5, 7, 10]
    biometric = registered(book, composite, "public", annex_iii=("1a",), sector="police",
                           verification_only=False)  # fmt: skip
    assert biometric.place == "restricted"  # type: ignore[attr-defined]


def test_sections_b_and_national(book: Rulebook, composite: System) -> None:
    exempt = registered(book, composite, "public", no_significant_risk=True, task="preparatory",
                        profiling=False, annex_i="none", third_party_assessment=False)  # fmt: skip
    assert exempt.section == "B"  # type: ignore[attr-defined]
    grid = registered(book, composite, "public", annex_iii=("2",))
    assert (grid.section, grid.place) == ("A", "national")  # type: ignore[attr-defined]
    with pytest.raises(Refused):
        registered(book, composite, "press")


def test_there_are_97_process_checks(book: Rulebook) -> None:
    every = checks(book)
    assert len(every) == 97
    counted = {p: len(checks(book, p)) for p in {c["principle"] for c in every}}
    assert counted == {
        "Transparency": 10, "Explainability": 1, "Reproducibility": 15, "Safety": 9, "Security": 14,
        "Robustness": 7, "Fairness": 10, "Data Governance": 4, "Accountability": 11,
        "Human Agency & Oversight": 8, "Organisational Considerations": 7,
        "Inclusive Growth, Societal & Environmental Well-being": 1,
    }  # fmt: skip


def test_the_compendium_is_searched_and_cited(book: Rulebook) -> None:
    (found,) = practices(book, "answered", "ID")
    assert "27.5 %" in found["says"]
    assert found["cite"].startswith("id-answered: ")
    assert practices(book, "no such words at all") == []
    assert {p["member"] for p in practices(book, tag="sandbox")} == {"SG", "TH"}
    assert {p["member"] for p in practices(book)} >= set(MEMBERS) - {"KH", "MM"}


@pytest.mark.parametrize("template", ["art27", "asean-annex-a"])
def test_templates_are_filled_as_far_as_facts_go(
    book: Rulebook, composite: System, template: str
) -> None:
    form = assessment(book, template, composite)
    answers = [q["answer"] for s in form["sections"] for q in s["questions"]]
    assert any(answers)
    assert not all(answers)
    assert form["source"] in book.sources
    with pytest.raises(Refused):
        assessment(book, "art28", composite)


def test_every_provision_of_a_proposal_names_its_pedigree(book: Rulebook) -> None:
    model = book.texts["model-asean"]
    assert model.watermark == "proposal, no standing"
    assert [p.id for p in model.provisions if not p.details.get("pedigree")] == []
