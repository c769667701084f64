"""What was said about values, listed and on its page: who may see it, and what the page takes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Self
from urllib.parse import urlencode

import pytest

from bayanihan.commands.feed_said import print_said
from bayanihan.readers.feeds import Rulings
from tests.gate.answer import Answer
from tests.gate.world import World
from tests.readers.test_rulings import push, say, who


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    found = World()
    yield found
    found.close()


def listed(world: World, reader: str, **asked: Any) -> list[dict[str, Any]]:
    return list(answered(world, reader, **asked)["rulings"])


def answered(world: World, reader: str, **asked: Any) -> dict[str, Any]:
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    answer = world.ask("GET", f"/api/rulings?{query}", who(world, reader))
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


def pressed(world: World, name: str, form: dict[str, str], origin: str = "http://hub") -> Answer:
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": origin}
    data = urlencode(form).encode()
    answer = world.ask("POST", "/rulings", who(world, name), data, by_cookie=True, headers=headers)
    world.settle()
    return answer


def page(world: World, name: str, query: str = "") -> str:
    answer = world.ask("GET", f"/rulings?{query}", who(world, name), by_cookie=True)
    assert answer.status == 200, answer
    return answer.body.decode()


def test_what_was_said_is_shown_where_it_has_its_effect(world: World) -> None:
    sg, th, vn = (who(world, f"{code} first") for code in ("SG", "TH", "VN"))
    push(world, sg, "seen.com")
    push(world, sg, "hidden.com", "amber+strict")
    assert say(world, th, "false-positive", "seen.com", reason="our own page").status == 201
    assert say(world, th, "insist", "seen.com").status == 201
    assert say(world, who(world, "TH bank"), "false-positive", "hidden.com").status == 201
    assert say(world, sg, "confirm", "hidden.com", until="2030-01-01T00:00:00Z").status == 201
    assert say(world, world.operator, "admit", "nobody-names.com").status == 201

    def shown(reader: str) -> set[tuple[str, str, str]]:
        return {(each["act"], each["value"], each["origin"]) for each in listed(world, reader)}

    report, insisted = ("false-positive", "seen.com", "TH"), ("insist", "seen.com", "TH")
    hers, confirmed = (
        ("false-positive", "hidden.com", who(world, "TH bank").origin),
        ("confirm", "hidden.com", "SG"),
    )
    assert shown("VN first") >= {report}
    assert not shown("VN first") & {insisted, ("admit", "nobody-names.com", "HUB")}
    assert shown("TH second") >= {report, insisted, hers}
    assert shown("TH bank") >= {report, insisted, hers}
    assert ("admit", "nobody-names.com", "HUB") in shown("operator")
    strict = "hidden.com" in json.dumps(world.ask("GET", "/api/objects", vn).body.decode())
    assert (confirmed in shown("VN first")) == strict
    assert confirmed in shown("SG second")
    assert confirmed not in shown("VN bank"), "AMBER+STRICT is for members' own staff"
    (row,) = [each for each in listed(world, "TH second", value="seen.com") if each["reason"]]
    assert (row["reason"], row["by"], row["holds"], row["until"]) == (
        "our own page",
        "TH",
        True,
        "",
    )
    assert row["person"]
    (other,) = listed(world, "VN first", value="seen.com")
    assert (other["reason"], other["person"]) == ("our own page", "")
    (own,) = [each for each in listed(world, "SG first") if each["act"] == "confirm"]
    assert own["until"].startswith("2030-01-01")


def test_a_list_goes_on_page_by_page_and_shows_what_ended(world: World) -> None:
    vn = who(world, "VN first")
    for number in range(5):
        assert say(world, vn, "insist", f"page-{number}.com").status == 201
    assert say(world, vn, "desist", "page-4.com").status == 201
    found, token = [], ""
    while True:
        one = answered(world, "VN first", limit=2, before=token)
        found += [each for each in one["rulings"] if each["value"].startswith("page-")]
        token = one["next"]
        if not one["more"]:
            break
    told = [(each["act"], each["value"], each["holds"]) for each in found]
    assert told == [
        ("desist", "page-4.com", True),
        ("insist", "page-4.com", False),
        *(("insist", f"page-{number}.com", True) for number in (3, 2, 1, 0)),
    ]
    assert world.ask("GET", "/api/rulings?before=nonsense", vn).status == 400
    assert world.ask("GET", "/api/rulings?value=no+value", vn).status == 400
    assert world.ask("GET", "/api/rulings").status == 401


def test_an_exercise_s_rulings_are_listed_apart(world: World) -> None:
    vn = who(world, "VN first")
    assert say(world, vn, "claim", "drill-here.vn", exercise=True).status == 201
    assert "drill-here.vn" not in json.dumps(listed(world, "VN first"))
    assert "drill-here.vn" in json.dumps(listed(world, "VN first", exercise="true"))
    assert "EXERCISE" in page(world, "VN first", "exercise=1&value=drill-here.vn")


def test_what_was_just_said_is_listed_on_the_page_that_it_leads_to(world: World) -> None:
    push(world, who(world, "SG first"), "at-once.com")
    world.settle()
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": "http://hub"}
    form = b"value=at-once.com&act=confirm&reason=seen+by+us"
    vn = who(world, "VN first")
    assert world.ask("POST", "/rulings", vn, form, by_cookie=True, headers=headers).status == 303
    assert "seen by us" in page(world, "VN first", "value=at-once.com&said=confirm")


def test_the_page_takes_what_may_be_said_and_leads_back(world: World) -> None:
    push(world, who(world, "SG first"), "pressed.com")
    world.settle()
    before = page(world, "VN first", "value=pressed.com")
    assert "What your feeds do with it" in before
    assert "What you cannot say of it" in before, "a claim of what is not VN's"
    for act in ("confirm", "false-positive", "insist"):
        answer = pressed(world, "VN first", {"value": "pressed.com", "act": act, "reason": "<b>&"})
        assert answer.status == 303, answer
    after = page(world, "VN first", "value=pressed.com&said=insist")
    assert "entered in the record" in after
    assert "&lt;b&gt;&amp;" in after
    assert "<b>&" not in after
    assert {each["act"] for each in listed(world, "VN first", value="pressed.com")} == {
        *("confirm", "false-positive", "insist")
    }
    answer = pressed(world, "VN first", {"value": "own-name.vn", "act": "claim"})
    assert answer.status == 303
    assert pressed(world, "VN first", {"value": "own-name.vn", "act": "release"}).status == 303
    assert "Is your site blocked by mistake?" in after


def test_the_page_refuses_what_may_not_be_said_with_a_sentence(world: World) -> None:
    length = world.hub.ledger.length
    form = {"value": "wrong.com", "act": "insist"}
    for name, given, status, words in (
        ("VN first", form | {"act": "destroy"}, 400, "Say one of"),
        ("VN first", form | {"act": "claim"}, 403, "does not know this as VN"),
        ("VN first", form | {"value": "no value"}, 400, "value"),
        ("VN first", form | {"reason": "x" * 301}, 400, "one line of 300"),
        ("VN first", form | {"until": "tomorrow"}, 400, "ends a confirmation"),
        ("VN bank", form, 403, "A constituent may say"),
        ("operator", form, 403, "belongs to none"),
    ):
        answer = pressed(world, name, given)
        assert (answer.status, words in answer.body.decode()) == (status, True), (given, answer)
    assert pressed(world, "VN first", form, "http://elsewhere").status == 403
    assert world.ask("POST", "/rulings", None, b"act=confirm").status in (401, 403)
    assert world.ask("GET", "/rulings").status == 401
    assert world.hub.ledger.length == length


def at_once(world: World, *said: tuple[str, str, str]) -> list[int]:
    """Rulings that are on their way at the same time; how each was answered."""

    async def every() -> list[Answer]:
        orders = [
            world.asked(
                "POST",
                "/api/rulings",
                {
                    "host": "hub",
                    "content-type": "application/json",
                    "authorization": f"Bearer {who(world, name).key}",
                },
                json.dumps({"act": act, "value": value}).encode(),
                endless=False,
            )
            for name, act, value in said
        ]
        return await asyncio.gather(*orders)

    answers = world.runner.get_loop().run_until_complete(every())
    world.settle()
    return [each.status for each in answers]


def test_two_at_once_on_one_value_leave_one_answer(world: World) -> None:
    rulings, ledger = world.hub.rulings, world.hub.ledger
    acts = ("confirm", "false-positive", "insist", "desist", "admit")
    for number in range(6):
        value = f"at-once-{number}.com"
        pair = [("SG first", acts[number % 5], value), ("TH first", acts[(number + 1) % 5], value)]
        twice = [("VN first", "false-positive", value), ("VN second", "false-positive", value)]
        assert at_once(world, *pair, *twice) == [201] * 4
        fresh = Rulings(None, ledger.epoch, ledger.length)
        while fresh.catch_up(ledger.scan, ledger.length):
            pass
        for home in ("SG", "TH", "VN"):
            found = rulings.words("domain", value, home, exercise=False)
            assert found == fresh.words("domain", value, home, exercise=False)
            assert len(set(found.reported_by)) == len(found.reported_by)


def test_a_claim_made_twice_at_once_is_one(world: World) -> None:
    claim = ("claim", "twice-at-once.vn")
    assert at_once(world, ("VN first", *claim), ("VN second", *claim)) == [201, 201]
    held = [each for each in listed(world, "VN first", value=claim[1]) if each["act"] == "claim"]
    assert len({each["until"] for each in held}) == 1, "it buys no more time"
    assert at_once(world, ("VN first", "release", claim[1]), ("VN second", *claim))[0] == 201
    assert "twice-at-once.vn" not in json.dumps(
        [each for each in listed(world, "VN first") if each["act"] == "claim" and each["holds"]]
    )


def test_whose_rights_were_taken_between_two_steps_says_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is revoked after the page was opened, and while the tellers are looked for."""
    push(world, who(world, "SG first"), "taken.com")
    one, other = world.hire("VN third", "VN"), world.hire("VN fourth", "VN")
    assert "taken.com" in page(world, "VN third", "value=taken.com")

    def revoke(key: str) -> Any:
        headers = {"host": "hub", "authorization": f"Bearer {world.operator.key}"}
        place = f"/api/keys/{key.split('_')[1]}"
        return world.asked("DELETE", place, headers, b"", endless=False)

    world.runner.get_loop().run_until_complete(revoke(one.key))
    length = world.hub.ledger.length
    assert pressed(world, "VN third", {"value": "taken.com", "act": "insist"}).status == 401
    assert say(world, one, "insist", "taken.com").status == 401
    assert world.hub.ledger.length == length
    notices = world.hub.hearing.notices

    async def meanwhile(*said: Any, **more: Any) -> Any:
        await revoke(other.key)
        return await notices(*said, **more)

    monkeypatch.setattr(world.hub.hearing, "notices", meanwhile)
    assert say(world, other, "false-positive", "taken.com").status == 401
    assert world.hub.ledger.length == length + 1, "the revocation alone"


def test_what_is_no_longer_a_member_s_own_is_not_claimed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = {"asset": "once-ours.com", "note": "sold"}
    assert world.ask("POST", "/api/members/VN/assets", world.operator, order).status == 201
    vn, notices = who(world, "VN first"), world.hub.hearing.notices
    assert say(world, who(world, "TH first"), "claim", "once-ours.com").status == 403

    async def meanwhile(*said: Any, **more: Any) -> Any:
        headers = {"host": "hub", "authorization": f"Bearer {world.operator.key}"}
        place = "/api/members/VN/assets?asset=once-ours.com"
        assert (await world.asked("DELETE", place, headers, b"", endless=False)).status == 200
        return await notices(*said, **more)

    monkeypatch.setattr(world.hub.hearing, "notices", meanwhile)
    assert say(world, vn, "claim", "once-ours.com").status == 403
    assert listed(world, "VN first", value="once-ours.com") == []


def test_the_command_lists_what_was_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    say(world, who(world, "VN first"), "insist", "told-by-command.com", reason="we know it")

    class Client:
        """Asks the world as a key's holder would ask over a socket."""

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def json(self, method: str, path: str, *, params: dict[str, str]) -> Any:
            answer = world.ask(method, f"{path}?{urlencode(params)}", who(world, "VN first"))
            return json.loads(answer.body)

    print_said(Client(), "told-by-command.com", "", as_json=False)  # type: ignore[arg-type]
    line = capsys.readouterr().out
    assert "insist told-by-command.com by VN, " in line
    assert line.endswith(": we know it\n")
