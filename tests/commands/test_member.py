"""`bayanihan member hide` and `show`: a member's protection, as the others see it."""

from __future__ import annotations

import pytest

from bayanihan.core import moment
from bayanihan.core.receipt import Receipt, sign
from bayanihan.core.signing import SigningKey
from bayanihan.ledger import wall_us
from tests.sim.objects import indicator
from tests.sim.process import RunningHub, command
from tests.sim.reader import until


def states(hub: RunningHub, key: str, object_id: str) -> dict[str, str]:
    rows = hub.ask("GET", f"/api/protection/{object_id}", key).json()["members"]
    return {row["member"]: row["state"] for row in rows}


def member(hub: RunningHub, *words: str, key: str = "") -> tuple[int, str]:
    env = {"BAYANIHAN_HUB": hub.url, "BAYANIHAN_KEY": key or hub.admin}
    done = command("member", *words, env=env)
    return done.returncode, (done.stdout + done.stderr).decode()


def protected(hub: RunningHub, code: str) -> str:
    """An object that a member is protected against."""
    one = indicator(value=f"{code.lower()}-hidden-evil.com")
    hub.push(hub.admin, one, tlp="clear")
    key = hub.key(code)
    until(lambda: one["name"] in hub.ask("GET", "/feeds/domains.txt", key).text)
    feed = hub.ask("GET", "/feeds/domains.txt", key)
    receipt = Receipt(
        feed="domains.txt",
        cursor=feed.headers["bayanihan-cursor"],
        digest=feed.headers["bayanihan-digest"].removeprefix("sha-256="),
        state="probed",
        at=moment.render(wall_us()),
    )
    signed = sign(receipt, SigningKey(code.encode() * 16))
    assert hub.ask("POST", "/api/receipts", key, json=signed).status_code == 200
    return str(one["id"])


def test_a_member_hides_its_protection_and_shows_it_again(hub: RunningHub) -> None:
    object_id = protected(hub, "TL")
    tl, vn = hub.key("TL"), hub.key("VN")
    assert states(hub, vn, object_id)["TL"] == "protected"
    code, said = member(hub, "hide", "TL")
    assert (code, said.split()[-1]) == (0, "members")
    for other in (vn, hub.admin):
        assert states(hub, other, object_id)["TL"] == "unknown"
    assert states(hub, tl, object_id)["TL"] == "protected", "a member sees itself"
    listed = hub.ask("GET", f"/api/protection/{object_id}", "").json()
    assert listed["counts"].get("protected", 0) == 0
    assert member(hub, "show", "TL")[0] == 0
    assert states(hub, vn, object_id)["TL"] == "protected"


def test_a_members_own_administrator_may_and_another_may_not(hub: RunningHub) -> None:
    own, other = (hub.key(code, scopes=["admin"]) for code in ("BN", "KH"))
    code, said = member(hub, "hide", "BN", key=other)
    assert (code, "[not-permitted]" in said) == (1, True)
    assert member(hub, "hide", "BN", key=own)[0] == 0
    assert member(hub, "show", "BN", key=own)[0] == 0


@pytest.mark.parametrize("code", ["XX", "sg", "é"])
def test_a_member_that_does_not_exist_is_refused(hub: RunningHub, code: str) -> None:
    exit_code, said = member(hub, "hide", code)
    assert exit_code == 1
    assert "Traceback" not in said
