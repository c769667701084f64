from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bayanihan.core.observables import (
    HASH_DIGITS,
    TYPES,
    Observable,
    address,
    domain,
    email,
    file_hash,
    hash_name,
    host_of,
    observe,
    url,
)
from bayanihan.errors import Refused

SAME = {
    ("domain", "evil.test"): [
        "evil.test",
        "EVIL.Test",
        "evil.test.",
        "evil。test",
        "ｅｖｉｌ.test",
    ],
    ("domain", "xn--ngn-hng-dwao.vn"): ["ngân-hàng.vn", "NGÂN-HÀNG.vn", "XN--ngn-hng-dwao.VN"],
    ("domain", "xn--o3cw4h.xn--o3cw4h"): ["ไทย.ไทย", "xn--o3cw4h.ไทย"],
    ("domain", "xn--i-7iq.ws"): ["i❤.ws"],
    ("domain", "fass.xn--strae-oqa.test"): ["fass.straße.test"],
    ("domain", "_x.a_b.test"): ["_X.a_b.test"],
    ("ipv4", "198.51.100.7"): ["198.51.100.7", "198.51.100.7/32", "::ffff:198.51.100.7"],
    ("ipv6", "2001:db8::1"): ["2001:DB8:0:0:0:0:0:1", "2001:db8::1/128"],
    ("cidr4", "198.51.100.0/24"): ["198.51.100.9/24", "::ffff:198.51.100.0/120"],
    ("cidr6", "2001:db8::/32"): ["2001:db8::1/32"],
    ("cidr4", "0.0.0.0/0"): ["0.0.0.0/0", "1.2.3.4/0"],
    ("url", "http://evil.test/"): [
        "http://evil.test",
        "HTTP://EVIL.test:80/",
        "evil.test",
        "http://evil.test/#x",
        "http://evil.test./",
    ],
    ("url", "https://evil.test:8443/A?b=C#".rstrip("#")): ["https://Evil.test:08443/A?b=C#d"],
    ("url", "https://user:pw@evil.test/x"): ["https://user:pw@EVIL.test:443/x"],
    ("url", "http://[2001:db8::1]:8080/"): ["http://[2001:DB8:0::1]:8080"],
    ("url", "http://evil.test/%C4%91%22%3C%3E"): ['http://evil.test/đ"<>'],
    ("url", "http://evil.test/?q"): ["http://evil.test?q"],
    ("email", "Some.One+x@evil.test"): ["Some.One+x@EVIL.test."],
    ("email", "สวัสดี@xn--o3cw4h.xn--o3cw4h"): ["สวัสดี@ไทย.ไทย"],
    ("sha256", "ab" * 32): ["AB" * 32],
    ("md5", "ab" * 16): ["aB" * 16],
}


@pytest.mark.parametrize(
    ("expected", "text"), [(key, text) for key, texts in SAME.items() for text in texts]
)
def test_one_thing_has_one_spelling(expected: tuple[str, str], text: str) -> None:
    found = observe(expected[0], text)
    assert found == Observable(*expected)
    assert hash(found) == hash(Observable(*expected))
    assert observe(found.type, found.value) == found


REFUSED = {
    "domain": [
        "",
        ".",
        "test",
        "com.",
        ".evil.test",
        "evil..test",
        "evil.test..",
        "-evil.test",
        "evil-.test",
        "evil.t_st",
        "evil.1test",
        "evil.c",
        "198.51.100.7",
        "evil.test\n",
        "evil.test evil2.test",
        "evil.test\nevil2.test",
        "evil .test",
        "evil\u00a0.test",
        "evil\u3000.test",
        'evil".test',
        "evil.test;",
        "evil.test#x",
        "$INCLUDE.test",
        "evil\\.test",
        "*.evil.test",
        "http://evil.test",
        "evil.test:80",
        "evil.test/x",
        "a" * 64 + ".test",
        "ก" * 60 + ".test",
        ".".join(["a" * 49] * 5) + ".test",
        "a" * 300,
        "é" * 2_000 + ".test",
        "\ud800.test",
        "a\u200db.test",
        "\u0301a.test",
    ],
    "ipv4": [
        "",
        "1.2.3",
        "1.2.3.256",
        "01.2.3.4",
        "1.2.3.4 ",
        "1.2.3.4/33",
        "1.2.3.0/255.0.0.0",
        "1.2.3.0/",
        "1.2.3.0/08",
        "0x7f.1.1.1",
        "2130706433",
        "١.2.3.4",
        "2001:db8::1",
        "1.2.3.4:80",
    ],
    "ipv6": ["", ":", "fe80::1%eth0", "2001:db8::1/129", "2001:db8:::1", "12345::", "[::1]"],
    "url": [
        "",
        "http://",
        "http:///x",
        "javascript:alert(1)",
        "http://evil.test/a b",
        "http://evil.test/a\nb",
        "http://evil.test/\u2028",
        "http://evil.test\\@good.test/",
        "http://evil.test/\\x",
        "http://evil.test:0/",
        "http://evil.test:65536/",
        "http://evil.test:x/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://test/",
        "http://[2001:db8::1",
        "http://[2001:db8::1]x/",
        "http://[198.51.100.7]/",
        "http://[]/",
        "http://[fe80::1%25eth0]/",
        "http://[2001:db8::/32]/",
        "http://%65vil.test/",
        "http://a b@evil.test/",
        "http://evil.test/" + "a" * 9_000,
        "http://evil.test/" + "é" * 3_000,
        "http://evil.test/\ud800",
    ],
    "email": [
        "",
        "@",
        "a@",
        "@evil.test",
        "a b@evil.test",
        'a"b@evil.test',
        "a@b@evil.test",
        "a..b@evil.test",
        ".a@evil.test",
        "a@test",
        "a\n@evil.test",
        "ก" * 30 + "@evil.test",
        "\ud800@evil.test",
        "a" * 100_000 + "@evil.test",
    ],
    "sha256": ["", "ab", "g" * 64, "a" * 63, "a" * 65, "a" * 63 + "\n", "０" * 64],
    "tlsh": ["", "T1" + "A" * 69, "T1" + "G" * 70, "T2" + "A" * 70, "T1" + "A" * 70 + "\n"],
    "nonsense": ["x"],
}


@pytest.mark.parametrize(
    ("type_", "text"), [(type_, text) for type_, texts in REFUSED.items() for text in texts]
)
def test_what_has_no_safe_spelling_is_refused(type_: str, text: str) -> None:
    with pytest.raises(Refused) as caught:
        observe(type_, text)
    assert caught.value.code == "bad-value"
    assert caught.value.message.isprintable()


def test_names_are_shown_in_their_own_script() -> None:
    assert domain("ngân-hàng.vn").unicode == "ngân-hàng.vn"
    assert domain("раyраl.test").unicode == "раyраl.test"
    assert domain("раyраl.test") != domain("paypal.test")
    assert domain("xn--a.test").unicode == "xn--a.test"
    assert email("a@ไทย.ไทย").unicode == "a@ไทย.ไทย"
    assert url("https://xn--o3cw4h.test@ไทย.ไทย:8443/x").unicode == (
        "https://xn--o3cw4h.test@ไทย.ไทย:8443/x"
    )
    assert file_hash("md5", "a" * 32).unicode == "a" * 32


def test_the_host_of_a_url() -> None:
    assert host_of("https://bank.test@evil.test:8443/x") == Observable("domain", "evil.test")
    assert host_of("http://198.51.100.7:8080/x") == Observable("ipv4", "198.51.100.7")
    assert host_of(url("http://u@[2001:db8::1]:80/")) == Observable("ipv6", "2001:db8::1")
    assert host_of(url("http://evil.test?x@good.test")) == Observable("domain", "evil.test")


def test_user_information_shows() -> None:
    assert url("https://bank.test@evil.test/x").userinfo == "bank.test"
    assert url("https://evil.test/@x").userinfo == ""
    assert domain("evil.test").userinfo == ""


def test_hash_names_in_any_spelling() -> None:
    for name in HASH_DIGITS:
        for spelling in (name, name.upper(), name.replace("sha", "SHA-"), name.replace("-", "_")):
            assert hash_name(spelling) == name
    for fuzzy in ("SSDEEP", "TLSH", "", "sha", "sha3", "MD6"):
        assert hash_name(fuzzy) == ""


# --- rules

_HOSTILE = st.text(st.sampled_from("aZ9.-_ \t\n\r\"'`;#$\\/*(){}[]<>|,:@%&=é。\u200b\u00a0ก\x00"))
_LABELS = st.text(st.sampled_from("abcxyz019-_éàกขคñœ中文бя"), min_size=1, max_size=12)
_ADDRESSES = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    st.tuples(st.ip_addresses(v=6), st.integers(0, 128)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
)


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(TYPES), st.one_of(_HOSTILE, st.text(), _ADDRESSES))
@example("domain", "evil.test\n$INCLUDE /etc/passwd")
@example("url", "http://evil.test/\n")
def test_no_value_leaves_its_field(type_: str, text: str) -> None:
    try:
        found = observe(type_, text)
    except Refused:
        return
    assert found.type in TYPES
    assert observe(found.type, found.value) == found
    assert not any(char.isspace() or not char.isprintable() for char in found.value)
    if found.type not in {"url", "email"}:
        assert re.fullmatch(r"[a-z0-9._:/-]+", found.value)
    if found.type == "url":
        assert found.value.isascii()
        assert not set(found.value) & set('"\\<>`{}#^')


@settings(deadline=None, max_examples=400)
@given(st.lists(_LABELS, min_size=1, max_size=4))
def test_unicode_and_ascii_name_the_same(labels: list[str]) -> None:
    try:
        found = domain(".".join([*labels, "test"]))
    except Refused:
        return
    assert domain(found.unicode) == found
    assert found.value.count(".") == found.unicode.count(".") == len(labels)


@given(_LABELS, st.sampled_from(" \n\t\"';#$\\/*%&"), _LABELS)
def test_a_name_is_never_cut_out_of_a_larger_text(left: str, bad: str, right: str) -> None:
    with pytest.raises(Refused):
        domain(f"{left}{bad}{right}.test")


@given(_ADDRESSES)
def test_addresses_agree_with_the_standard_library(text: str) -> None:
    found = address(text)
    base, _, prefix = found.value.partition("/")
    assert (found.type.startswith("cidr")) == bool(prefix)
    if found.type.endswith("4"):
        assert str(IPv4Address(base)) == base
    else:
        assert IPv6Address(base).compressed == base
        assert IPv6Address(base).ipv4_mapped is None or int(prefix) < 96
