"""The contract between harness and tool: JSON lines, one item in, one answer out.

1. The tool starts, loads, trains, and then writes `{"ready":1}`.
2. The harness writes items, one on a line. To a quick tool it may write up to 64 of them before
   earlier ones are answered.
3. The tool answers each item on a line, in their order, without waiting for the next one.
4. The harness closes the tool's input; the tool ends.

Whatever the tool writes to its standard error is kept for its author, at most the last 4 KiB.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Verdict = Literal["malicious", "benign"]
READY = b'{"ready":1}'


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """One item as the tool sees it: no label, no campaign, no id of the corpus.

    Attributes:
        id: a number of this trial alone; the answer repeats it.
        medium: mail, sms, script or document.
        text: the message or the file's text.
        sender: who it claims to be from, for messages.
        subject: the subject line, for mail.
    """

    id: str
    medium: str
    text: str
    sender: str = ""
    subject: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What the tool says of one item; other keys are let pass and not read.

    Attributes:
        id: the item's.
        verdict: malicious or benign. There is no third word.
        score: how sure it is that the item is malicious, 0 to 1.
        reason: for its author, who may want it while developing; it is not kept.
    """

    id: str
    verdict: Verdict
    score: Annotated[float, Meta(ge=0, le=1)] | None = None
    reason: str = ""


class Ready(msgspec.Struct, frozen=True):
    """The tool's first line."""

    ready: int


# Why an item has no answer.
FAULTS = ("crashed", "timeout", "too-long", "not-an-answer", "wrong-id", "scratch-full")


class NoAnswer(Exception):
    """The tool did not answer an item as the contract asks.

    Args:
        fault: one of `FAULTS`.
        told: what happened, for people.
    """

    def __init__(self, fault: str, told: str) -> None:
        super().__init__(told)
        self.fault = fault


_answers = msgspec.json.Decoder(Answer)
_readies = msgspec.json.Decoder(Ready)
_encoder = msgspec.json.Encoder()


def question_line(question: Question) -> bytes:
    """The item as one line of JSON in UTF-8."""
    return _encoder.encode(question) + b"\n"


def read_answer(line: bytes) -> Answer:
    """The answer on a line. Raises `msgspec.MsgspecError` with what is wrong about it."""
    return _answers.decode(line)


def is_ready(line: bytes) -> bool:
    """Whether a line says that the tool is ready."""
    try:
        return _readies.decode(line).ready == 1
    except msgspec.MsgspecError:
        return False
