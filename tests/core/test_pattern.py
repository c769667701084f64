from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stix2patterns.validator import validate as oracle

from bayanihan.core.observables import Observable
from bayanihan.core.pattern import read, read_tree, upgrade_20, validate
from bayanihan.core.pattern_tree import MAX_DEPTH, parse
from bayanihan.errors import Refused

SHARED = Path(__file__).resolve().parents[2] / "../shared"
CASES = SHARED / "data/stix-cases/pattern-cases.json"
PLAYBOOKS = SHARED / "data/stix/unit42-playbooks-stix20.tar.gz"

SHA256 = "a" * 64
MD5 = "b" * 32

VALID = [
    "[domain-name:value = 'a.test']",
    "[domain-name:value='a.test'  ]",
    " [ domain-name : value == 'a' ] ",
    "[file:size <> 5 AND file:size != -3 OR file:size >= +1.5]",
    "[file:size IN (1, 2.5, 'x', true, t'2020-02-29T23:59:60Z', h'0aFF', b'YQ==')]",
    "[file:size NOT IN ()]",
    "[a:b NOT = false]",
    "[a:b = 00.5 OR a:b = -.5 OR a:b = 0]",
    "[a:b LIKE '%\\\\_\\'' OR a:b NOT MATCHES '^x$']",
    "[EXISTS file:name]",
    "[NOT EXISTS file:name]",
    "[file:extensions.'windows-pebinary-ext'.sections[*].entropy > 7.0]",
    "[x-custom_1:list[0][-1].'k\\'e.y' = 1]",
    "[ipv6-addr:value ISSUPERSET '2001:db8::/32']",
    (
        "[a:b = 1] REPEATS 5 TIMES WITHIN 1.5 SECONDS "
        "START t'2020-01-01T00:00:00Z' STOP t'2020-01-02T00:00:00.123456789Z'"
    ),
    "([a:b = 1] AND ([a:c = 2] OR [a:d = 3])) FOLLOWEDBY [a:e = 4] WITHIN 5 SECONDS",
    "([a:b = 1]) WITHIN 5 SECONDS WITHIN 6 SECONDS",
    "[a:b = 1] /* two\nlines */ OR [a:b = 2] // to the end",
    "[a:b = 'ไทย \U0001f600 ] AND [']",
]
REFUSED = {
    "": 1,
    "a:b = 1": 1,
    "[]": 2,
    "[a:b = 1": 9,
    "[a:b = 1]]": 10,
    "[a:b = 1] AND": 14,
    "[a:b]": 5,
    "[a = 1]": 4,
    "[a:b = ]": 8,
    "[a:b = x]": 8,
    "[a:b > true]": 8,
    "[a:b LIKE 5]": 11,
    "[a:b = 'x]": 8,
    "[a:b = 'c:\\x']": 8,
    '[a:b = "x"]': 8,
    "[file:hashes.SHA-256 = 'x']": 14,
    "[file:hashes.'SHA-256' = 'f00']": 26,
    "[file:hashes.md5 IN ('" + MD5 + "', 'f00')]": 58,
    "[a:b = t'2024-02-30T00:00:00Z']": 8,
    "[a:b = t'2024-01-01 00:00:00Z']": 8,
    "[a:b = h'abc']": 8,
    "[a:b = b'']": 8,
    "[a:NOT IN (1)]": 4,
    "[true:b = 1]": 2,
    "[a:b.false = 1]": 6,
    "[a:b = b'abc']": 8,
    "[a:b = 01]": 8,
    "[a:b = -007]": 8,
    "[a:b = 1.]": 9,
    "[a:b = 1] WITHIN 0 SECONDS": 18,
    "[a:b = 1] WITHIN -5 SECONDS": 18,
    "[a:b = 1] REPEATS 1.5 TIMES": 19,
    "[a:b = 1] REPEATS 0 TIMES": 19,
    "[a:b = 1] WITHIN 5 SECONDS WITHIN 6 SECONDS": 28,
    "[a:b = 1] START '2020-01-01T00:00:00Z' STOP '2020-01-02T00:00:00Z'": 17,
    "[a:b = 1] /* open": 11,
    "[a:b = 1] or [a:b = 2]": 11,
    "[a:b[x] = 1]": 6,
    "\x00": 1,
}


@pytest.mark.parametrize("pattern", VALID)
def test_whatever_stix_allows_parses(pattern: str) -> None:
    validate(pattern)
    assert read(pattern) == read_tree(pattern, parse(pattern))


@pytest.mark.parametrize(("pattern", "char"), REFUSED.items())
def test_what_is_no_pattern_is_refused_at_its_place(pattern: str, char: int) -> None:
    with pytest.raises(Refused) as caught:
        validate(pattern)
    assert caught.value.code == "bad-value"
    assert caught.value.where == f"char {char}"
    assert caught.value.message.endswith(".")


def test_official_vectors() -> None:
    if not CASES.exists():
        pytest.skip("needs the folder `shared` beside the checkout")
    cases = json.loads(CASES.read_text())
    assert (len(cases["valid"]), len(cases["invalid"])) == (45, 32)
    for case in cases["valid"]:
        validate(case["pattern"])
    for case in cases["invalid"]:
        with pytest.raises(Refused):
            validate(case["pattern"])


def test_every_playbook_pattern_is_read_whole() -> None:
    if not PLAYBOOKS.exists():
        pytest.skip("needs the folder `shared` beside the checkout")
    patterns = _playbook_patterns()
    assert len(patterns) == 4318
    blocks = 0
    for pattern in patterns:
        found = read(pattern)
        assert found == read_tree(pattern, parse(pattern))
        assert found.blocks or found.rest
        blocks += len(found.blocks)
        for left in found.rest:
            validate(left.text)
    assert blocks == 3907


def _playbook_patterns() -> set[str]:
    patterns: set[str] = set()
    with tarfile.open(PLAYBOOKS) as archive:
        for name in archive.getmembers():
            stream = archive.extractfile(name) if name.isfile() else None
            if stream is None or not name.name.endswith(".json"):
                continue
            objects = json.load(stream).get("objects", [])
            patterns |= {item["pattern"] for item in objects if item["type"] == "indicator"}
    return patterns


BLOCKS = {
    "[domain-name:value = 'Evil.TEST.']": [("domain", "evil.test")],
    "[domain-name:value = 'ngân-hàng.test']": [("domain", "xn--ngn-hng-dwao.test")],
    "[domain-name:value IN ('a.test', 'b.test')]": [("domain", "a.test"), ("domain", "b.test")],
    "[ipv4-addr:value = '10.1.2.3/8']": [("cidr4", "10.0.0.0/8")],
    "[ipv4-addr:value ISSUBSET '198.51.100.0/24']": [("cidr4", "198.51.100.0/24")],
    "[ipv6-addr:value ISSUBSET '2001:DB8::/32']": [("cidr6", "2001:db8::/32")],
    "[network-traffic:dst_ref.value = '198.51.100.7']": [("ipv4", "198.51.100.7")],
    "[email-message:sender_ref.value = 'A@B.test']": [("email", "A@b.test")],
    "[url:value = 'http://a.test/x\\'y']": [("url", "http://a.test/x'y")],
    f"[file:hashes.'SHA-256' = '{SHA256.upper()}']": [("sha256", SHA256)],
    f"[file:hashes.sha256 = '{SHA256}']": [("sha256", SHA256)],
    f"[artifact:hashes.MD5 = '{MD5}']": [("md5", MD5)],
    f"[file:hashes.MD5 = '{MD5}' AND file:hashes.'SHA-256' = '{SHA256}']": [
        ("md5", MD5),
        ("sha256", SHA256),
    ],
    f"[file:hashes.SSDEEP = '3:a:b' AND file:hashes.'SHA-256' = '{SHA256}']": [("sha256", SHA256)],
    "[domain-name:value = 'a.test'] OR ([url:value = 'http://b.test'])": [
        ("domain", "a.test"),
        ("url", "http://b.test/"),
    ],
    "[domain-name:value = 'a.test' OR domain-name:value = 'A.test']": [("domain", "a.test")],
    "[domain-name:value = 'a.test'] REPEATS 1 TIMES": [("domain", "a.test")],
}


@pytest.mark.parametrize(("pattern", "blocks"), BLOCKS.items())
def test_what_one_observable_makes_true_may_be_blocked(
    pattern: str, blocks: list[tuple[str, str]]
) -> None:
    found = read(pattern)
    assert found.blocks == tuple(Observable(*block) for block in blocks)
    assert found.rest == ()


REST = {
    "[domain-name:value != 'a.test']": "but a value",
    "[domain-name:value NOT = 'a.test']": "must not be seen",
    "[domain-name:value NOT IN ('a.test')]": "must not be seen",
    "[domain-name:value LIKE '%.test']": "wildcard",
    "[domain-name:value MATCHES 'a.test']": "expression",
    "[domain-name:value > 'a.test']": "span",
    "[domain-name:value ISSUBSET 'a.test']": "only for addresses",
    "[ipv4-addr:value ISSUPERSET '198.51.100.0/24']": "every range",
    "[ipv4-addr:value NOT ISSUBSET '198.51.100.0/24']": "must not be seen",
    "[EXISTS domain-name:value]": "whether a property",
    "[domain-name:value IN ()]": "never true",
    "[domain-name:value = 5]": "A number",
    "[domain-name:value = true]": "A bool",
    "[domain-name:value = 'http://a.test/']": "not a DNS name",
    "[domain-name:value = 'test']": "not a DNS name",
    "[ipv4-addr:value = '198.51.100.7:80']": "not an IP address",
    "[ipv4-addr:value = '2001:db8::1']": "no ipv4",
    "[domain-name:resolves_to_refs[*].value = '198.51.100.7']": "alone does not name",
    "[domain-name:'value' = 'a.test' AND file:name = 'x']": "more than one thing",
    f"[file:hashes.MD5 = '{MD5}' AND file:name = 'x.exe']": "more than one thing",
    f"[file:hashes.MD5 = '{MD5}' AND file:hashes.MD5 = '{'c' * 32}']": "more than one thing",
    f"[file:hashes.MD5 = '{MD5}' AND artifact:hashes.'SHA-256' = '{SHA256}']": "more than one",
    "[file:hashes.SSDEEP = '3:a:b']": "alone does not name",
    "[x:hashes.MD5 = '" + MD5 + "']": "alone does not name",
    "[file:'hashes.MD5' = 'x']": "alone does not name",
    "[domain-name:value = 'a.test'] AND [file:size = 1]": "more than one thing",
    "[domain-name:value = 'a.test'] FOLLOWEDBY [url:value = 'http://b.test']": "one after",
    "[domain-name:value = 'a.test'] WITHIN 5 SECONDS": "span of seconds",
    "[domain-name:value = 'a.test'] REPEATS 2 TIMES": "several times",
    "[domain-name:value = 'a.test'] START t'2020-01-01T00:00:00Z' STOP t'2020-01-02T00:00:00Z'": (
        "between two times"
    ),
    "([domain-name:value = 'a.test'] OR [file:size = 1]) WITHIN 5 SECONDS": "span of seconds",
}


@pytest.mark.parametrize(("pattern", "why"), REST.items())
def test_the_rest_is_kept_with_its_reason(pattern: str, why: str) -> None:
    found = read(pattern)
    assert found.blocks == ()
    assert [left.text for left in found.rest] == [pattern]
    assert why in found.rest[0].why
    assert found.rest[0].why.endswith(".")


def test_one_pattern_may_give_both() -> None:
    found = read(
        "[domain-name:value = 'a.test' OR (file:name = 'x' AND file:size = 1)] OR "
        "([url:value = 'http://b.test/x'] AND [file:size = 2]) OR "
        "[ipv4-addr:value IN ('198.51.100.7', 'x', '198.51.100.8')]"
    )
    assert [block.value for block in found.blocks] == ["a.test", "198.51.100.7", "198.51.100.8"]
    assert [left.text for left in found.rest] == [
        "[file:name = 'x' AND file:size = 1]",
        "[url:value = 'http://b.test/x'] AND [file:size = 2]",
        "[ipv4-addr:value = 'x']",
    ]


def test_nesting_is_limited() -> None:
    validate("(" * MAX_DEPTH + "[a:b = 1]" + ")" * MAX_DEPTH)
    for opening in ("(" * 100_000, "[" + "(" * 100_000):
        with pytest.raises(Refused) as caught:
            validate(opening)
        assert caught.value.code == "too-deep"


def test_long_patterns_are_read() -> None:
    pattern = " OR ".join([f"[domain-name:value = 'h{n}.test']" for n in range(20_000)])
    assert len(read(pattern).blocks) == 20_000
    for broken in (
        pattern + " OR",
        "[a:b = '" + "\\\\" * 200_000,
        "[a:b = 1] /*" * 20_000,
        "0" * 500_000,
    ):
        with pytest.raises(Refused):
            validate(broken)


def test_stix_20_times_are_upgraded() -> None:
    old = "[a:b = 'START \\'x'] START '2020-01-01T00:00:00Z' STOP '2020-01-02T00:00:00Z'"
    new = "[a:b = 'START \\'x'] START t'2020-01-01T00:00:00Z' STOP t'2020-01-02T00:00:00Z'"
    assert upgrade_20(old) == new
    assert upgrade_20(new) == new
    assert upgrade_20("[a:b = 1]") == "[a:b = 1]"
    with pytest.raises(Refused):
        upgrade_20("[a:b = 1] START 'soon' STOP 'later'")


# --- generated patterns, against the OASIS checker

_strings = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("'\\[]() OR")), max_size=8
).map(lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'")
_literals = st.one_of(
    _strings,
    st.sampled_from(
        "1 -7 +3 0 2.5 -.5 true false h'' h'0aFF' b'YWI=' t'2024-02-29T01:02:03.4Z'".split()
    ),
)
_orderable = _literals.filter(lambda text: text not in {"true", "false"})
_paths = st.sampled_from(
    [
        "domain-name:value",
        "ipv4-addr:value",
        "url:value",
        "file:name",
        "x-a_b:c.'d-e'[*].f[0]",
        "email-message:from_ref.value",
        "file:'a b'",
        "X:Y",
    ]
)
_hashes = st.sampled_from(
    [
        f"file:hashes.MD5 = '{MD5}'",
        f"file:hashes.'SHA-256' = '{SHA256}'",
        f"file:hashes.'SHA-1' = '{'c' * 40}'",
        "file:hashes.'MD5' = 'short'",
        "file:hashes.TLSH = 'T1x'",
    ]
)
_not = st.sampled_from(["", "NOT "])
_comparisons = st.one_of(
    st.builds("{} {}{} {}".format, _paths, _not, st.sampled_from(["=", "==", "!="]), _literals),
    st.builds("{} = {}".format, _paths, _strings),
    st.builds("{} {}{} {}".format, _paths, _not, st.sampled_from([">", "<="]), _orderable),
    st.builds(
        "{} {}{} {}".format,
        _paths,
        _not,
        st.sampled_from(["LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"]),
        _strings,
    ),
    st.builds("{}EXISTS {}".format, _not, _paths),
    st.builds(
        lambda path, no, values: f"{path} {no}IN ({', '.join(values)})",
        _paths,
        _not,
        st.lists(_literals, max_size=3),
    ),
    _hashes,
)


def _joined(parts: st.SearchStrategy[str], operators: list[str]) -> st.SearchStrategy[str]:
    pair = st.builds("{} {} {}".format, parts, st.sampled_from(operators), parts)
    return st.one_of(pair, st.builds("({})".format, parts), pair.map("({})".format))


_tests = st.recursive(_comparisons, lambda inner: _joined(inner, ["AND", "OR"]), max_leaves=4)
_qualifiers = st.sampled_from(
    [
        "",
        "",
        " WITHIN 5 SECONDS",
        " REPEATS 1 TIMES",
        " REPEATS 3 TIMES",
        " START t'2024-01-01T00:00:00Z' STOP t'2024-01-02T00:00:00Z'",
    ]
)
_observed = st.builds("[{}]{}{}".format, _tests, _qualifiers, _qualifiers)
_patterns = st.recursive(
    _observed,
    lambda inner: st.one_of(
        _joined(inner, ["AND", "OR", "FOLLOWEDBY"]),
        st.builds("({}){}".format, inner, _qualifiers),
    ),
    max_leaves=4,
)


def _accepts(pattern: str) -> bool:
    try:
        validate(pattern)
    except Refused:
        return False
    return True


@settings(max_examples=150, deadline=None)
@given(_patterns)
def test_the_oasis_checker_agrees(pattern: str) -> None:
    assert _accepts(pattern) == bool(oracle(pattern, "2.1"))


@settings(max_examples=150, deadline=None)
@given(_patterns, st.data())
def test_the_oasis_checker_agrees_on_damaged_patterns(pattern: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(pattern)))
    cut = data.draw(st.integers(0, 2))
    put = data.draw(st.sampled_from(["", "'", "]", "(", " ", "9", "\\", "x", ",", "OR", "é"]))
    damaged = pattern[:at] + put + pattern[at + cut :]
    assert _accepts(damaged) == bool(oracle(damaged or " ", "2.1"))


@settings(deadline=None)
@given(st.one_of(_patterns, st.text()))
def test_reading_is_total_and_loses_nothing(pattern: str) -> None:
    if not _accepts(pattern):
        with pytest.raises(Refused):
            read(pattern)
        return
    found = read(pattern)
    assert found == read_tree(pattern, parse(pattern))
    assert found.blocks or found.rest
    for left in found.rest:
        again = read(left.text)
        assert again.blocks == ()
        assert again.rest[0].why == left.why


@settings(deadline=None)
@given(_patterns)
def test_an_observable_is_never_blocked_for_company(pattern: str) -> None:
    together = f"{pattern} AND [file:name = 'x']"
    if _accepts(together):
        assert read(f"({pattern}) AND [file:name = 'x']").blocks == ()
        assert read(f"({pattern}) FOLLOWEDBY [file:name = 'x']").blocks == ()
        assert read(f"({pattern}) WITHIN 5 SECONDS").blocks == ()
