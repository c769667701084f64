"""Every format: what it says of an item, that nothing leaves its field, and what it leaves out."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bayanihan.core.ai import EXTENSION_ID, INFORM_ONLY
from bayanihan.core.marking import PUBLIC
from bayanihan.core.observables import HASH_DIGITS, TYPES, Observable, observe
from bayanihan.core.pattern import read
from bayanihan.errors import Refused
from bayanihan.readers.feeds import FORMATS, Format, Heading, Item, Rendered, render
from bayanihan.readers.feeds.edl import PALO_ALTO_LIMIT
from bayanihan.readers.feeds.format import uncovered, written
from bayanihan.readers.feeds.rule_ids import FIRST, RANGE_SIZE, numbered, range_of
from bayanihan.readers.feeds.rule_text import (
    one_rule_refusal,
    renumbered,
    sigma_refusal,
    yara_refusal,
)
from tests.readers.record import PLAIN_VALUES, START_US, Record, named

HEADING = Heading("x", False, "clear", "cursor", "version", START_US, 1, 0, 0)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path) as found:
        yield found


def version(record: Record, feed: str) -> Rendered:
    return record.press.version(feed, record.rights(PUBLIC), record.now_us)


def added(format_: Format, *items: Item) -> list[str]:
    """The lines that a file has more than an empty one, whose order does not matter."""
    plain = render(format_, [], HEADING).decode().split("\n")
    lines = render(format_, items, HEADING).decode().split("\n")
    for line in plain:
        lines.remove(line)
    return lines


SAID = {
    "addresses.txt": ("ipv4", ["198.51.100.7"]),
    "urls.txt": ("url", ["http://evil-one.com/a?b=c"]),
    "hashes.txt": ("sha256", ["d" * 64]),
    "hosts.txt": ("domain", ["0.0.0.0 evil-one.com", ":: evil-one.com"]),
    "rpz.zone": ("domain", ["*.evil-one.com CNAME .", "evil-one.com CNAME ."]),
    "unbound.conf": ("domain", ['local-zone: "evil-one.com." always_nxdomain']),
    "dnsmasq.conf": ("domain", ["local=/evil-one.com/"]),
    "nftables.nft": ("ipv4", ["add element inet bayanihan hosts4 { 198.51.100.7 }"]),
    "spamassassin.cf": ("domain", ["enlist_uri_host (BAYANIHAN) evil-one.com"]),
    "rspamd.map": ("domain", ["/^(?:[^.]+\\.)*evil-one\\.com$/i"]),
    "postfix.access": ("email", ["who@evil-one.com REJECT on the Bayanihan list"]),
    "squid.acl": ("domain", [".evil-one.com"]),
    "clamav.hsb": ("sha256", [f"{'d' * 64}:*:Bayanihan.File.0ecb4f2fc8de8e09:73"]),
    "zeek.intel": ("url", ["evil-one.com/a?b=c\tIntel::URL\tbayanihan\tTLP:CLEAR indicator--1"]),
    "fuzzy.csv": ("tlsh", [f"tlsh,T1{'A' * 70},30,alert,clear,indicator--1"]),
    "paloalto-url.edl": ("url", ["evil-one.com/a?b=c"]),
    "fortinet-domain.txt": ("domain", ["evil-one.com"]),
    "mikrotik.rsc": (
        "ipv6",
        ["/ipv6 firewall address-list add list=bayanihan address=2001:db8::1"],
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_a_format_says_an_item_in_its_engines_words(name: str) -> None:
    type_, lines = SAID[name]
    item = Item(type_, PLAIN_VALUES[type_], ("indicator--1",))
    found = added(FORMATS[name], item)
    if name == "clamav.hsb":
        assert re.fullmatch(r"d{64}:\*:Bayanihan\.File\.[0-9a-f]{16}:73", found[0])
        return
    assert found == lines


def test_every_name_of_the_design_is_served_and_its_exercise_too(record: Record) -> None:
    names = """domains.txt addresses.txt urls.txt hashes.txt hosts.txt rpz.zone unbound.conf
        dnsmasq.conf nftables.nft suricata.rules clamav.hsb clamav.ndb yara.yar sigma.yml
        spamassassin.cf rspamd.map postfix.access squid.acl zeek.intel indicators.csv bundle.json
        misp/manifest.json fuzzy.csv mikrotik.rsc snort.rules windows-dns.ps1""".split()
    assert set(names) <= set(record.press.feeds)
    assert {f"exercise-{name}" for name in names} <= set(record.press.feeds)


@pytest.mark.parametrize("name", FORMATS)
def test_each_type_is_carried_or_refused_with_a_sentence(record: Record, name: str) -> None:
    for type_, value in PLAIN_VALUES.items():
        found = record.press.refusal(f"exercise-{name}", Observable(type_, value))
        assert found is None or found[1].endswith("."), (type_, found)
    carried = [
        Item(type_, value, ("indicator--1",))
        for type_, value in PLAIN_VALUES.items()
        if record.press.refusal(f"exercise-{name}", Observable(type_, value)) is None
    ]
    assert carried, "every format carries something"
    format_ = FORMATS[name]
    body = b"".join([file.body() for file in written(format_, carried, HEADING).values()])
    text = body.decode().replace("\\.", ".").replace('\\"', '"').replace("\\n", "\n")
    for item in carried:
        assert any(trace in text for trace in traces(item)), item


def traces(item: Item) -> tuple[str, str]:
    """Two ways in which a value may be seen in a file."""
    value = item.value
    if item.type == "url":
        return "evil-one", value.encode().hex()
    if item.type in {"yara", "sigma"}:
        return value.strip(), value
    if item.type in {"suricata", "snort"}:
        return "member rule", value
    return value, "".join(f"|{len(part):02X}|{part}" for part in value.split("."))


def test_uncovered_names_are_whole_labels() -> None:
    items = [Item("domain", name) for name in ("at.com", "t.co", "x.t.co", "y.x.t.co", "xt.co")]
    assert [item.value for item in uncovered(items)] == ["at.com", "t.co", "xt.co"]


def test_a_short_name_never_matches_the_end_of_a_longer_one() -> None:
    item = Item("domain", "t.co")
    (pattern,) = added(FORMATS["rspamd.map"], item)
    expression = re.compile(pattern[1:-2], re.IGNORECASE)
    hits = {"t.co": True, "x.t.co": True, "at.co": False, "t.com": False, "t.co.evil.com": False}
    assert {name: bool(expression.match(name)) for name in hits} == hits
    for name in ("suricata.rules", "snort.rules"):
        (rule, *_) = added(FORMATS[name], item)
        assert 'dotprefix; content:".t.co"' in rule or '"|01|t|02|co|00|"' in rule


def test_what_informs_enters_no_feed_at_all(record: Record) -> None:
    for vector in INFORM_ONLY:
        extension = {EXTENSION_ID: {"extension_type": "property-extension", "vector": vector}}
        for type_, value in PLAIN_VALUES.items():
            if type_ in TYPES and type_ != "tlsh":
                record.push(pattern_of(type_, value), extensions=extension)
        record.push(PLAIN_VALUES["yara"], pattern_type="yara", extensions=extension)
    for feed in record.press.feeds:
        assert version(record, feed).items == 0, feed


def pattern_of(type_: str, value: str) -> str:
    paths = {"domain": "domain-name:value", "url": "url:value", "email": "email-addr:value"}
    if type_ in HASH_DIGITS:
        return f"[file:hashes.'{type_}' = '{value}']"
    if type_ == "tlsh":
        return f"[file:hashes.TLSH = '{value}']"
    return f"[{paths.get(type_, type_.replace('cidr', 'ipv')[:4] + '-addr:value')} = '{value}']"


def test_a_member_s_rules_and_fingerprints_reach_their_feeds_alone(record: Record) -> None:
    record.push(PLAIN_VALUES["yara"], pattern_type="yara")
    record.push(PLAIN_VALUES["sigma"], pattern_type="sigma")
    record.push(PLAIN_VALUES["suricata"], pattern_type="suricata")
    record.push(pattern_of("tlsh", "T1" + "A" * 70))
    for feed, items in {"yara.yar": 1, "sigma.yml": 1, "suricata.rules": 1, "fuzzy.csv": 1}.items():
        assert version(record, feed).items == items, feed
    assert version(record, "domains.txt").items == 0


def test_a_second_rule_of_the_same_name_is_listed_beside(record: Record) -> None:
    record.push("rule same { condition: true }", pattern_type="yara")
    record.push("rule same { condition: false }", pattern_type="yara")
    found = version(record, "yara.yar")
    assert found.items == 1
    assert found.not_expressed[-1].reason == "Another rule is called `same` already."


def test_what_a_device_cannot_take_is_cut_and_listed(record: Record) -> None:
    format_ = FORMATS["paloalto-domain.edl"]
    assert format_.limit == PALO_ALTO_LIMIT - 1
    small = msgspec.structs.replace(format_, limit=2)
    record.press._maker.formats["small.edl"] = small
    for day in (1, 2, 3):
        record.push(named(f"d{day}-evil.com"), valid_from=f"2026-01-0{day}T00:00:00Z")
    found = version(record, "small.edl")
    assert b"d1-evil.com" not in found.body
    assert b"d2-evil.com\nd3-evil.com\n" in found.body
    assert [left.value for left in found.not_expressed] == ["d1-evil.com"]
    assert found.items == 2


# --- structured formats ----------------------------------------------------------------------


def test_the_table_reads_back(record: Record) -> None:
    object_id = record.push(
        "[url:value = 'http://evil-one.com/a,b']", valid_until="2026-12-01T00:00:00Z"
    )
    text = version(record, "indicators.csv").body.decode()
    rows = list(csv.DictReader(line for line in io.StringIO(text) if not line.startswith("#")))
    assert rows == [
        {
            "type": "url",
            "value": "http://evil-one.com/a,b",
            "tlp": "clear",
            "mode": "block",
            "valid_from": "2026-01-01T00:00:00.000Z",
            "valid_until": "2026-12-01T00:00:00.000Z",
            "exercise": "no",
            "objects": object_id,
        }
    ]


def test_the_bundle_is_stix_and_blocks_the_same(record: Record) -> None:
    import stix2

    patterns = [
        "[url:value = 'http://evil-one.com/it\\'s']",
        "[ipv4-addr:value ISSUBSET '45.83.0.0/16']",
        named("one-evil.com", "google.com"),
    ]
    for pattern in patterns:
        record.push(pattern)
    body = version(record, "bundle.json").body
    bundle = stix2.parse(body.decode(), allow_custom=False)
    blocks = {
        block
        for each in bundle.objects
        if each.type == "indicator"
        for block in read(each.pattern).blocks
    }
    assert {block.value for block in blocks} == {
        "http://evil-one.com/it's",
        "45.83.0.0/16",
        "one-evil.com",
    }


def test_the_misp_feed_is_whole(record: Record) -> None:
    record.push(named("one-evil.com", "two-evil.com"))
    record.push(named("three-evil.com"), valid_from="2026-02-01T00:00:00Z")
    found = version(record, "misp/manifest.json")
    manifest = json.loads(found.body)
    canary = [name for name, entry in manifest.items() if "Bayanihan feed" in entry["info"]]
    assert f"version: {found.etag}" in manifest.pop(canary[0])["info"]
    assert {entry["date"] for entry in manifest.values()} == {"2026-01-01", "2026-02-01"}
    values = []
    for name in manifest:
        event = json.loads(found.pages[f"misp/{name}.json"].body())["Event"]
        assert event["uuid"] == name
        values += [attribute["value"] for attribute in event["Attribute"]]
    assert sorted(values) == ["one-evil.com", "three-evil.com", "two-evil.com"]
    hashes = found.pages["misp/hashes.csv"].body().decode().splitlines()
    assert len(hashes) == 3
    assert {line.split(",")[1] for line in hashes} == set(manifest)


# --- rules -----------------------------------------------------------------------------------


def test_rule_numbers_are_stable_and_each_rule_has_its_own() -> None:
    few = numbered(["a", "b"], "hub.one")
    many = numbered([f"n{number}" for number in range(20_000)] + ["a", "b"], "hub.one")
    assert few.items() <= many.items(), "these two collide with nothing here"
    assert len(set(many.values())) == len(many)
    assert set(many.values()) <= set(range_of("hub.one"))
    assert range_of("hub.one") != range_of("hub.two")
    assert FIRST <= range_of("hub.one").start < FIRST + 64 * RANGE_SIZE


RULES = {
    'alert dns any any -> any any (msg:"x"; dns.query; content:"a.com"; sid:1; rev:1;)': True,
    'alert tcp any any -> any any (msg:"x\\;y"; content:"a|3B|"; sid:1;)': True,
    'pass dns any any -> any any (msg:"x"; sid:1;)': False,
    'alert dns any any -> any any (msg:"x"; sid:1;)\nalert ip any any -> any any (sid:2;)': False,
    'alert dns any any -> any any (msg:"x"; lua:evil.lua; sid:1;)': False,
    'alert dns any any -> any any (msg:"x"; dataset:set,x,save /etc/passwd; sid:1;)': False,
    'include "other.rules"': False,
    'alert dns any any -> any any (msg:"x"; sid:}1;)': False,
    'alert dns any any -> any any (msg:"x\u2028y"; sid:1;)': False,
    "# alert": False,
}


@pytest.mark.parametrize("text", RULES)
def test_a_member_s_rule_is_one_rule_that_reaches_for_nothing(text: str) -> None:
    assert (one_rule_refusal(text) is None) == RULES[text]


def test_a_rule_gets_a_number_of_ours() -> None:
    text = 'alert dns any any -> any any (msg:"sid:9; x"; sid:1000001; rev:1;)'
    assert renumbered(text, 7) == ('alert dns any any -> any any (msg:"sid:9; x"; rev:1; sid:7;)')


YARA = {
    'import "pe"\nrule one { strings: $a = "}" condition: $a }': True,
    "rule one { strings: $a = /a}b/ condition: $a }": True,
    'include "x.yar" rule one { condition: true }': False,
    'rule one { condition: true } include "x.yar"': False,
    "rule one { condition: true } rule two { condition: true }": False,
    "rule one { condition: true } }": False,
    "rule one {": False,
    "not a rule": False,
}


@pytest.mark.parametrize("text", YARA)
def test_a_member_s_yara_rule_is_one_rule(text: str) -> None:
    assert (yara_refusal(text) is None) == YARA[text]


SIGMA = "title: x\nlogsource: {category: dns}\ndetection: {a: {query: b}, condition: a}\n"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (SIGMA, True),
        (SIGMA + "---\n" + SIGMA, False),
        ("title: x\n", False),
        ("a: &a [1]\nb: *a\n", False),
        ("!!python/object/apply:os.system [ls]", False),
        ("\t{", False),
    ],
)
def test_a_member_s_sigma_rule_is_one_rule(text: str, good: bool) -> None:
    assert (sigma_refusal(text) is None) == good


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (yara_refusal, "rule one { condition: true\n// end of rule\n}"),
        (yara_refusal, "rule one { condition: true }\n// end of rule"),
        (yara_refusal, "rule bayanihan_canary { condition: true }"),
        (sigma_refusal, SIGMA + "# end of rule\nlevel: low\n"),
        (sigma_refusal, "---\n# end of rule\n" + SIGMA),
        (sigma_refusal, SIGMA + "description: |\n    x\n# end of rule\n"),
    ],
)
def test_a_rule_that_would_part_others_is_refused(
    refusal: Callable[[str], str | None], text: str
) -> None:
    assert (refusal(text) or "").startswith(("It holds the line", "Its name is"))
    near = text.replace("end of rule", "end of a rule").replace("canary", "bird")
    assert refusal(near) is None


# --- properties ------------------------------------------------------------------------------

SIGNS = "\n\r\t \"'`;:#$@*()[]{}<>|\\/,=%&!?~^\u2028\u2029\x85\x0b\x0c\x00.-_"
HOSTILE = st.one_of(
    st.text(max_size=60),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(("evil", "a.b", "http://evil.com/", "x@", "1.2.3.4", "::1", "")),
        st.text(SIGNS, min_size=1, max_size=5),
        st.sampled_from((".com", "x.com", "@x.com", "\n$INCLUDE /etc/passwd", "; sid:1;)", "/")),
    ),
)
PASSED_ON = {"yara", "sigma", "suricata", "snort"}


@settings(max_examples=400, deadline=None)
@example(text="http://0/", type_="url", canonical=False)
@given(text=HOSTILE, type_=st.sampled_from(TYPES), canonical=st.booleans())
def test_no_value_adds_a_line_or_leaves_its_field(text: str, type_: str, canonical: bool) -> None:
    """Whether the value passed the canonical readers or something else made the observable."""
    check_value(text, type_, canonical=canonical)


def check_value(text: str, type_: str, *, canonical: bool) -> None:
    """One value in every format that carries it."""
    value = text
    if canonical:
        try:
            found = observe(type_, text)
        except Refused:
            return
        type_, value = found.type, found.value
    for format_ in FORMATS.values():
        if type_ in format_.types and format_.refusal(Observable(type_, value)) is None:
            check_file(format_, Item(type_, value, ("indicator--1",)))


def check_file(format_: Format, item: Item) -> None:
    """A file with one item has as many lines as one with a plain item of its type."""
    body = render(format_, [item], HEADING)
    plain = Item(item.type, PLAIN_VALUES[item.type], ("indicator--1",))
    if format_.name.endswith((".json", "manifest.json")):
        assert shape(json.loads(body)) == shape(json.loads(render(format_, [plain], HEADING)))
        return
    lines = added(format_, item)
    assert len(lines) == len(added(format_, plain)), lines
    for line in lines:
        assert line.isprintable() or "\t" in line
        assert len(line.splitlines()) == 1
    if format_.name.endswith(".csv"):
        assert {len(row) for row in csv.reader(lines, strict=True)} == {
            len(row) for row in csv.reader(added(format_, plain), strict=True)
        }
    if format_.name == "zeek.intel":
        assert {line.count("\t") for line in lines} == {3}
    if format_.name.endswith(".rules"):
        assert all(one_rule_refusal(line) is None for line in lines)
        assert all(line.count(" sid:") == 1 for line in lines)


def shape(document: object) -> object:
    """A document without its leaves."""
    if isinstance(document, dict):
        return {"keys": sorted(map(shape_of_key, document))} | {
            shape_of_key(key): shape(value) for key, value in document.items()
        }
    if isinstance(document, list):
        return [shape(each) for each in document]
    return type(document).__name__


def shape_of_key(key: str) -> str:
    return "uuid" if re.fullmatch(r"[0-9a-f-]{36}", key) else key


def test_the_hostile_values_are_read_as_what_they_are_by_yaml() -> None:
    """The canary of sigma.yml and a member's rule are two documents, whatever is in the rule."""
    item = Item("sigma", SIGMA.replace("title: x", "title: '--- x'"), ("indicator--1",))
    documents = list(yaml.safe_load_all(render(FORMATS["sigma.yml"], [item], HEADING)))
    assert [each["title"] for each in documents] == ["Bayanihan canary", "--- x"]


def test_the_misp_feed_loads_in_pymisp(record: Record) -> None:
    import pymisp

    record.push(
        named("one-evil.com")
        + " OR [ipv4-addr:value = '45.83.0.0/16'] OR [url:value = 'http://evil-one.com/x']"
        + f" OR [file:hashes.'SHA-256' = '{'d' * 63}e'] OR [email-addr:value = 'a@evil.com']"
    )
    found = version(record, "misp/manifest.json")
    pages = [page.body() for name, page in found.pages.items() if name.endswith(".json")]
    assert len(pages) == 2
    for body in pages:
        event = pymisp.MISPEvent()
        event.load(json.loads(body))
        types = {attribute.type for attribute in event.attributes}
        assert event.info.startswith("Bayanihan feed") or types == {
            "domain",
            "ip-dst",
            "url",
            "sha256",
            "email-src",
        }
        for attribute in event.attributes:
            assert attribute.category in event.describe_types["categories"]
