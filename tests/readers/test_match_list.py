"""Match lists, end to end: who gets one, what is on it, who is shown a look-up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.commands.feed_match import print_matches
from bayanihan.core import match_list
from bayanihan.core.identifiers import IDENTIFIERS, identifier
from bayanihan.errors import Refused
from bayanihan.readers.feeds import match_list as match_lists
from bayanihan.readers.feeds import match_trace
from bayanihan.readers.feeds.turnstile import Turnstile
from tests.gate.world import World
from tests.readers.test_rulings import push, who

NUMBER = "+65 9123-4567"


@pytest.fixture
def world() -> Iterator[World]:
    found = World()
    yield found
    found.close()


def told(world: World, kind: str = "phone", value: str = NUMBER, **more: Any) -> str:
    pattern = f"[x-bayanihan-identifier:{kind} = '{value}']"
    object_id = push(world, who(world, "SG first"), "unused.com", pattern=pattern, **more)
    world.settle()
    return object_id


def listed(world: World, reader: str, feed: str = "match.hmac") -> tuple[str, dict[str, Any]]:
    keys = world.ask("GET", "/api/match/keys", who(world, f"{reader} first"))
    answer = world.ask("GET", f"/feeds/{feed}", who(world, f"{reader} first"))
    assert (keys.status, answer.status) == (200, 200)
    return answer.body.decode(), json.loads(keys.body)


def lines(text: str) -> list[list[str]]:
    return [line.split(" ") for line in text.splitlines() if not line.startswith("#")]


def test_a_recipient_matches_its_own_values_and_no_list_is_like_another(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    object_id = told(world)
    told(world, kind="handle", value="Telegram:@Some.Body")
    mine, keys = listed(world, "TH")
    theirs, _ = listed(world, "SG")
    assert len(lines(mine)) >= 2
    assert not {line[2] for line in lines(mine)} & {line[2] for line in lines(theirs)}
    assert "91234567" not in mine  # fewer digits may stand in any digest
    assert "9123-4567" not in mine
    assert "never to freeze" in mine
    assert "try every number" in mine
    for name, text in (
        ("list", mine),
        ("keys", json.dumps(keys)),
        ("ours", "phone 0065 91234567\nphone +65 8000 0000\nhandle telegram:some.body\n"),
    ):
        (tmp_path / name).write_text(text)
    print_matches(tmp_path / "list", tmp_path / "ours", tmp_path / "keys", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert {each["value"] for each in found["matches"]} == {"+6591234567", "telegram:some.body"}
    assert object_id in {each["id"] for each in found["matches"]}
    (tmp_path / "list").write_text(theirs)
    print_matches(tmp_path / "list", tmp_path / "ours", tmp_path / "keys", as_json=False)
    assert capsys.readouterr().out == "0 of the values match.\n"


def test_without_a_key_there_is_no_list_and_no_feed_has_its_values(world: World) -> None:
    told(world, value="+65 8765 4321")
    assert world.ask("GET", "/feeds/match.hmac", None).status == 401
    assert world.ask("GET", "/api/match/keys", None).status == 401
    for feed in ("indicators.csv", "bundle.json", "misp/manifest.json"):
        assert (
            "87654321"
            not in world.ask("GET", f"/feeds/{feed}", who(world, "TH first")).body.decode()
        )
    rows = world.ask("GET", "/api/feeds", who(world, "TH first")).body.decode()
    assert "87654321" not in rows


def test_what_informs_or_is_taken_back_is_on_no_list(world: World) -> None:
    extension = "extension-definition--df1453b7-8580-45e3-880a-3d7a4cd48b90"
    for vector in ("information-manipulation", "data-misuse"):
        about = {"extension_type": "property-extension", "vector": vector}
        more: dict[str, Any] = {"extensions": {extension: about}}
        told(world, "phone", "+65 7777 0000", **more)
    assert lines(listed(world, "TH")[0]) == []
    assert lines(listed(world, "TH", "exercise-match.hmac")[0]) == []


def test_a_look_up_states_its_purpose_and_is_shown_to_who_told(world: World) -> None:
    object_id = told(world)

    def ask(reader: str, **order: Any) -> tuple[int, Any]:
        answer = world.ask("POST", "/api/match/lookups", who(world, f"{reader} first"), order)
        return answer.status, json.loads(answer.body)

    status, refused = ask("TH", type="phone", value=NUMBER)
    assert (status, refused["error"]["where"]) == (400, "purpose")
    status, found = ask("TH", type="phone", value=NUMBER, purpose="a customer paid this number")
    assert (status, [each["id"] for each in found["matches"]]) == (200, [object_id])
    assert "never to freeze" in found["advice"]
    assert ask("TH", type="phone", value="+65 1111 1111", purpose="x")[1]["matches"] == []

    def shown(reader: str) -> list[dict[str, Any]]:
        return list(
            json.loads(world.ask("GET", "/api/match/lookups", who(world, f"{reader} first")).body)
        )

    (seen,) = shown("SG")
    assert (seen["member"], seen["purpose"], seen["key"]) == (
        "TH",
        "a customer paid this number",
        "",
    )
    assert len(shown("TH")) == 2
    assert "9123" not in json.dumps(shown("SG") + shown("TH"))


def traced(world: World, who_asks: str, *texts: str, reason: str = "found on a forum") -> Any:
    person = world.operator if who_asks == "operator" else who(world, who_asks)
    order = {"lines": texts, "reason": reason}
    answer = world.ask("POST", "/api/match/traces", person, order)
    return answer.status, json.loads(answer.body)


def test_the_operator_names_whose_key_made_a_list_that_leaked(world: World) -> None:
    told(world)
    told(world, kind="account", value="dbs.sg:012-345678-9")
    text, keys = listed(world, "TH")
    length = world.hub.ledger.length
    whole = [" ".join(line) for line in lines(text)]
    digests = [line[2] for line in lines(text)]
    status, found = traced(world, "operator", *whole, "# a comment", "0" * 64)
    assert (status, found["lines"], found["unknown"]) == (200, len(whole) + 1, 1)
    (named,) = found["recipients"]
    assert (named["key"], named["member"], named["lines"]) == (keys["recipient"], "TH", len(whole))
    assert traced(world, "operator", *digests)[1]["recipients"] == [named]
    assert "9123" not in json.dumps(found)
    assert "dbs" not in json.dumps(found)
    assert world.hub.ledger.length == length + 2, "each question is an entry"
    # Two lists in one leak, and a key that was revoked since.
    other, _ = listed(world, "SG")
    world.ask("DELETE", f"/api/keys/{keys['recipient']}", world.operator)
    world.settle()
    assert world.ask("GET", "/api/match/keys", who(world, "TH first")).status == 401
    mixed = [*whole, " ".join(lines(other)[0])]
    both = traced(world, "operator", *mixed)[1]["recipients"]
    assert [(each["member"], each["lines"]) for each in both] == [("TH", len(whole)), ("SG", 1)]


def test_nobody_but_the_operator_traces_and_not_without_a_reason(world: World) -> None:
    told(world)
    digest = lines(listed(world, "TH")[0])[0][2]
    length = world.hub.ledger.length
    assert traced(world, "SG first", digest)[0] == 403
    for texts, reason in (
        ((digest,), " "),
        ((digest,), "x" * 301),
        ((), "a reason"),
        (("one two",), "a reason"),
        (("2026-13 phone " + digest + " a b c",), "a reason"),
        ((digest,) * 1_001, "a reason"),
    ):
        status, refused = traced(world, "operator", *texts, reason=reason)
        assert (status, refused["error"]["code"]) == (400, "bad-value"), texts[:1]
    assert world.hub.ledger.length == length


def test_what_would_take_too_long_is_refused_with_a_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(world)
    line = lines(listed(world, "TH")[0])[0]
    monkeypatch.setattr(match_trace, "TRIES_LIMIT", 2)
    status, refused = traced(world, "operator", line[2])
    assert (status, refused["error"]["where"]) == (400, "lines")
    assert "whole lines" in refused["error"]["next_step"]
    assert traced(world, "operator", " ".join(line))[1]["unknown"] == 0


def test_the_list_of_feeds_has_a_row_for_whoever_has_a_list(world: World) -> None:
    told(world)

    def rows(reader: Any) -> dict[str, dict[str, Any]]:
        found = json.loads(world.ask("GET", "/api/feeds", reader).body)
        return {row["feed"]: row for row in found}

    mine = rows(who(world, "TH first"))
    assert (mine["match.hmac"]["items"], mine["exercise-match.hmac"]["items"]) == (1, 0)
    assert mine["match.hmac"].keys() == mine["domains.txt"].keys()
    assert mine["match.hmac"]["size_bytes"] == len(listed(world, "TH")[0])
    assert "match.hmac" not in rows(None)


def test_look_ups_are_forgotten_and_told_page_by_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(world)
    asker, lists = who(world, "TH first"), world.hub.matching
    order = {"type": "phone", "value": NUMBER, "purpose": "a customer paid this number"}
    for _ in range(3):
        assert world.ask("POST", "/api/match/lookups", asker, order).status == 200

    def page(after: str, reader: str = "SG first") -> list[dict[str, Any]]:
        path = f"/api/match/lookups?limit=2&after={after}"
        return list(json.loads(world.ask("GET", path, who(world, reader)).body))

    monkeypatch.setattr(match_lists, "_PAGE", 2)
    first = page("")
    assert [len(first), len(page(first[-1]["id"])), len(page("", "VN first"))] == [2, 1, 0]
    monkeypatch.setattr(lists, "_turnstile", Turnstile("x", each=(3, 10), together=(1, 1 << 60)))
    assert world.ask("POST", "/api/match/lookups", asker, order).status == 200
    assert world.ask("POST", "/api/match/lookups", asker, order).status == 503
    lists.forget_old()
    assert len(page("")) == 2
    monkeypatch.setattr(lists, "_lookup_days", -1)
    lists.forget_old()
    assert page("") == []


# --- the rules -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "texts", "value"),
    [
        ("phone", ("+65 9123 4567", "0065-9123-4567", "\uff0b65 (9123) 4567"), "+6591234567"),
        ("handle", ("telegram:@Some_One", "Telegram: some_one"), "telegram:some_one"),
        ("account", ("dbs.sg:012-345678-9", "DBS.sg: 0123 456789"), "dbs.sg:0123456789"),
        ("meeting", ("zoom:812 3456 7890", "zoom:81234567890"), "zoom:81234567890"),
    ],
)
def test_every_spelling_comes_to_one(kind: str, texts: tuple[str, ...], value: str) -> None:
    assert {identifier(kind, text).value for text in texts} == {value}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("phone", "91234567"), ("phone", "+0 123 4567"), ("phone", "+65 call me"), ("phone", "")),
        *(("handle", "nobody"), ("handle", "t:x"), ("handle", "telegram:a b\nc"), ("x", "+659")),
        *(("account", "dbs.sg:;DROP"), ("meeting", "zoom:#"), ("handle", "telegram:" + "x" * 300)),
    ],
)
def test_what_is_no_identifier_is_refused(kind: str, text: str) -> None:
    with pytest.raises(Refused):
        identifier(kind, text)


@given(st.sampled_from(IDENTIFIERS), st.text(max_size=40))
@settings(max_examples=60)
def test_a_canonical_spelling_never_leaves_its_field(kind: str, text: str) -> None:
    try:
        found = identifier(kind, text)
    except Refused:
        return
    assert found == identifier(kind, found.value)
    assert not set(" \n\t#'\"") & set(found.value)


def test_two_epochs_hold_side_by_side_for_a_week() -> None:
    first_us = 1_793_491_200_000_000  # 2026-11-01T00:00:00Z
    day_us = 86_400_000_000
    assert match_list.epochs(first_us - 1) == ("2026-10",)
    assert match_list.epochs(first_us) == ("2026-11", "2026-10")
    assert match_list.epochs(first_us + 8 * day_us) == ("2026-11",)
    keys = {match_list.key_of(b"s" * 32, who_, epoch) for who_ in "ab" for epoch in ("1", "2")}
    assert len(keys) == 4


def test_a_list_that_is_none_or_for_other_keys_is_refused() -> None:
    line = f"2026-11 phone {'0' * 64} 2027-01-01T00:00:00Z SG indicator--1"
    with pytest.raises(Refused, match="no key for that"):
        list(match_list.matches(line, {"2026-10": b"k" * 32}, [], 0))
    with pytest.raises(Refused, match="no line"):
        list(match_list.matches("evil.com", {"2026-11": b"k" * 32}, [], 0))
