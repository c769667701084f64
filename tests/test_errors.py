"""Every error, wherever it leaves: one shape, a next step, and nothing that steers a reader."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import RequestFactory

from bayanihan.errors import (
    CODES,
    BayanihanError,
    Broken,
    Refused,
    Unavailable,
    as_dict,
    as_json,
    as_text,
    one_line,
    plain,
)
from bayanihan.web.errors import on_any
from tests.sim.process import RunningHub

FAMILIES: dict[str, type[BayanihanError]] = {
    "refused": Refused,
    "unavailable": Unavailable,
    "broken": Broken,
}
ANY_TEXT = st.text(st.characters())  # half surrogate pairs included


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_status_and_a_next_step(code: str) -> None:
    entry = CODES[code]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    assert 400 <= entry.status <= 599
    assert entry.next_step.endswith(".")
    error = FAMILIES[entry.family](code, "It is so")
    assert (error.status, error.next_step) == (entry.status, entry.next_step)


def test_a_code_of_another_family_is_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError, match="belongs to unavailable"):
        Refused("disk-full", "no")
    with pytest.raises(KeyError):
        Refused("no-such-code", "no")


@given(ANY_TEXT, ANY_TEXT)
def test_json_holds_any_text(message: str, where: str) -> None:
    error = Refused("bad-value", message, where=where)
    told = json.loads(as_json(error))
    assert set(told["error"]) == {"code", "message", "next_step", "where"}
    assert told == as_dict(error)


@given(ANY_TEXT, ANY_TEXT)
def test_text_is_two_lines_that_steer_nothing(message: str, where: str) -> None:
    text = as_text(Refused("bad-value", message, where=where))
    first, second = text.split("\n")
    assert "[bad-value]" in first
    assert second.startswith("  Next: ")
    assert len(text.splitlines()) == 2
    text.encode()


@given(ANY_TEXT)
def test_plain_text_keeps_its_letters(text: str) -> None:
    told = plain(text)
    for each in "\x00\x1b\x7f\x9b\u202e\u2066\u2028\ud800":
        assert each not in told
    assert plain(told) == told
    assert "\n" not in one_line(text)
    if text.isalnum() and not re.search("[\ud800-\udfff]", text):
        assert told == text


# --- over real sockets -----------------------------------------------------------------------

SHAPE = {"code", "message", "next_step", "where"}


def addresses(hub: RunningHub) -> list[tuple[str, set[str]]]:
    """Every address of the hub with the methods that it says it knows."""
    paths = hub.ask("GET", "/api/openapi.json").json()["paths"]
    return [
        (re.sub(r"\{\w+\}", "x", path), {method.upper() for method in methods})
        for path, methods in paths.items()
    ]


def test_a_wrong_method_is_told_the_right_ones(hub: RunningHub) -> None:
    for path, methods in addresses(hub):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
            if method in methods:
                continue
            answer = hub.ask(method, path, hub.admin)
            assert answer.status_code == 405, (method, path)
            error = answer.json()["error"]
            assert (set(error), error["code"]) == (SHAPE, "method-not-allowed")
            allowed = set(answer.headers["allow"].split(", "))
            more = {"HEAD"} if "GET" in methods else set()
            assert allowed == methods | more | {"OPTIONS"}, path


def test_options_tells_the_methods(hub: RunningHub) -> None:
    for path, methods in addresses(hub):
        answer = hub.ask("OPTIONS", path)
        assert (answer.status_code, answer.content) == (204, b"")
        assert methods <= set(answer.headers["allow"].split(", "))


def test_head_answers_as_get_does_without_a_body(hub: RunningHub) -> None:
    for path, methods in addresses(hub):
        if "GET" not in methods or path == "/api/stream":
            continue
        head, get = (hub.ask(method, path, hub.admin) for method in ("HEAD", "GET"))
        assert head.status_code == get.status_code, path
        assert head.content == b""
        assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/api",
        "/api/",
        "/api/nowhere",
        "/feeds/nowhere.txt",
        "/api/objects/x/y/z",
        "/api/objects/%00",
        "/api/objects/%FF%FE",
        "/api/objects/..%2F..%2Fadmin.key",
        "/api/objects/" + "x" * 4_000,
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/..%2fsign_in.py",
    ],
)
def test_what_is_not_there_is_told_so(hub: RunningHub, path: str) -> None:
    answer = hub.ask("GET", path)
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (set(error), error["code"]) == (SHAPE, "not-found")
    assert "root:" not in answer.text


# Evidence may be any file whatever; what cannot be read is said to be so.
TAKES_ANYTHING = {"/api/lookup", "/api/reports"}
BODIES: list[tuple[bytes, str]] = [
    (b"", "application/json"),
    (b"{", "application/json"),
    (b"null", "application/json"),
    (b"[]", "application/json"),
    (b'"x"', "application/json"),
    (b'{"scopes":1}', "application/json"),
    (b'{"name":"x","x":1}', "application/json"),
    (b"[" * 50_000, "application/json"),
    (b'{"scopes":["\\ud800"]}', "application/json"),
    (b"\xff\xfe", "application/json"),
    (b"\x81\xa1x\x01", "application/x-msgpack"),
    (b"a=1&b=2", "application/x-www-form-urlencoded"),
    (b"--x\r\n\r\n\r\n--x--", "multipart/form-data; boundary=x"),
    (b"x", "multipart/form-data"),
    (b"hello", "text/plain"),
    (b"hello", "\xe9/\xe9"),
    (b"{}", ""),
]


@pytest.mark.parametrize("number", range(len(BODIES)))
def test_a_bad_body_is_refused_in_the_one_shape(hub: RunningHub, number: int) -> None:
    body, kind = BODIES[number]
    for path, methods in addresses(hub):
        if path in TAKES_ANYTHING:
            continue
        for method in methods - {"GET", "HEAD"}:
            headers = {b"Content-Type": kind.encode("latin-1")}
            answer = hub.ask(method, path, hub.admin, content=body, headers=headers)
            assert 400 <= answer.status_code < 500, (method, path, answer.text)
            assert set(answer.json()["error"]) == SHAPE, (method, path)


@pytest.mark.parametrize(
    "question",
    ["limit=x", "limit=-5", "after=%00", "after=%FF", "exercise=perhaps", "tlp=%F0%9F%8F%A6", "to=",
     "old=1", "old=x&new=y", "old=5&new=2", "old=1&new=99999999", "before=x", "limit=1&limit=2"],
)  # fmt: skip
def test_a_bad_parameter_is_refused_or_means_nothing(hub: RunningHub, question: str) -> None:
    for path, methods in addresses(hub):
        if "GET" in methods and path != "/api/stream":
            answer = hub.ask("GET", f"{path}?{question}", hub.admin)
            assert answer.status_code < 500, (path, answer.text)
            if answer.status_code >= 400:
                assert set(answer.json()["error"]) == SHAPE


def test_nothing_inside_is_told_of_a_fault_of_ours() -> None:
    """What is raised by surprise is logged under an id and told without its words."""
    request = RequestFactory().get("/x")
    answer = on_any(request, RuntimeError("secret inside"))
    assert (answer.status_code, b"secret" in answer.content) == (500, False)
    assert json.loads(answer.content)["error"]["code"] == "internal"
