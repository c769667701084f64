from __future__ import annotations

import time
import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.core.confusable import imitated, skeleton
from bayanihan.core.extract import Extraction, extract
from bayanihan.core.observables import Observable, domain, observe
from bayanihan.core.refang import defang, refang
from tests.core.lures import endings, records


def read(text: str, country: str = "") -> set[tuple[str, str]]:
    found = extract(text, endings, country)
    return {(each.observable.type, each.observable.value) for each in found.found}


def test_every_vector_holds_what_it_says() -> None:
    """Nothing is found that is not there; missed is only what no reader could part."""
    missed: Counter[str] = Counter()
    for record in records():
        found = read(record["text"], record["country"])
        held = {tuple(each) for each in record["holds"]}
        assert found <= held, record["id"]
        missed[record["language"]] += len(held - found)
    # A name in Thai letters amid Thai words: where it begins cannot be told.
    assert missed.total() == 4
    assert set(+missed) == {"th", "km", "lo", "zh"}


def test_the_innocent_names_of_known_tools_are_never_found() -> None:
    text = (
        "ไปที่kbank-secure.co.thนะ ngân-hàng.vn/đăng-nhập раyраl.com xn--80ak6aa92e.com "
        "访问kbank.com登录。"
    )
    found = {value for _, value in read(text)}
    assert not found & {"ng.vn", "login.com", "l.com", "pple.com", "secure.co.th", "hàng.vn"}
    assert {"kbank-secure.co.th", "xn--yl-6kcb1fc.com", "kbank.com"} <= found


def test_defanged_forms_are_read() -> None:
    text = (
        "hxxps://evil[.]com/a[.]php h**p://b(.)test/x evil2[dot]com user[at]evil3[.]com "
        "8.8.8[.]8 hxxp[:]//c{.}test/y 2001[:]db8[:][:]7"
    )
    assert {
        ("url", "https://evil.com/a.php"),
        ("url", "http://b.test/x"),
        ("domain", "evil2.com"),
        ("email", "user@evil3.com"),
        ("ipv4", "8.8.8.8"),
        ("url", "http://c.test/y"),
    } <= read(text)


def test_user_information_and_ports_are_kept() -> None:
    assert ("url", "http://google.com@evil.test:81/x") in read(
        "(http://google.com@evil.test:81/x)."
    )
    assert ("url", "http://[2001:db8::1]:8080/x") in read("see http://[2001:db8::1]:8080/x")


def test_addresses_ranges_and_hashes() -> None:
    digest = "d41d8cd98f00b204e9800998ecf8427e"
    found = read(f"198.51.100.0/24 2001:db8::1 203.0.113.9:443 {digest} {digest * 2}")
    assert {
        ("cidr4", "198.51.100.0/24"),
        ("ipv6", "2001:db8::1"),
        ("ipv4", "203.0.113.9"),
        ("md5", digest),
        ("sha256", digest * 2),
    } <= found


@pytest.mark.parametrize(
    "text",
    [
        "foo.py README.md main.rs setup.sh lib.so archive.zip src/main.rs",
        "version 10.2.3.4, v1.2.3.4, Chrome/120.0.0.0 and report_v2.1.docx",
        "at 12:30:45 on 12.03.2026 for 1.299.000 and std::string a::b",
        "We ate today.It was good. e.g. this, i.e. that.",
        "e-mail me @ noon; price 3.50USD; ratio 1:2; U.S. and Ph.D.",
    ],
)
def test_files_versions_times_and_sentences_are_no_names(text: str) -> None:
    assert read(text) == set()


def test_app_packages_handles_meetings_and_wallets() -> None:
    text = (
        "Install com.bank.secure.th apk, LINE ID: @abc-def, t.me/kbank_help, Telegram: @helper_1, "
        "Zoom Meeting ID: 812 3456 7890, pay 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa "
        "not 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"
    )
    assert {
        ("package", "com.bank.secure.th"),
        ("handle", "line:abc-def"),
        ("handle", "telegram:kbank_help"),
        ("handle", "telegram:helper_1"),
        ("meeting", "zoom:81234567890"),
        ("wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    } <= read(text)
    assert len([1 for kind, _ in read(text) if kind == "wallet"]) == 1


def test_look_alikes_are_told_in_both_forms() -> None:
    assert imitated(domain("раyраl.com")) == "paypal.com"
    assert imitated(domain("аррӏе.com")) == "apple.com"
    assert imitated(domain("ngân-hàng.vn")) == ""
    assert imitated(domain("ธนาคาร.example")) == ""
    assert skeleton("paypa1") == skeleton("раураl") or skeleton("paypa1") == "paypal"


def test_invisible_characters_hide_nothing() -> None:
    found = extract("pay\u200bpal-login.exa\u00admple and \u202egpj.exe", endings)
    assert ("domain", "paypal-login.example") in {
        (each.observable.type, each.observable.value) for each in found.found
    }
    assert len(found.disguises) == 2


LETTERS = st.sampled_from("abcxyz019-") | st.sampled_from("ьаеирорсӏđâăơêфжάλ")
LABEL = st.text(LETTERS, min_size=1, max_size=12)
SPACELESS = st.text(st.sampled_from("กขคงจฉ่าะกບປຜកខគង中文字ကခဂ"), max_size=6)


@settings(max_examples=150, deadline=None)
@given(SPACELESS, LABEL, LABEL, SPACELESS, st.sampled_from([" ", "", "(", "“", "/", "@"]))
def test_no_found_name_is_a_piece_of_a_larger_label(
    before: str, first: str, second: str, after: str, sign: str
) -> None:
    """Each label of a found name is a whole label of the text, by script and all."""
    text = f"{before}{sign}{first}.{second}.example{after}"
    labels = {unicodedata.normalize("NFC", each) for each in (first, second, "example")}
    for each in extract(text, endings).found:
        if each.observable.type == "domain":
            shown = each.observable.unicode.split(".")
            assert {unicodedata.normalize("NFC", label) for label in shown} <= labels


WORD = st.from_regex("[a-z]{1,9}", fullmatch=True)
PATH = st.text(st.sampled_from("ab/.[]()?=&"), max_size=12)
VALUES = st.one_of(
    st.builds(lambda a, b: observe("domain", f"{a}.{b}.example"), WORD, WORD),
    st.builds(lambda a: observe("ipv4", f"198.51.100.{a}"), st.integers(0, 255)),
    st.builds(lambda a: observe("ipv6", f"2001:db8::{a:x}:1"), st.integers(1, 65_535)),
    st.builds(lambda a: observe("email", f"{a}@m.example"), WORD),
    st.builds(lambda a, p: observe("url", f"https://u@{a}.example:8443/{p}"), WORD, PATH),
)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_refang_after_defang_is_the_same(value: Observable) -> None:
    assert refang(defang(value)) == value.value


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert isinstance(extract(text, endings, "TH"), Extraction)


@pytest.mark.parametrize(
    "piece", ["a.", "a@", "http://", "ก.a ", "1.1.", "a:", "+1 ", "[.]", "-", "zoom "]
)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    """Sixteen times the text takes far less than sixteen squared times as long."""

    def took_s(count: int) -> float:
        text = piece * (count // len(piece))
        best = []
        for _ in range(2):
            began_s = time.process_time()
            extract(text, endings, "TH")
            best.append(time.process_time() - began_s)
        return min(best)

    assert took_s(64_000) < 80 * max(took_s(4_000), 0.001)
