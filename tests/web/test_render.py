"""Text made visible, numbers said plainly, and the headers of every answer."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.web.render import HEADERS, STATIC, asset, clock, duration, plain, short, size, stamp
from tests.web.site import Site


@given(st.text(st.characters(codec=None)))
def test_nothing_that_cannot_be_seen_is_left(text: str) -> None:
    ordinary = set("\t\n\r\u200b\u200c\u200d")
    shown = plain(text)
    assert not [
        char
        for char in shown
        if char not in ordinary and unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp", "Cs"}
    ]
    assert shown.encode().decode() == shown


@given(st.text(), st.integers(2, 300))
def test_what_is_short_is_one_line_and_cut(text: str, limit: int) -> None:
    shown = short(text, limit)
    assert "\n" not in shown
    assert shown.count("\u2026") or len(text.split()) <= limit


def test_people_s_own_scripts_are_left_alone() -> None:
    for text in ("ยืนยันบัญชี", "អត្តសញ្ញាណ", "ပြည်\u200bထောင်စု", "xác minh", "ລາວ"):
        assert plain(text) == text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, ""), (0.04, "0.0 s"), (9.96, "10.0 s"), (64, "64 s"), (600, "10 min"), (1e6, "11.6 d")],
)
def test_durations(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


def test_sizes_and_times() -> None:
    assert [size(n) for n in (0, 1023, 1024, 20_480, 5 << 20)] == [
        *("0 B", "1023 B", "1.0 KiB"),
        *("20 KiB", "5.0 MiB"),
    ]
    assert clock(0) == "01 Jan 1970, 00:00:00 UTC"
    assert stamp(1_500_000) == "1970-01-01T00:00:01.500000Z"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path / "data") as found:
        yield found


def test_the_headers_are_on_every_answer_of_the_console(site: Site) -> None:
    paths = ["/", "/feeds", "/sign-in", "/fragments/latest", "/entries/none", asset("live.js")]
    with site.client() as client:
        for path in paths:
            answer = client.get(path, headers={"Accept": "text/html"})
            for name, value in HEADERS.items():
                assert answer.headers[name] == value, path
            if not path.startswith("/static/"):
                assert answer.headers["cache-control"] == "private, no-cache"
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_static_files_are_kept_by_their_digest(site: Site) -> None:
    assert {"style.css", "live.js", "icon.svg"} <= set(STATIC)
    with site.client() as client:
        for name in STATIC:
            assert "immutable" in client.get(asset(name)).headers["cache-control"]
            assert client.get(f"/static/{name}?v=old").headers["cache-control"] == "no-cache"
        assert client.get("/static/../pages.py").status_code == 404
        assert client.get("/static/%2e%2e%2fpages.py").status_code == 404


def test_pages_hold_no_style_and_no_script_of_their_own(site: Site) -> None:
    with site.client() as client:
        for path in ("/", "/feeds", "/sign-in", "/entries/none"):
            text = client.get(path, headers={"Accept": "text/html"}).text
            assert "<style" not in text
            assert " style=" not in text
            assert "<script>" not in text
            assert " onclick=" not in text
            assert '<html lang="en">' in text
