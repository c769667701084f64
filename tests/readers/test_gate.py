"""The engine gate: what is found, what is held, and what is served meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core import feed_delta
from bayanihan.core.marking import PUBLIC
from bayanihan.core.signing import SigningKey, from_text, verify
from bayanihan.errors import Unavailable
from bayanihan.readers.feeds import FORMATS, Item, Press
from bayanihan.readers.feeds.engines import Engine, Engines
from bayanihan.readers.feeds.gate import POISON_LIMIT, Verdict, sift
from bayanihan.readers.feeds.grammar import fault
from tests.readers.record import START_US, Record, named, press_over

KEY = SigningKey(b"k" * 32)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path) as found:
        yield found


class Fussy:
    """An engine that refuses files in which one of some words stands."""

    def __init__(self, *words: bytes) -> None:
        self.words = list(words)
        self.asked = 0
        self.go = threading.Event()
        self.go.set()

    def __call__(self, name: str, files: Mapping[str, bytes]) -> Verdict:
        self.asked += 1
        self.go.wait(30)
        for word in self.words:
            if word in files[name]:
                return Verdict("refused", f"I do not like {word.decode()}")
        return Verdict("accepted")


@pytest.fixture
def engine() -> Fussy:
    return Fussy(b"poison-evil.com")


@pytest.fixture
def press(record: Record, engine: Fussy) -> Iterator[Press]:
    found = press_over(record, examine=engine, sign=KEY.sign)
    yield found
    engine.go.set()
    found.close()


# --- sifting ---------------------------------------------------------------------------------


@given(st.integers(1, 200), st.sets(st.integers(0, 199), max_size=POISON_LIMIT))
def test_sifting_finds_exactly_what_is_refused(count: int, bad: set[int]) -> None:
    items = [Item("domain", str(number)) for number in range(count)]
    wrong = {str(number) for number in bad if number < count}

    def ask(part: Sequence[Item]) -> Verdict:
        names = wrong & {item.value for item in part}
        return Verdict("refused", "no") if names else Verdict("accepted")

    found = sift(items, ask)
    assert found.whole
    assert {item.value for item, _ in found.poison} == wrong


def test_sifting_gives_up_where_the_format_itself_is_refused() -> None:
    items = [Item("domain", str(number)) for number in range(100)]
    for ask in (
        lambda part: Verdict("refused", "everything"),
        lambda part: Verdict("refused", "no") if part else Verdict("accepted"),
    ):
        found = sift(items, ask)
        assert not found.whole
        assert found.poison == ()


def test_two_that_are_bad_only_together_are_no_poison() -> None:
    def ask(part: Sequence[Item]) -> Verdict:
        return Verdict("refused", "both") if len(part) == 2 else Verdict("accepted")

    assert not sift([Item("domain", "a"), Item("domain", "b")], ask).whole


# --- publishing ------------------------------------------------------------------------------


def test_a_version_is_verified_when_the_engine_took_exactly_it(
    record: Record, press: Press, engine: Fussy
) -> None:
    record.push(named("one-evil.com"))
    rights = record.rights(PUBLIC)
    assert not any(row["verified"] for row in press.listing(rights, START_US)), "not asked yet"
    found = press.version("rpz.zone", rights, START_US)
    assert found.verified
    assert engine.asked == 1
    rows = {row["feed"]: row["verified"] for row in press.listing(rights, START_US)}
    assert rows["rpz.zone"]
    assert not rows["domains.txt"]


def test_poison_is_held_with_the_reason_and_the_rest_is_published(
    record: Record, press: Press
) -> None:
    bad = record.push(named("poison-evil.com"))
    record.push(named("one-evil.com", "two-evil.com", "three-evil.com"))
    found = press.version("rpz.zone", record.rights(PUBLIC), START_US)
    assert (found.items, found.verified) == (3, True)
    (left,) = found.held
    assert (left.value, left.id) == ("poison-evil.com", bad)
    assert "named-checkzone refuses it: I do not like poison-evil.com" in left.reason
    assert b"poison" not in found.body
    record.push(named("four-evil.com"))
    again = press.version("rpz.zone", record.rights(PUBLIC), START_US)
    assert (again.items, again.held_total) == (4, 1), "it stays held"


def test_the_last_good_version_stays_when_the_engine_takes_no_new_one(
    record: Record, press: Press, engine: Fussy
) -> None:
    rights = record.rights
    record.push(named("one-evil.com"))
    good = press.version("rpz.zone", rights(PUBLIC), START_US)
    engine.words.append(b"SOA")
    record.push(named("two-evil.com"))
    kept = press.version("rpz.zone", rights(PUBLIC), START_US)
    assert (kept.body, kept.cursor) == (good.body, good.cursor)
    assert "takes no version of rpz.zone" in kept.checked
    engine.words.remove(b"SOA")
    record.push(named("three-evil.com"))
    assert press.version("rpz.zone", rights(PUBLIC), START_US).items == 3


def test_without_any_good_version_the_reason_is_the_answer(
    record: Record, press: Press, engine: Fussy
) -> None:
    record.push(named("one-evil.com"))
    engine.words.append(b"SOA")
    with pytest.raises(Unavailable) as caught:
        press.version("rpz.zone", record.rights(PUBLIC), START_US)
    assert caught.value.code == "feed-refused"
    assert "I do not like SOA" in caught.value.message


def test_an_engine_that_cannot_be_asked_says_nothing_for_or_against(record: Record) -> None:
    record.push(named("one-evil.com"))
    found = record.press.version("rpz.zone", record.rights(PUBLIC), START_US)
    assert not found.verified
    assert found.checked == "not verified: engines are turned off"


def test_while_the_engine_thinks_the_last_good_version_is_there(
    record: Record, press: Press, engine: Fussy
) -> None:
    record.push(named("one-evil.com"))
    rights = record.rights(PUBLIC)
    good = press.version("rpz.zone", rights, START_US)
    record.push(named("two-evil.com"))
    engine.go.clear()
    thread = threading.Thread(target=press.version, args=("rpz.zone", rights, START_US))
    thread.start()
    assert press.ready("rpz.zone", rights, START_US) is None
    assert press.last_good("rpz.zone", rights, START_US) is good
    engine.go.set()
    thread.join()
    found = press.ready("rpz.zone", rights, START_US)
    assert found is not None
    assert found.items == 2


def test_proving_asks_about_every_feed_in_the_background(
    record: Record, press: Press, engine: Fussy
) -> None:
    record.push(named("one-evil.com"))
    rights = record.rights(PUBLIC)
    press.prove(rights, lambda: START_US)
    wait_for(lambda: all(press.ready(feed, rights, START_US) for feed in press.feeds))
    rows = press.listing(rights, START_US)
    assert all(row["verified"] for row in rows)
    press.prove(rights, lambda: START_US)
    assert engine.asked == len(press.feeds)


def test_a_version_is_signed(record: Record, press: Press) -> None:
    record.push(named("one-evil.com"))
    found = press.version("domains.txt", record.rights(PUBLIC), START_US)
    said = feed_delta.signed_text("domains.txt", found.cursor, f"sha-256={found.digest}")
    signature = from_text(found.signature, size_bytes=64, where="signature")
    assert verify(KEY.public, said, signature)
    assert not verify(KEY.public, said.replace(b"domains", b"remains"), signature)


def wait_for(true: Callable[[], object]) -> None:
    for _ in range(1_000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("it did not come to pass")


# --- our own reader --------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_our_own_reader_takes_what_we_write_and_no_line_more(record: Record, name: str) -> None:
    record.push(
        named("evil-one.com", "_x.evil-two.com")
        + " OR [ipv4-addr:value = '45.83.64.1'] OR [ipv4-addr:value = '45.83.0.0/16']"
        + " OR [ipv6-addr:value = '2a01:4f8::1'] OR [url:value = 'http://evil-one.com/a;b?c=(d)']"
        + f" OR [file:hashes.'SHA-256' = '{'d' * 63}e'] OR [email-addr:value = 'a@evil.com']"
        + f" OR [file:hashes.TLSH = 'T1{'A' * 70}']"
    )
    record.push(named("play.example"), exercise=True)
    for feed in (name, f"exercise-{name}"):
        body = record.press.version(feed, record.rights(PUBLIC), START_US).body
        assert fault(name, body) is None
        text_of_ours = fault(name, b"what is this?\n") is not None
        if text_of_ours:
            assert fault(name, body + b"one more thing, unasked\x01\n") is not None
            assert fault(name, body.removesuffix(b"\n")) is not None
            assert fault(name, body + b"\xff\n") is not None


# --- processes -------------------------------------------------------------------------------


def shell(script: str, **more: object) -> Engine:
    return Engine("sh", lambda folder, file: ["-c", script, "sh", str(file)], **more)  # type: ignore[arg-type]


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Callable[[Engine], Verdict]:
    def ask(engine: Engine) -> Verdict:
        monkeypatch.setitem(
            __import__("bayanihan.readers.feeds.engines", fromlist=["ENGINES"]).ENGINES,
            "x.txt",
            engine,
        )
        return Engines(timeout_s=2).examine("x.txt", {"x.txt": b"bytes", "f/y.txt": b"more"})

    return ask


def test_an_engine_sees_the_files_and_its_word_counts(engines: Callable[[Engine], Verdict]) -> None:
    assert engines(shell('[ "$(cat "$1" f/y.txt)" = bytesmore ]')).word == "accepted"
    refused = engines(shell("echo because of line 3; exit 1"))
    assert (refused.word, refused.why) == ("refused", "because of line 3")
    assert engines(shell("echo WARNING: x; exit 0", bad_words=("WARNING",))).word == "refused"


def test_an_engine_that_cannot_work_says_nothing(engines: Callable[[Engine], Verdict]) -> None:
    assert engines(shell("echo Operation not permitted; exit 1")).word == "unable"
    assert engines(Engine("no-such-program-here", lambda folder, file: [])).word == "unable"
    assert engines(Engine("x", lambda f, p: [], module="no_such_module_here")).word == "unable"
    assert engines(shell("kill -9 $$")).word == "unable"
    assert "longer than 2 s" in engines(shell("sleep 600 & sleep 600")).why


def test_nothing_is_left_of_an_engine(engines: Callable[[Engine], Verdict], tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    engines(shell(f"sleep 600 & echo $! > {mark}; exit 0"))
    pid = int(mark.read_text(encoding="ascii"))
    wait_for(lambda: not alive(pid))


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return (
        status.exists() and status.read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    )


def test_engines_that_are_stopped_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module = __import__("bayanihan.readers.feeds.engines", fromlist=["ENGINES"])
    monkeypatch.setitem(module.ENGINES, "x.txt", shell("sleep 600"))
    engines = Engines()
    found: list[Verdict] = []
    thread = threading.Thread(target=lambda: found.append(engines.examine("x.txt", {"x.txt": b""})))
    thread.start()
    wait_for(lambda: engines._running)
    engines.stop()
    thread.join(20)
    assert [each.word for each in found] == ["unable"]
    assert engines.examine("x.txt", {"x.txt": b""}).word == "unable"
