"""The command line: every verb helps, answers 0, 1 or 2, and never with a traceback."""

from __future__ import annotations

import json
import re
import sqlite3
from importlib import import_module
from pathlib import Path

import pytest
from cyclopts import App
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bayanihan.cli import COMMANDS
from tests.sim.command import run
from tests.sim.objects import indicator
from tests.sim.process import RunningHub, command, free_port

NOBODY = "http://127.0.0.1:1"


def verbs() -> list[list[str]]:
    """Every verb, and every verb below a verb."""
    found_verbs = []
    for name, place in COMMANDS.items():
        module, _, attribute = place.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, App):
            found_verbs += [[name, each] for each in found if not each.startswith("-")]
        found_verbs.append([name])
    return found_verbs


# --- wrong use -------------------------------------------------------------------------------


GROUPED = [[name] for name, *more in verbs() if more]


@pytest.mark.parametrize("words", verbs(), ids=" ".join)
def test_every_verb_has_help_with_an_example(
    words: list[str], told: None, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capfd, *words, "--help")
    assert (code, err) == (0, "")
    assert f"bayanihan {words[0]}" in " ".join(out.split())
    if words not in GROUPED:
        assert f"Example: bayanihan {' '.join(words)}" in " ".join(out.split())


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_list_of_verbs_says_what_each_is_for(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    out = run(capfd, *words)[1]
    silent = [name for name in COMMANDS if not re.search(rf"│ {name} +\w", out)]
    assert silent == []


@pytest.mark.parametrize("words", GROUPED, ids=" ".join)
def test_the_list_of_a_group_says_what_each_is_for(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    out = run(capfd, *words, "--help")[1]
    mine = [more[-1] for more in verbs() if more[:-1] == words]
    assert mine
    assert [name for name in mine if not re.search(rf"│ {name} +\w", out)] == []


WRONG = [
    ["nosuch"],
    ["--nosuch"],
    ["push"],
    ["push", "x.json", "--nosuch"],
    ["push", "--tlp"],
    ["key", "nosuch"],
    ["key", "new"],
    ["key", "revoke"],
    ["key", "trust", "x"],
    ["member", "group", "x"],
    ["feed"],
    ["follow", "--limit", "x"],
    ["follow", "--limit", "-1"],
    ["pull", "--limit", "-1"],
    ["up", "--port", "x"],
    ["restore"],
    ["verify", "one", "two"],
    ["pull", "--hub", "http://hub:x", "--key", "byn_a_b"],
    ["key", "revoke", "..", "--key", "byn_a_b"],
]


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_use_is_2(words: list[str], told: None, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, *words)
    assert code == 2
    assert out + err
    assert "Traceback" not in out + err


def test_the_version_is_told(told: None, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "--version")
    assert code == 0
    assert out.strip()[0].isdigit()


# --- refused ---------------------------------------------------------------------------------

ASKING = [
    ["push", "-"],
    ["pull"],
    ["feed", "--list"],
    ["feed", "rpz.zone"],
    ["key", "list"],
    ["key", "new", "--scope", "read"],
    ["key", "revoke", "x"],
    ["member", "list"],
    ["member", "leave", "SG"],
    ["verify", "--remote", NOBODY],
]


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_a_hub_that_does_not_answer_is_told(words: list[str], told: None) -> None:
    hub = [] if "--remote" in words else ["--hub", NOBODY]
    one = json.dumps(indicator()).encode()
    done = command(*words, *hub, "--key", "byn_a_b", stdin=one)
    assert done.returncode == 1
    assert b"[hub-unreachable]" in done.stderr
    assert b"  Next: " in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("words", [each for each in ASKING if "--remote" not in each], ids=" ".join)
def test_without_a_key_it_is_told_where_one_was_looked_for(
    words: list[str], told: None, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capfd, *words, "--hub", NOBODY)
    assert code == 1
    assert "admin.key" in err
    assert "[not-signed-in]" in err


@pytest.mark.parametrize("key", ["byn_x_y", "nonsense", "ключ", "a b", "a\nb", "é", "\x00x"])
def test_a_wrong_key_is_told(at: RunningHub, key: str, capfd: pytest.CaptureFixture[str]) -> None:
    for words in (["pull"], ["feed", "--list"], ["key", "list"], ["follow", "--limit", "1"]):
        code, _, err = run(capfd, *words, "--key", key)
        assert (code, "[not-signed-in]" in err) == (1, True)


def test_a_scope_that_is_missing_is_named(
    at: RunningHub, capfd: pytest.CaptureFixture[str]
) -> None:
    key = at.key("SG", scopes=["feed"])
    code, _, err = run(capfd, "pull", "--key", key)
    assert code == 1
    assert "`read`" in err


WORD = st.one_of(
    st.sampled_from(
        ["push", "pull", "feed", "key", "member", "verify", "backup", "new", "list", "revoke"]
    ),
    st.sampled_from(
        [
            "--json",
            "--tlp",
            "--key",
            "--hub",
            NOBODY,
            "--data",
            "--to",
            "--list",
            "--held",
            "-",
            "--",
        ]
    ),
    st.sampled_from(["--help", "--state", "--out", "--after", "--limit", "0", "-1", "rpz.zone"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(words=st.lists(WORD, max_size=6))
def test_any_words_end_in_0_1_or_2(
    words: list[str], told: None, capfd: pytest.CaptureFixture[str]
) -> None:
    if {"up", "agent", "follow"} & set(words) or not words:
        return
    code, out, err = run(capfd, *words)
    assert code in (0, 1, 2)
    assert "Traceback" not in out + err
    assert "fault of ours" not in err


# --- keys, members and feeds -----------------------------------------------------------------


def test_keys_are_made_listed_and_ended(at: RunningHub, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["--member", "SG", "--scope", "feed", "--scope", "receipt", "--label", "ห้องเวร"]
    code, out, _ = run(capfd, "key", "new", *words, "--json")
    made = json.loads(out)
    assert (code, made["key"].split("_")[1]) == (0, made["id"])
    code, out, _ = run(capfd, "key", "new", *words)
    assert out.strip().startswith("byn_")
    code, out, _ = run(capfd, "key", "list", "--json")
    assert made["id"] in [each["id"] for each in json.loads(out)]
    assert made["key"] not in out
    code, out, _ = run(capfd, "key", "list")
    assert "ห้องเวร" in out
    assert run(capfd, "key", "revoke", made["id"])[0] == 0
    code, _, err = run(capfd, "key", "revoke", made["id"])
    assert (code, "[not-found]" in err) == (1, True)
    assert run(capfd, "key", "trust", made["id"], "00")[0] == 1
    assert run(capfd, "key", "new", "--scope", "everything")[0] == 1


def test_members_are_listed_and_grouped(at: RunningHub, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "member", "list", "--json")
    assert (code, len(json.loads(out))) == (0, 11)
    code, out, _ = run(capfd, "member", "list")
    assert "no national CERT confirmed" in out
    assert run(capfd, "member", "group", "cli", "--member", "SG", "--member", "VN")[0] == 0
    assert run(capfd, "member", "group", "cli", "--member", "XX")[0] == 1
    assert run(capfd, "member", "constituent", "SG", "cli-bank", "--title", "Bank")[0] == 0
    assert run(capfd, "member", "leave", "XX")[0] == 1


def test_feeds_are_listed_and_printed(at: RunningHub, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "feed", "--list", "--json")
    wanted = {"feed", "engine", "verified", "items", "size_bytes", "held", "not_expressed"}
    assert code == 0
    assert all(wanted <= set(each) for each in json.loads(out))
    code, out, _ = run(capfd, "feed", "rpz.zone")
    assert (code, "SOA" in out) == (0, True)
    for name in ("nosuch", "../api/keys", "..", "a/b", "\x1b[2J"):
        code, out, err = run(capfd, "feed", name)
        assert code in (1, 2)
        assert "byn_" not in out
        assert "\x1b" not in err


# --- verify ----------------------------------------------------------------------------------


def test_verify_works_on_a_running_and_on_a_stopped_hub(
    own_hub: RunningHub, told: None, capfd: pytest.CaptureFixture[str]
) -> None:
    hub = own_hub.start()
    hub.push(hub.admin, indicator())
    running = run(capfd, "verify", "--data", hub.data)
    hub.stop()
    stopped = run(capfd, "verify", "--data", hub.data)
    for code, out, _ in (running, stopped):
        assert (code, out.splitlines()[-1]) == (0, "verify: ok")
    code, out, _ = run(capfd, "verify", "--data", hub.data, "--json")
    assert (code, json.loads(out)["ok"]) == (0, True)


def test_verify_finds_a_record_that_was_changed(
    own_hub: RunningHub, told: None, capfd: pytest.CaptureFixture[str]
) -> None:
    hub = own_hub.start()
    one = indicator()
    hub.push(hub.admin, one)
    hub.stop()
    database = sqlite3.connect(hub.data / "ledger.db")
    (before,) = database.execute("SELECT body FROM entries ORDER BY position DESC").fetchone()
    database.execute("UPDATE entries SET body = ? WHERE body = ?", (before + b" ", before))
    database.commit()
    code, out, _ = run(capfd, "verify", "--data", hub.data)
    assert code == 1
    assert "its body is not what was submitted" in out
    database.execute("UPDATE entries SET body = ? WHERE body = ?", (before, before + b" "))
    database.commit()
    database.close()
    assert run(capfd, "verify", "--data", hub.data)[0] == 0


@pytest.mark.parametrize("data", [b"", b"hello", b"SQLite format 3\x00" + bytes(5_000)])
def test_verify_of_what_is_no_ledger_is_told(
    told: None, tmp_path: Path, data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capfd, "verify", "--data", tmp_path)
    assert (code, "[cannot-read]" in err) == (1, True)
    (tmp_path / "ledger.db").write_bytes(data)
    code, out, err = run(capfd, "verify", "--data", tmp_path)
    assert code == 1
    assert "fault of ours" not in err
    assert "[record-damaged]" in err or "fault" in out


def test_a_free_port_answers_nobody(told: None, capfd: pytest.CaptureFixture[str]) -> None:
    hub = f"http://127.0.0.1:{free_port()}"
    assert run(capfd, "pull", "--hub", hub, "--key", "byn_a_b")[0] == 1
