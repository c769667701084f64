"""Whatever goes wrong, the last good file stays and the receipt tells the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from bayanihan.agent.place import Place
from bayanihan.agent.turn import HEARTBEAT_US, PROBE_AGAIN_US
from bayanihan.errors import BayanihanError, Refused, Unavailable
from tests.agent.conftest import Bench, python
from tests.sim.hub import SimulatedHub, zone

PASS = python("")
FAIL = python("import sys; sys.exit('line 7: syntax error')")
# An engine that takes a file unless it holds the word `poison`, and keeps what it took.
ENGINE = """
import os, pathlib, sys
file = pathlib.Path(os.environ["BAYANIHAN_FILE"])
loaded = pathlib.Path(sys.argv[1])
text = file.read_text() if file.exists() else ""
sys.exit("poisoned") if "poison" in text else loaded.write_text(text)
"""
# Asks that engine: a canary prints its text.
ASK = """
import os, pathlib, sys
text = pathlib.Path(sys.argv[1]).read_text()
name = sys.argv[2]
for line in text.splitlines():
    if line.split(" ")[0] == name:
        print(line)
        sys.exit(0)
sys.exit(1)
"""


def engine(bench: Bench) -> dict[str, object]:
    loaded = str(bench.folder / "state" / "loaded")
    return {"reload": python(ENGINE, loaded), "probe": python(ASK, loaded, "{}")}


def test_a_version_is_fetched_and_said(bench: Bench, hub: SimulatedHub) -> None:
    digest = hub.publish(zone(1, "bad.example"))
    outcome = bench.turn()
    assert outcome.changed
    assert outcome.line.endswith("holds 1 items, fetched; receipt accepted")
    assert bench.out.read_bytes() == zone(1, "bad.example")
    (receipt,) = hub.receipts
    assert (receipt.feed, receipt.state, receipt.digest) == ("rpz.zone", "fetched", digest)
    assert receipt.cursor == hub.cursor()
    assert hub.authorization == "Bearer byn_a_b"
    assert bench.loose_files() == []


def test_nothing_new_is_not_fetched_again(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    bench.turn()
    outcome = bench.turn()
    assert (outcome.changed, hub.fetched, hub.states) == (False, [200, 304], ["fetched"])


def test_check_sees_the_new_file_before_it_is_placed(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1, "bad.example"))
    seen = bench.folder / "state" / "seen"
    look = (
        "import os, pathlib, sys;"
        "assert sys.argv[1] == os.environ['BAYANIHAN_FILE'];"
        f"assert not pathlib.Path({str(bench.out)!r}).exists();"
        f"pathlib.Path({str(seen)!r}).write_bytes(pathlib.Path(sys.argv[1]).read_bytes())"
    )
    bench.turn(check=python(look, "{}"))
    assert seen.read_bytes() == bench.out.read_bytes()


def test_a_failed_check_keeps_the_last_good_file(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    bench.turn(check=PASS)
    before = hub.cursor()
    hub.publish(zone(2, "bad.example"))
    with pytest.raises(Refused, match="line 7: syntax error") as caught:
        bench.turn(check=FAIL)
    assert caught.value.code == "check-failed"
    assert bench.out.read_bytes() == zone(1)
    last = hub.receipts[-1]
    assert (last.state, last.cursor, last.in_force) == ("failed", hub.cursor(), before)
    assert "line 7" in last.detail
    assert bench.loose_files() == []


def test_a_failed_check_of_the_first_version_leaves_nothing(
    bench: Bench, hub: SimulatedHub
) -> None:
    hub.publish(zone(1))
    with pytest.raises(Refused):
        bench.turn(check=FAIL)
    assert not bench.out.exists()
    assert (hub.states, hub.receipts[0].in_force) == (["failed"], "")


def test_a_failed_reload_puts_the_old_file_back(bench: Bench, hub: SimulatedHub) -> None:
    commands = engine(bench)
    hub.publish(zone(1, "bad.example"))
    assert "probed" in bench.turn(**commands).line  # type: ignore[arg-type]
    before = hub.cursor()
    hub.publish(zone(2, "poison.example"))
    with pytest.raises(Refused, match="poisoned") as caught:
        bench.turn(**commands)  # type: ignore[arg-type]
    assert caught.value.code == "reload-failed"
    assert bench.out.read_bytes() == zone(1, "bad.example")
    assert (bench.state / "loaded").read_bytes() == zone(1, "bad.example")
    last = hub.receipts[-1]
    assert (last.state, last.in_force) == ("failed", before)
    hub.publish(zone(3, "worse.example"))
    assert "probed" in bench.turn(**commands).line  # type: ignore[arg-type]
    assert hub.states == ["probed", "failed", "probed"]


def test_a_failed_reload_of_the_first_version_removes_it(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1, "poison.example"))
    with pytest.raises(Refused):
        bench.turn(reload=FAIL)
    assert not bench.out.exists()
    assert (hub.states, hub.receipts[0].in_force) == (["failed"], "")


def test_an_engine_that_takes_nothing_has_nothing_in_force(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    switch = bench.folder / "state" / "broken"
    reload = python(f"import pathlib, sys; sys.exit(pathlib.Path({str(switch)!r}).exists())")
    bench.turn(reload=reload)
    switch.touch()
    hub.publish(zone(2))
    with pytest.raises(Refused):
        bench.turn(reload=reload)
    assert bench.out.read_bytes() == zone(1)
    assert (hub.states, hub.receipts[-1].in_force) == (["loaded", "failed"], "")


def test_a_file_of_somebody_else_comes_back(bench: Bench, hub: SimulatedHub) -> None:
    bench.out.write_bytes(b"written by hand\n")
    bench.out.chmod(0o640)
    hub.publish(zone(1))
    with pytest.raises(Refused):
        bench.turn(reload=FAIL)
    assert bench.out.read_bytes() == b"written by hand\n"
    bench.turn(reload=PASS)
    assert bench.out.read_bytes() == zone(1)
    assert bench.out.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("cut", "feed-damaged"),
        ("empty", "feed-damaged"),
        ("bent", "feed-damaged"),
        ("bare", "feed-damaged"),
        ("coded", "feed-damaged"),
        ("status", "overloaded"),
    ],
)
def test_what_arrives_damaged_changes_nothing(
    bench: Bench, hub: SimulatedHub, fault: str, code: str
) -> None:
    hub.publish(zone(1))
    bench.turn()
    hub.publish(zone(2))
    hub.fault = fault
    with pytest.raises(Unavailable) as caught:
        bench.turn()
    assert caught.value.code == code
    assert bench.out.read_bytes() == zone(1)
    assert bench.loose_files() == []
    hub.fault = ""
    bench.turn()
    assert bench.out.read_bytes() == zone(2)


def test_the_hub_may_ask_for_patience(bench: Bench, hub: SimulatedHub) -> None:
    hub.fault, hub.status, hub.headers = "status", 503, {"Retry-After": "17"}
    with pytest.raises(Unavailable) as caught:
        bench.turn()
    assert caught.value.retry_after_s == 17


def test_a_hub_whose_disk_is_full_changes_nothing(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    bench.turn()
    hub.publish(zone(2))
    hub.fault, hub.status, hub.headers = "status", 507, {"Retry-After": "60"}
    with pytest.raises(Unavailable, match="507") as caught:
        bench.turn()
    assert caught.value.retry_after_s == 60
    assert bench.out.read_bytes() == zone(1)


@pytest.mark.parametrize(
    ("status", "code", "step"),
    [
        (401, "not-signed-in", "--key"),
        (403, "not-permitted", "--scope feed --scope receipt"),
        (302, "wrong-use", "--hub"),
        (418, "bad-parameter", "parameter"),
    ],
)
def test_a_refusal_says_what_to_do(
    bench: Bench, hub: SimulatedHub, status: int, code: str, step: str
) -> None:
    hub.fault, hub.status = "status", status
    with pytest.raises(Refused) as caught:
        bench.turn()
    assert caught.value.code == code
    assert step in caught.value.next_step


def test_the_hubs_own_words_are_passed_on(bench: Bench) -> None:
    with pytest.raises(Refused, match="told not-found") as caught:
        bench.turn()
    assert (caught.value.where, caught.value.next_step) == ("here", "do it")


def test_no_hub_is_said_in_one_line(tmp_path: Path) -> None:
    with SimulatedHub() as gone:
        bench = Bench(tmp_path, gone)
        address = gone.address
    bench.hub = type("Gone", (), {"address": address})()
    with pytest.raises(Unavailable, match="cannot be reached") as caught:
        bench.turn()
    assert caught.value.code == "hub-unreachable"


# --- receipts --------------------------------------------------------------------------------


def test_a_receipt_that_was_not_taken_is_sent_again(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    hub.refusal = (403, "pending")
    outcome = bench.turn()
    assert outcome.line.endswith("receipt not sent yet")
    assert isinstance(outcome.trouble, BayanihanError)
    assert outcome.trouble.code == "pending"
    assert bench.out.read_bytes() == zone(1)
    hub.refusal = None
    assert bench.turn().line.endswith("receipt accepted")
    assert (hub.fetched, hub.states) == ([200, 304], ["fetched"])


def test_a_sign_of_life_every_five_minutes(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    bench.turn()
    bench.now_us += HEARTBEAT_US - 100
    bench.turn()
    assert len(hub.receipts) == 1
    bench.now_us += 200
    bench.turn()
    first, second = hub.receipts
    assert second.at > first.at
    assert (second.state, second.cursor) == (first.state, first.cursor)


def test_a_clock_set_back_still_gives_later_receipts(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    bench.turn()
    bench.now_us -= 60_000_000
    hub.publish(zone(2))
    bench.turn()
    assert hub.receipts[1].at > hub.receipts[0].at


def test_a_restored_hub_is_followed_from_the_start(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    bench.turn()
    bench.now_us += HEARTBEAT_US + 1
    hub.refusal = (410, "reset")
    assert bench.turn().trouble is not None
    hub.refusal = None
    assert bench.turn().changed
    assert hub.fetched == [200, 304, 200]


def test_without_a_key_there_is_no_receipt(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    assert bench.turn(key="").line.endswith("no receipt without a key")
    assert (hub.receipts, hub.authorization) == ([], "")


# --- what the file is ------------------------------------------------------------------------


def test_a_file_that_was_changed_is_put_right(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    bench.turn()
    bench.out.write_bytes(b"tampered\n")
    assert bench.turn().changed
    assert bench.out.read_bytes() == zone(1)


def test_other_commands_begin_again(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    bench.turn()
    assert bench.turn(reload=PASS).changed
    assert hub.states == ["fetched", "loaded"]


def test_a_damaged_record_begins_again(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    bench.turn()
    (bench.folder / ".rpz.zone.record").write_bytes(b'{"feed": ')
    assert bench.turn().changed


def test_exercises_and_real_feeds_stay_apart(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    hub.publish(zone(1, "drill.example"), "exercise-rpz.zone")
    bench.turn()
    with pytest.raises(Refused, match="no exercise's") as caught:
        bench.turn(feed="exercise-rpz.zone")
    assert caught.value.code == "wrong-use"
    assert bench.out.read_bytes() == zone(1)
    bench.out.unlink()
    bench.turn(feed="exercise-rpz.zone")
    with pytest.raises(Refused, match="an exercise's"):
        bench.turn()
    assert bench.out.read_bytes() == zone(1, "drill.example")


def test_pause_changes_nothing_and_says_so(bench: Bench, hub: SimulatedHub) -> None:
    hub.publish(zone(1))
    bench.turn()
    (bench.state / "pause").touch()
    hub.publish(zone(2))
    bench.now_us += HEARTBEAT_US + 1
    outcome = bench.turn()
    assert "paused" in outcome.line
    assert bench.out.read_bytes() == zone(1)
    assert hub.fetched == [200]
    assert hub.receipts[1].cursor == hub.receipts[0].cursor
    (bench.state / "pause").unlink()
    assert bench.turn().changed


def test_a_second_agent_is_kept_away(bench: Bench, hub: SimulatedHub) -> None:
    place = Place(bench.out)
    try:
        with pytest.raises(Refused, match="Another agent") as caught:
            bench.turn()
        assert caught.value.code == "in-use"
    finally:
        place.close()
    hub.publish(zone(1))
    assert bench.turn().changed


def test_a_crash_after_placing_does_not_lose_the_good_version(
    bench: Bench, hub: SimulatedHub
) -> None:
    hub.publish(zone(1))
    bench.turn(reload=PASS)
    # As if the machine had stopped between placing the next version and loading it.
    good = bench.folder / ".rpz.zone.last-good"
    bench.out.replace(good)
    bench.out.write_bytes(zone(2, "poison.example"))
    hub.publish(zone(2, "poison.example"))
    loaded = str(bench.folder / "state" / "loaded")
    with pytest.raises(Refused):
        bench.turn(reload=python(ENGINE, loaded))
    assert bench.out.read_bytes() == zone(1)


# --- probing ---------------------------------------------------------------------------------


def test_probed_needs_the_running_engine(bench: Bench, hub: SimulatedHub) -> None:
    commands = engine(bench)
    hub.publish(zone(1, "bad.example"))
    assert "1 items, probed" in bench.turn(**commands).line  # type: ignore[arg-type]
    hub.publish(zone(2, "bad.example", "new.example"))
    assert "2 items, probed" in bench.turn(**commands).line  # type: ignore[arg-type]


def test_an_engine_that_kept_the_old_version_is_not_probed(bench: Bench, hub: SimulatedHub) -> None:
    commands = engine(bench)
    hub.publish(zone(1, "bad.example"))
    bench.turn(**commands)  # type: ignore[arg-type]
    hub.publish(zone(2, "bad.example"))
    bench.turn(reload=PASS, probe=commands["probe"])  # type: ignore[arg-type]
    last = hub.receipts[-1]
    assert last.state == "loaded"
    assert "not with this version's text" in last.detail
    assert len(bench.rested_s) > 5


def test_a_probe_that_calls_everything_blocked_proves_nothing(
    bench: Bench, hub: SimulatedHub
) -> None:
    hub.publish(zone(1, "bad.example"))
    bench.turn(reload=PASS, probe=python("import os; print(os.environ['BAYANIHAN_EXPECT'])"))
    (receipt,) = hub.receipts
    assert receipt.state == "loaded"
    assert "proves nothing" in receipt.detail


def test_an_engine_that_forgot_is_found_out(bench: Bench, hub: SimulatedHub) -> None:
    commands = engine(bench)
    hub.publish(zone(1, "bad.example"))
    bench.turn(**commands)  # type: ignore[arg-type]
    (bench.state / "loaded").write_text("")
    bench.now_us += HEARTBEAT_US + 1
    bench.turn(**commands)  # type: ignore[arg-type]
    assert hub.states == ["probed", "loaded"]
    (bench.state / "loaded").write_bytes(bench.out.read_bytes())
    bench.now_us += PROBE_AGAIN_US + 1
    bench.turn(**commands)  # type: ignore[arg-type]
    assert hub.states == ["probed", "loaded", "probed"]


def test_the_key_stays_with_the_agent(
    bench: Bench, hub: SimulatedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAYANIHAN_KEY", "byn_a_b")
    hub.publish(zone(1))
    bench.turn(check=python("import os, sys; sys.exit('BAYANIHAN_KEY' in os.environ)"))
    assert bench.out.exists()
