"""What saved questions ask of objects, and what the built-in collections are."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.ai import EXTENSION_ID, VECTORS
from bayanihan.core.collection_order import CollectionOrder, RootOrder
from bayanihan.core.marking import PUBLIC
from bayanihan.errors import Refused
from bayanihan.readers.taxii.collections import Root, region, roots_of
from bayanihan.readers.taxii.facts import (
    ANALYST,
    ENDPOINT,
    MAIL,
    NETWORK,
    consumers_of,
    facts_of,
)
from bayanihan.readers.taxii.question import Question
from tests.readers.taxii.shelved import BANK, HUB, SG, TH


@pytest.mark.parametrize(
    ("pattern", "kind", "consumers"),
    [
        ("[domain-name:value = 'a.example']", "stix", NETWORK),
        ("[url:value = 'http://a.example']", "stix", NETWORK | MAIL),
        (
            "[file:hashes.'SHA-256' = 'aa'] OR [ipv4-addr:value = '1.2.3.4']",
            "stix",
            ENDPOINT | NETWORK,
        ),
        ("[file:name = 'domain-name:value']", "stix", ENDPOINT),
        (r"[file:name = 'it\'s email-addr:x']", "stix", ENDPOINT),
        ("[x-thing:value = 1]", "stix", ANALYST),
        ("alert tcp any any -> any any", "suricata", NETWORK),
        ("rule a { condition: true }", "yara", ENDPOINT),
        ("whatever", "other", ANALYST),
    ],
)
def test_a_pattern_is_for_who_can_act_on_it(pattern: str, kind: str, consumers: int) -> None:
    assert consumers_of(pattern, kind) == consumers


def test_facts_come_from_the_bytes_however_they_are_spelled() -> None:
    extension = {EXTENSION_ID: {"extension_type": "property-extension", "vector": "phishing"}}
    plain = json.dumps({"extensions": extension, "revoked": True})
    escaped = plain.replace("extensions", "\\u0065xtensions").replace("phishing", "\\u0070hishing")
    for body in (plain, escaped):
        found = facts_of("report--x", body.encode())
        assert (found.type, found.vector, found.revoked) == ("report", "phishing", True)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_facts(body: bytes) -> None:
    assert facts_of("file--x", body).type == "file"


@given(
    st.dictionaries(
        st.sampled_from(("extensions", "revoked", "created", "pattern", "pattern_type")),
        st.one_of(
            st.none(),
            st.integers(),
            st.text(max_size=5),
            st.dictionaries(st.just(EXTENSION_ID), st.integers()),
        ),
    )
)
def test_wrong_types_count_as_absent(document: dict[str, object]) -> None:
    found = facts_of("indicator--x", json.dumps(document).encode())
    assert (found.vector, found.revoked) == ("", False)


def test_the_region_has_a_collection_for_each_question() -> None:
    root = region()
    aliases = {each.alias for each in root.collections}
    assert {f"vector-{name}" for name in VECTORS} <= aliases
    assert {"everything", "exercise-everything", "for-network", "for-mail"} <= aliases
    assert [each.id for each in root.collections] == sorted(each.id for each in root.collections)
    assert root.find("everything").id == "a66f88ad-8042-5dc5-9c3d-7b2dbd5b2284"
    for each in root.collections:
        assert each.question.exercise == each.alias.startswith("exercise-")


def order(**more: object) -> CollectionOrder:
    found = {"id": "c1", "alias": "bank", "title": "Banks", **more}
    return CollectionOrder(**found)  # type: ignore[arg-type]


def rooted(*orders: CollectionOrder) -> Root:
    return roots_of([RootOrder("asean-fin", "Banks", collections=orders)])["asean-fin"]


def test_an_operator_gives_rights_by_role_member_and_origin() -> None:
    shelf = rooted(order(read=("member", "TH/bank"), write=("SG",))).find("bank")
    assert [shelf.can_read(viewer) for viewer in (PUBLIC, SG, TH, BANK, HUB)] == [
        *(False, True, True, True, False)
    ]
    assert [shelf.can_write(viewer) for viewer in (PUBLIC, SG, TH)] == [False, True, False]


def test_an_operators_question_is_kept() -> None:
    found = rooted(
        order(own=True, types=("indicator",), vectors=("phishing",), consumers=("mail",))
    )
    assert found.find("c1").question == Question(
        frozenset({"indicator"}), frozenset({"phishing"}), MAIL, "c1"
    )


@pytest.mark.parametrize(
    "orders",
    [
        [order(), order()],
        [order(), order(id="c2")],
        [order(), order(id="bank", alias="other")],
        [order(exercise=True)],
        [order(alias="exercise-bank")],
        [order(vectors=("other",))],
        [order(consumers=("other",))],
        [order(read=("everyone",))],
        [order(alias="a/b")],
        [order(id="")],
        [order(types=("Indicator",))],
    ],
)
def test_orders_that_cannot_be_are_refused(orders: list[CollectionOrder]) -> None:
    with pytest.raises(Refused) as found:
        rooted(*orders)
    assert found.value.code == "bad-setting"


def test_a_root_is_named_once() -> None:
    with pytest.raises(Refused, match="two roots"):
        roots_of([RootOrder("region", "Again")])
