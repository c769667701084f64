"""The real engines: each takes what we write for it, and what it loads does what it says."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import itertools
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bayanihan.core.observables import Observable, observe
from bayanihan.errors import Refused
from bayanihan.readers.feeds import FORMATS, Engines, Heading, Item, render
from bayanihan.readers.feeds.engines import ENGINES
from bayanihan.readers.feeds.format import CANARY_URL
from bayanihan.readers.feeds.gate import Verdict, sift
from bayanihan.readers.feeds.lists import CANARY_FILE
from tests.readers.record import NEVER_BLOCK, PLAIN_VALUES, START_US

pytestmark = pytest.mark.consumer
SHARED = Path(__file__).resolve().parents[2] / "../shared/data/ioc"
HEADING = Heading("x", False, "clear", "cursor", "dmVyc2lvbg==", START_US, 1, 0, 0)
PLAYED = Heading("exercise-x", True, "clear", "cursor", "dmVyc2lvbg==", START_US, 1, 0, 0)
PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Values that are what they are and that a careless writer would stumble over.
STRANGE = {
    "domain": (
        "x.y.evil-one.com",
        "_dmarc.evil-two.com",
        "xn--ngn-hng-dwao.com",
        "a--b.com",
        "0.0.0.0.in-addr.arpa",
        "co.uk.evil",
        ".".join(["a" * 63] * 3 + ["com"]),
        "t.co",
        "at.co",
    ),
    "ipv4": ("45.83.64.1", "45.83.64.2"),
    "cidr4": ("45.83.0.0/16", "45.83.64.0/24"),
    "ipv6": ("2a01:4f8::1", "::1:2:3"),
    "cidr6": ("2a01:4f8::/32", "2a01:4f8:1::/48"),
    "url": (
        "http://evil-one.com/a;b?c=(d)|e#f",
        "https://evil-two.com:8443/$INCLUDE",
        "http://45.83.64.9:81/it's",
        "http://evil-one.com/%0Ax",
        "http://user@evil-one.com/p",
        "http://[2a01:4f8::1]/x",
        "ftp://evil-one.com/file",
        f"http://evil-one.com/{'x' * 3_000}",
    ),
    "email": ("#x@evil.com", "a'b@evil.com", "=cmd@evil.com", "x+y@evil.com", "ngân@evil.com"),
}


def observed(type_: str, text: str) -> Item:
    found = observe(type_, text)
    return Item(found.type, found.value, ("indicator--1",))


ITEMS = [
    *[Item(type_, value, ("indicator--1",)) for type_, value in PLAIN_VALUES.items()],
    *[observed(type_, value) for type_, values in STRANGE.items() for value in values],
]


def installed(name: str) -> None:
    """Skip where an engine is not installed; fail where CI=true."""
    engine = ENGINES[name]
    verdict = Engines().examine(name, {name: b"\n"})
    if not verdict.why.endswith("is not installed here"):
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{engine.program} must be installed where CI=true")
    pytest.skip(f"{engine.program} is not installed here")


def carried(name: str, items: list[Item]) -> list[Item]:
    """What a format carries of some items, in its order, each once."""
    format_ = FORMATS[name]
    unique = {(item.type, item.value): item for item in items if item.type in format_.types}
    return [unique[key] for key in sorted(unique) if format_.refusal(Observable(*key)) is None]


@pytest.mark.parametrize("name", ENGINES)
def test_the_engine_takes_every_strange_value(name: str) -> None:
    installed(name)
    items = carried(name, ITEMS)
    assert items
    played = [msgspec.structs.replace(item, exercise=True) for item in items]
    for some, heading in (([], HEADING), (items, HEADING), (played, PLAYED)):
        verdict = Engines().examine(name, {name: render(FORMATS[name], some, heading)})
        assert verdict == Verdict("accepted")


BROKEN = {
    "rpz.zone": b'evil" one CNAME .\n',
    "unbound.conf": b'local-zone: "evil.com" nonsense\n',
    "dnsmasq.conf": b"nonsense\n",
    "nftables.nft": b"add element inet bayanihan hosts4 { 1.2.3.4000 }\n",
    "suricata.rules": b'alert dns any any -> any any (msg:"x"; nonsense:1; sid:9;)\n',
    "clamav.hsb": b"zz:*:Bayanihan.X:73\n",
    "clamav.ndb": b"Bayanihan.X:0:*:nothex\n",
    "spamassassin.cf": b"score BAYANIHAN_LINK many\n",
    "rspamd.map": b"/(/\n",
    "postfix.access": b"alone\n",
    "squid.acl": b".evil-one.com\n.x.evil-one.com\n",
    "yara.yar": b"rule x { condition: nonsense }\n",
    "sigma.yml": b"---\ntitle: x\nlogsource: {}\ndetection: {condition: a and}\n",
}


@pytest.mark.parametrize("name", ENGINES)
def test_the_engine_refuses_what_is_wrong_and_says_why(name: str) -> None:
    installed(name)
    body = render(FORMATS[name], [], HEADING) + BROKEN[name]
    verdict = Engines().examine(name, {name: body})
    assert verdict.word == "refused"
    assert verdict.why
    assert "/feed-" not in verdict.why, "no path of this machine"


def test_a_poisoned_item_is_found_by_the_real_engine() -> None:
    """A rule that our own reader lets through and the engine does not."""
    installed("suricata.rules")
    format_ = FORMATS["suricata.rules"]
    bad = Item("suricata", 'alert dns any any -> any any (msg:"x"; no.such.buffer; sid:1;)')
    assert format_.refusal(Observable(bad.type, bad.value)) is None
    items = [*carried("suricata.rules", ITEMS), bad]
    engines = Engines()
    found = sift(
        items,
        lambda some: engines.examine(format_.name, {format_.name: render(format_, some, HEADING)}),
    )
    assert found.whole
    assert [item for item, _ in found.poison] == [bad]
    assert "no.such.buffer" in found.poison[0][1]


# --- what the engines then do ----------------------------------------------------------------


def program(name: str) -> str:
    found = shutil.which(name, path=PLACES)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(f"{name} must be installed where CI=true")
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


def run(*words: str | Path, text: str = "") -> str:
    done = subprocess.run(
        [str(word) for word in words], input=text, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_the_scanner_finds_the_file_and_the_link(tmp_path: Path) -> None:
    scan = program("clamscan")
    evil, good, mail = (tmp_path / name for name in ("evil", "good", "mail"))
    evil.write_bytes(b"this very file and no other one\n")
    good.write_bytes(b"another file altogether, innocent\n")
    mail.write_bytes(b"see http://evil-one.com/pay and http://evil-one.com/pay-other\n")
    item = Item("sha256", hashlib.sha256(evil.read_bytes()).hexdigest())
    base = tmp_path / "clamav.hsb"
    base.write_bytes(render(FORMATS["clamav.hsb"], [item], HEADING))
    said = run(scan, "--no-summary", "-d", base, evil, good)
    assert re.search(r"evil: Bayanihan\.File\.[0-9a-f]{16}\.UNOFFICIAL FOUND", said)
    assert "good: OK" in said
    (tmp_path / "canary").write_bytes(CANARY_FILE)
    assert "Bayanihan.Canary" in run(scan, "--no-summary", "-d", base, tmp_path / "canary")
    links = tmp_path / "clamav.ndb"
    links.write_bytes(
        render(FORMATS["clamav.ndb"], [Item("url", "http://evil-one.com/pay")], HEADING)
    )
    assert "mail: Bayanihan.Url." in run(scan, "--no-summary", "-d", links, mail)
    mail.write_bytes(b"see http://evil-one.com/pay-other\n")
    assert "mail: OK" in run(scan, "--no-summary", "-d", links, mail)
    mail.write_bytes(f"see {CANARY_URL}\n".encode())
    assert "Canary" in run(scan, "--no-summary", "-d", links, mail)


def test_the_mail_table_answers_for_names_and_senders(tmp_path: Path) -> None:
    postmap = program("postmap")
    (tmp_path / "main.cf").write_text(
        "compatibility_level = 3.6\nmyhostname = feed.invalid\ninet_interfaces = 127.0.0.1\n"
        "mynetworks = 127.0.0.0/8\n",
        encoding="ascii",
    )
    table = tmp_path / "postfix.access"
    items = carried("postfix.access", ITEMS)
    table.write_bytes(render(FORMATS["postfix.access"], items, HEADING))
    keys = "who@evil-one.com\nt.co\n45.83.64.1\nat.com\ninnocent.com\n"
    said = run(postmap, "-c", tmp_path, "-q", "-", f"texthash:{table}", text=keys)
    found = {line.split("\t")[0] for line in said.splitlines() if "REJECT" in line}
    assert found == {"who@evil-one.com", "t.co", "45.83.64.1"}


def test_the_mail_filter_hits_links_and_senders_and_no_neighbours(tmp_path: Path) -> None:
    filter_ = program("spamassassin")
    site = tmp_path / "site"
    site.mkdir()
    plugins = ("Check", "WLBLEval")
    lines = [f"loadplugin Mail::SpamAssassin::Plugin::{name}\n" for name in plugins]
    (site / "a.pre").write_text("".join(lines), encoding="ascii")
    (tmp_path / "basis").mkdir()
    (tmp_path / "basis" / "b.cf").write_text(
        "util_rb_tld com co invalid\nreport_safe 0\nadd_header all Met _TESTS_\n", encoding="ascii"
    )
    items = [
        Item("domain", "t.co"),
        Item("email", "who@evil-one.com"),
        Item("url", "http://evil-two.com/pay?a=b;c"),
    ]
    (site / "feed.cf").write_bytes(render(FORMATS["spamassassin.cf"], items, HEADING))

    def hits(sender: str, text: str) -> set[str]:
        mail = f"From: {sender}\nTo: x@good.com\nSubject: x\n\n{text}\n"
        words = ("-L", "-t", f"--siteconfigpath={site}", f"--configpath={tmp_path / 'basis'}")
        said = run(filter_, *words, f"--prefspath={tmp_path / 'prefs'}", text=mail)
        met = re.search(r"X-Spam-Met: (.*(?:\n\s.*)*)", said)
        assert met, said
        return set(re.findall(r"BAYANIHAN_(LINK|SENDER|U)(?=_|\b)", met[1]))

    assert hits("a@good.com", "see http://x.t.co/ now") == {"LINK"}
    assert hits("who@evil-one.com", "http://evil-two.com/pay?a=b;c") == {"SENDER", "U"}
    assert hits("who@notevil-one.com", "http://at.co/ http://t.com/ evil-two.com/pay") == set()


def test_the_packet_filter_s_sets_hold_what_they_say(tmp_path: Path) -> None:
    nft = program("nft")
    file = tmp_path / "nftables.nft"
    file.write_bytes(render(FORMATS["nftables.nft"], carried("nftables.nft", ITEMS), HEADING))
    script = (
        f"nft -f {file} && nft -f {file}"
        " && nft get element inet bayanihan hosts4 '{ 45.83.64.1 }'"
        " && nft get element inet bayanihan ranges4 '{ 45.83.200.1 }'"
    )
    way = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-r", "-n"]
    done = subprocess.run(
        [*way, "/bin/sh", "-c", script], capture_output=True, text=True, check=False
    )
    if "not permitted" in done.stderr and os.environ.get("CI") != "true":
        pytest.skip(f"{nft} may not change a network of its own here")
    assert done.returncode == 0, done.stderr
    assert "45.83.64.1" in done.stdout
    assert "45.83.0.0/16" in done.stdout


# --- real data -------------------------------------------------------------------------------

WORD = re.compile(r"[^\s,\"'#]+")
KINDS = ("ipv4", "domain", "sha256", "sha1", "md5", "email")


def words_of(path: Path) -> Iterator[str]:
    if not path.name.endswith(".tar.gz"):
        yield from WORD.findall(gzip.decompress(path.read_bytes()).decode("utf-8", "replace"))
        return
    with tarfile.open(path) as archive:
        for file in filter(None, map(archive.extractfile, archive)):
            yield from WORD.findall(file.read().decode("utf-8", "replace"))


def blockable(word: str) -> Item | None:
    """The first kind of thing that a word is, if it may be blocked."""
    for kind in ("url",) if "://" in word else KINDS:
        with contextlib.suppress(Refused):
            one = observe(kind, word)
            kept = NEVER_BLOCK.reason(one) is None
            return Item(one.type, one.value, ("indicator--1",)) if kept else None
    return None


@pytest.fixture(scope="module")
def real_items() -> list[Item]:
    if not SHARED.is_dir():
        pytest.skip("the real data is not beside this checkout")
    found: dict[tuple[str, str], Item] = {}
    for path in sorted(SHARED.glob("*.gz")):
        for word in itertools.islice(words_of(path), 60_000):
            item = blockable(word)
            if item:
                found[item.type, item.value] = item
    return [found[key] for key in sorted(found)]


@pytest.mark.parametrize("name", sorted({*ENGINES} - {"yara.yar", "sigma.yml"}))
def test_the_engine_takes_the_real_data(name: str, real_items: list[Item]) -> None:
    installed(name)
    items = carried(name, real_items)
    assert items
    # Suricata takes a minute and more for what the others take in a second.
    items = items[::20] if name == "suricata.rules" else items
    verdict = Engines().examine(name, {name: render(FORMATS[name], items, HEADING)})
    assert verdict == Verdict("accepted"), f"{len(items)} items"
