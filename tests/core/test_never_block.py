from __future__ import annotations

import gzip
import tarfile
from importlib import resources
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList

from bayanihan.core.never_block import NeverBlock
from bayanihan.core.observables import Observable, address, domain, host_of, observe
from bayanihan.errors import Refused

SHARED = Path(__file__).resolve().parents[2] / "../shared"
SCAMS = SHARED / "data/ioc/chongluadao-vn-phishing.txt.gz"
TRAILS = SHARED / "data/ioc/maltrail-malware-trails.tar.gz"
LIST = resources.files("bayanihan.readers").joinpath("never-block.txt").read_text("utf-8")
OWN = ("hub.cert.test-hub.ph", "45.45.1.2", "localhost", "")

SUFFIXES = PublicSuffixList().is_public
SHIPPED = NeverBlock(LIST.splitlines(), SUFFIXES, OWN)


def held(type_: str, text: str, *, exercise: bool = False) -> str:
    return SHIPPED.reason(observe(type_, text), exercise=exercise) or ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("co.th", "shared"),
        ("github.io", "shared"),
        ("xn--12c1fe0br.xn--o3cw4h", "shared"),
        ("blogspot.com", "shared"),
        ("facebook.com", "many people publish"),
        ("www.facebook.com", "many people publish"),
        ("discord.com", "many people publish"),
        ("t.me", "many people publish"),
        ("drive.google.com", "many people publish"),
        ("google.com", "on the never-block list"),
        ("clients3.google.com", "under `google.com`"),
        ("gov.sg", "on the never-block list"),
        ("www.mfa.gov.sg", "under `gov.sg`"),
        ("one.one", "above `one.one.one.one`"),
        ("hub.cert.test-hub.ph", "this hub itself"),
        ("a.hub.cert.test-hub.ph", "this hub itself"),
        ("test-hub.ph", "above `hub.cert.test-hub.ph`"),
        ("printer.local", "reserved"),
        ("a.localhost", "reserved"),
        ("4.3.2.1.in-addr.arpa", "reserved"),
        ("abc.onion", "reserved"),
        ("example.com", "reserved"),
        ("www.example.org", "reserved"),
        ("lure.example", "reserved"),
    ],
)
def test_names_that_are_held(name: str, why: str) -> None:
    assert why in held("domain", name)
    assert held("domain", name).endswith(".")


@pytest.mark.parametrize(
    "name",
    [
        "evil.com",
        "evil.co.th",
        "evil.github.io",
        "evil.blogspot.com",
        "deep.evil.blogspot.com",
        "evil.blob.core.windows.net",
        "notfacebook.com",
        "facebook.com.evil.top",
        "gov.sg.evil.top",
        "mygov-sg.top",
        "xample.top",
        "раyраl.top",
        "ngân-hàng.vn",
    ],
)
def test_names_that_may_be_blocked(name: str) -> None:
    assert held("domain", name) == ""


def test_an_exercise_may_use_example_and_nothing_else() -> None:
    assert held("domain", "lure.example", exercise=True) == ""
    assert held("url", "https://lure.example/x", exercise=True) == ""
    assert held("ipv4", "203.0.113.7", exercise=True) == ""
    for name in ("example.com", "a.test", "a.invalid", "gov.sg", "co.th", "github.io"):
        assert observe_or_none("domain", name) is None or held("domain", name, exercise=True)
    assert held("ipv4", "10.0.0.1", exercise=True)


def observe_or_none(type_: str, text: str) -> Observable | None:
    try:
        return observe(type_, text)
    except Refused:
        return None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.0.0.0/0", "wider"),
        ("::/0", "wider"),
        ("45.0.0.0/15", "wider"),
        ("2400::/31", "wider"),
        ("0.0.0.0", "this network"),
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.0/24", "private"),
        ("100.64.0.1", "CGNAT"),
        ("127.0.0.1", "itself"),
        ("169.254.169.254", "link-local"),
        ("192.0.2.1", "documentation"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("8.8.8.8", "never-block"),
        ("8.8.0.0/16", "never-block"),
        ("45.45.1.2", "this hub"),
        ("45.45.0.0/16", "this hub"),
        ("::", "public Internet"),
        ("::1", "public Internet"),
        ("fe80::1", "public Internet"),
        ("fd00::1", "public Internet"),
        ("ff02::1", "public Internet"),
        ("64:ff9b::8.8.8.8", "public Internet"),
        ("::ffff:10.0.0.1", "private"),
        ("2002:808:808::1", "6to4"),
        ("2001:db8::1", "documentation"),
        ("2001:4860:4860::/48", "never-block"),
        ("2606:4700:4700::1111", "never-block"),
    ],
)
def test_addresses_that_are_held(text: str, why: str) -> None:
    found = address(text)
    assert why in (SHIPPED.reason(found) or "")


@pytest.mark.parametrize("text", ["45.1.2.3", "45.1.0.0/16", "2400:cb00::1", "2400:cb00::/32"])
def test_addresses_that_may_be_blocked(text: str) -> None:
    assert SHIPPED.reason(address(text)) is None


@pytest.mark.parametrize(
    ("text", "is_held"),
    [
        ("https://www.facebook.com/page", False),
        ("https://sites.google.com/view/x", False),
        ("https://t.me/x", False),
        ("https://github.io/x", False),
        ("https://evil.top/", False),
        ("https://www.facebook.com/", True),
        ("https://www.facebook.com/?", True),
        ("https://github.io", True),
        ("https://www.mfa.gov.sg/page", True),
        ("https://hub.cert.test-hub.ph/feeds/domains.txt", True),
        ("https://facebook.com@evil.top/", False),
        ("https://evil.top@www.facebook.com/", True),
        ("http://10.0.0.1/x", True),
        ("http://[::1]/x", True),
    ],
)
def test_urls(text: str, is_held: bool) -> None:
    assert bool(held("url", text)) == is_held


def test_mail_addresses_and_digests() -> None:
    assert held("email", "x@gov.sg")
    assert held("email", "x@mail.example.com")
    assert held("email", "x@gmail.com") == ""
    assert held("email", "x@evil.top") == ""
    assert "empty file" in held("md5", "d41d8cd98f00b204e9800998ecf8427e")
    assert "line break" in held("sha1", "adc83b19e793491b1c6ea0fd8b46cd9f32e592fc")
    assert "placeholder" in held("sha256", "0" * 64)
    assert held("sha256", "ab" * 32) == ""


def test_the_longest_entry_decides() -> None:
    rules = NeverBlock(["a.top", "b.a.top shared", "c.b.a.top # comment", "", "# x"], SUFFIXES)
    assert rules.reason(domain("x.a.top"))
    assert rules.reason(domain("b.a.top"))
    assert rules.reason(domain("x.b.a.top")) is None
    assert rules.reason(domain("x.c.b.a.top"))


@pytest.mark.parametrize("line", ["a.top pagse", "a.top shared x", "a..top", "1.2.3.400", "a b"])
def test_a_broken_line_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(Refused) as caught:
        NeverBlock(["ok.top", line], SUFFIXES)
    assert caught.value.where == "line 2"


def test_each_shipped_line_is_given_once_and_holds() -> None:
    seen = set()
    for line in LIST.splitlines():
        entry = line.partition("#")[0].split()
        if not entry:
            continue
        found = observe_or_none("ipv6" if ":" in entry[0] else "ipv4", entry[0])
        found = found or domain(entry[0])
        assert found not in seen, line
        seen.add(found)
        assert SHIPPED.reason(found, exercise=True), line
    assert len(seen) > 200


def test_real_scam_list_never_yields_a_shared_host() -> None:
    if not SCAMS.exists():
        pytest.skip("needs the folder `shared` beside the checkout")
    lines = gzip.decompress(SCAMS.read_bytes()).decode().split()
    pages = [found for line in lines if "/" in line and (found := observe_or_none("url", line))]
    assert {"sites.google.com", "zalo.me"} <= {host_of(page).value for page in pages}
    for page in pages:
        host = host_of(page)
        if host.value.endswith(("google.com", "zalo.me", "apple.com")):
            assert SHIPPED.reason(host)
            assert SHIPPED.reason(page) is None
    names = [found for line in lines if (found := observe_or_none("domain", line))]
    assert len(names) > 17_000
    assert [name for name in names if SHIPPED.reason(name)] == []


def test_real_malware_trails_are_mostly_blockable() -> None:
    if not TRAILS.exists():
        pytest.skip("needs the folder `shared` beside the checkout")
    with tarfile.open(TRAILS) as archive:
        files = [archive.extractfile(entry) for entry in archive.getmembers() if entry.isfile()]
        words = {word for file in files if file for word in file.read().split()}
    found = (observe_or_none("domain", word.decode(errors="replace")) for word in words)
    names = {name for name in found if name}
    kept = [name for name in names if SHIPPED.reason(name) is None]
    assert len(names) > 40_000
    assert len(kept) / len(names) > 0.97
    for name in kept:
        assert not SUFFIXES(name.value)
        assert not name.value.endswith((".onion", ".local", ".facebook.com", ".gov.sg"))


# --- rules

_LABEL = st.text(st.sampled_from("abcx01"), min_size=1, max_size=3).filter(
    lambda text: text[0].isalpha()
)
_NAME = st.lists(_LABEL, min_size=2, max_size=4).map(lambda labels: ".".join([*labels, "top"]))


def _under(name: str, above: str) -> bool:
    return name == above or name.endswith("." + above)


@given(st.sets(_NAME, max_size=4), _NAME)
def test_names_are_held_by_whole_labels_both_ways(entries: set[str], name: str) -> None:
    rules = NeverBlock(entries, SUFFIXES)
    expected = any(_under(name, entry) or _under(entry, name) for entry in entries)
    assert bool(rules.reason(domain(name))) == expected


@given(
    st.lists(st.tuples(st.integers(0, 2**20 - 1), st.integers(20, 32)), max_size=4),
    st.integers(0, 2**20 - 1),
    st.integers(16, 32),
)
def test_ranges_are_held_by_overlap_both_ways(
    entries: list[tuple[int, int]], place: int, prefix: int
) -> None:
    base = int(ip_network("45.0.0.0/12").network_address)
    lines = [str(ip_network((base + offset, bits), strict=False)) for offset, bits in entries]
    asked = ip_network((base + place, prefix), strict=False)
    found = NeverBlock(lines, SUFFIXES).reason(address(str(asked)))
    assert bool(found) == any(asked.overlaps(ip_network(line)) for line in lines)
