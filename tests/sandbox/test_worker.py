"""A quick tool is written to ahead; what it does wrong counts for the item that it did it on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bayanihan.errors import Refused
from bayanihan.sandbox.answer import Answer, NoAnswer, Question
from bayanihan.sandbox.isolate import Limits, Stage
from bayanihan.sandbox.pace import FIRST_ALONE, MOST_AHEAD, Pace
from bayanihan.sandbox.worker import Worker
from tests.sandbox.test_trial import MISBEHAVIOUR
from tests.sandbox.tools import EACH, READY, answering, isolator_or_skip, tool_of

_LIMITS = Limits(item_s=1.0)


def questions(texts: list[str]) -> list[Question]:
    return [Question(str(number), "sms", text) for number, text in enumerate(texts, 1)]


def told(answers: Iterator[Answer | NoAnswer]) -> list[str]:
    """Each answer as its id, each fault as its name."""
    return [each.id if isinstance(each, Answer) else each.fault for each in answers]


def asked_ahead(code: str, texts: list[str], limits: Limits = _LIMITS) -> tuple[list[str], int]:
    """What came of items that were asked ahead, and how often the tool was started."""
    with Stage(tool_of(code)) as stage, Worker(isolator_or_skip("L1"), stage, limits) as worker:
        found = told(worker.ask_ahead(questions(texts), MOST_AHEAD))
        return found, len(worker.cold_starts_s)


def test_a_fault_counts_for_its_item_and_those_on_their_way_are_asked_again() -> None:
    texts = [text for code in MISBEHAVIOUR for text in ("", code, "")]
    found, starts = asked_ahead(answering(before="exec(item['text'])"), texts)
    wanted = [str(number) for number in range(1, len(texts) + 1)]
    wanted[1::3] = MISBEHAVIOUR.values()
    assert found == wanted
    assert starts == len(MISBEHAVIOUR) + 1


def test_what_was_answered_before_a_crash_is_kept() -> None:
    code = answering(before="item['id'] == '40' and os._exit(1)")
    found, _ = asked_ahead(code, [""] * 50)
    assert found == [*map(str, range(1, 40)), "crashed", *map(str, range(41, 51))]


def saying(names: str) -> str:
    """Code that answers those whose names an expression gives."""
    told = "print(json.dumps({'id': name, 'verdict': 'benign'}), flush=True)"
    return f"for name in {names}:\n    {told}\n"


TWO = "two = [json.loads(sys.stdin.readline())['id'] for _ in range(2)]\n"
# What a tool does -> what comes of so many items.
UNASKED = {
    "out of order": (READY + TWO + saying("reversed(two)"), ["wrong-id"] * 3 + ["timeout"]),
    "twice": (EACH + "    " + saying("[item['id']] * 2").replace("\n ", "\n     "),
              ["1", "wrong-id", "3", "wrong-id"]),
    # In one write: what a pipe takes at once is read at once.
    "before it comes": (READY + "print('\\n'.join([json.dumps({'id': str(n), 'verdict': 'benign'})"
                        " for n in range(1, 99)]), flush=True)\ntime.sleep(60)\n",
                        ["1", "2", "3", "not-an-answer"]),
    "deaf": ("import os\nos.close(0)\n" + READY + "time.sleep(60)\n", ["crashed"]),
}  # fmt: skip


@pytest.mark.parametrize("name", UNASKED)
def test_what_is_not_asked_for_is_no_answer(name: str) -> None:
    code, wanted = UNASKED[name]
    assert asked_ahead(code, [""] * len(wanted))[0] == wanted


def test_long_items_and_long_answers_do_not_wait_for_each_other() -> None:
    """More than two pipes hold, both ways at once."""
    code = EACH + (
        "    told = {'id': item['id'], 'verdict': 'benign', 'reason': 'x' * 60_000}\n"
        "    print(json.dumps(told), flush=True)\n"
    )
    found, starts = asked_ahead(code, ["y" * 20_000, "y" * 300_000] * 10, Limits(item_s=20.0))
    assert found == [str(number) for number in range(1, 21)]
    assert starts == 1


def test_who_stops_listening_leaves_nothing_behind() -> None:
    isolator = isolator_or_skip("L1")
    with Stage(tool_of(answering())) as stage, Worker(isolator, stage, _LIMITS) as worker:
        answers = worker.ask_ahead(questions([""] * 40), MOST_AHEAD)
        assert isinstance(next(answers), Answer)
        answers.close()
        answer, took_us = worker.ask(Question("x", "sms", ""))
        assert answer.id == "x"
        assert took_us > 0


def test_a_tool_that_stops_starting_is_refused_in_the_middle() -> None:
    code = f"import os, sys\nmark = os.environ['TMPDIR'] + '/been'\n{READY}"
    code = code.replace("print", "os.path.exists(mark) and sys.exit(1); open(mark, 'w'); print", 1)
    code += "for line in sys.stdin:\n    os._exit(1)\n"
    isolator = isolator_or_skip("L1")
    with Stage(tool_of(code)) as stage, Worker(isolator, stage, _LIMITS) as worker:
        answers = worker.ask_ahead(questions([""] * 4), MOST_AHEAD)
        assert isinstance(next(answers), NoAnswer)
        with pytest.raises(Refused, match="did not start"):
            next(answers)


def test_only_a_quick_tool_is_written_to_ahead() -> None:
    pace = Pace()
    for _ in range(FIRST_ALONE):
        assert pace.ahead == 1
        assert pace.alone(256) == 256
        pace.answered_alone(1 / 8192)
    assert pace.ahead == 40
    assert pace.alone(256) == 16
    # One that is quick only while it is timed is asked one by one, and so timed, again.
    pace.answered(1.0)
    assert pace.ahead == 1
    for _ in range(64):
        pace.answered_alone(0.00001)
    assert pace.ahead == MOST_AHEAD
    pace.failed()
    assert pace.ahead == 1
