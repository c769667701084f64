"""The warning lists: compiled and asked, they say what a plain look through them says."""

from __future__ import annotations

import gzip
import ipaddress
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.core.never_block import NeverBlock
from bayanihan.core.observables import guess, host_of
from bayanihan.core.warning_lists import LISTS, MAGIC, RULES, Source, WarningLists, compiled
from bayanihan.errors import Broken
from bayanihan.readers.feeds import never_block_lines, warning_lists
from tests.core.test_never_block import SCAMS, SUFFIXES, TRAILS, observe_or_none

LABEL = st.sampled_from(["a", "b", "evil", "bank"])
NAME = st.lists(LABEL, min_size=1, max_size=4).map(lambda labels: ".".join([*labels, "top"]))
NETWORK = st.builds(
    lambda number, size: ipaddress.ip_network((number, size), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(8, 32),
)


def rules(*sources: Source) -> NeverBlock:
    lists = WarningLists(compiled(sources).data)
    return NeverBlock([], SUFFIXES, (), lists)


def reason(found: NeverBlock, text: str) -> str:
    return found.reason(guess(text)) or ""


@given(st.sets(NAME, max_size=6), NAME)
def test_a_name_is_held_below_a_listed_one_and_above_it(listed: set[str], name: str) -> None:
    found = rules(Source("bank-website", "Banks", sorted(listed)))
    below = any(name == each or name.endswith(f".{each}") for each in listed)
    above = any(each.endswith(f".{name}") for each in listed)
    assert bool(reason(found, name)) == (below or above)


@settings(max_examples=60)
@given(st.lists(NETWORK, max_size=8), NETWORK)
def test_a_range_is_held_when_it_overlaps_whichever_is_wider(
    listed: list[ipaddress.IPv4Network], asked: ipaddress.IPv4Network
) -> None:
    found = WarningLists(compiled([Source("fastly", "Fastly", [str(n) for n in listed])]).data)
    expected = any(asked.overlaps(each) for each in listed)
    bounds = int(asked.network_address), int(asked.broadcast_address)
    assert found.overlapping(4, *bounds) == ("Fastly" if expected else None)


def test_each_kind_of_list_holds_what_it_should() -> None:
    found = rules(
        Source("bank-website", "Banks", ["small-bank.com"]),
        Source("url-shortener", "Shorteners", ["sho.rt"]),
        Source("dynamic-dns", "Dynamic DNS", ["dyn-home.net"]),
        Source("eicar.com", "EICAR", ["44d88612fea8a8f36de82e1278abb02f"]),
        Source("public-dns-v6", "Resolvers", ["2620:74:1b::1:1"]),
        Source("amazon-aws", "A cloud", ["45.83.0.0/16"]),
        Source("vpn-ipv4", "VPNs", ["45.84.0.1"]),
    )
    held = {
        "small-bank.com": "Banks",
        "pay.small-bank.com": "Banks",
        "http://small-bank.com/login": "Banks",
        "boss@small-bank.com": "Banks",
        "sho.rt": "a site on the warning list",
        "dyn-home.net": "Dynamic DNS",
        "44D88612FEA8A8F36DE82E1278ABB02F": "EICAR",
        "2620:74:1b::1:1": "Resolvers",
    }
    for text, why in held.items():
        assert why in reason(found, text), text
    for text in (
        *("notsmall-bank.com", "http://sho.rt/abc", "evil.dyn-home.net", "45.83.1.2"),
        *("45.84.0.1", "44d88612fea8a8f36de82e1278abb02e", "2620:74:1c::1"),
    ):
        assert reason(found, text) == "", text


def test_a_line_of_ours_counts_before_an_entry_of_theirs() -> None:
    lists = WarningLists(compiled([Source("bank-website", "Banks", ["drive.cloud.com"])]).data)
    found = NeverBlock(["drive.cloud.com pages"], SUFFIXES, (), lists)
    assert reason(found, "http://drive.cloud.com/x") == ""
    assert "many people publish" in reason(found, "drive.cloud.com")


def test_a_list_that_nobody_judged_is_named_and_holds_nothing() -> None:
    made = compiled([Source("new-list", "New", ["one.com"]), Source("alexa", "Top", ["two.com"])])
    assert made.unjudged == ("new-list",)
    assert made.counts == {"alexa": 1}
    assert set(LISTS.values()) == {*RULES, "range", "digest", "inform"} - {"above"}


@pytest.mark.parametrize("cut", [3, 20, 60])
def test_bytes_that_are_no_lists_are_refused(cut: int) -> None:
    made = compiled([Source("alexa", "Top", ["two.com"])]).data
    for broken in (b"{}", made[: len(MAGIC)], made[:-cut]):
        with pytest.raises(Broken):
            WarningLists(broken)


def test_what_is_shipped_holds_what_everybody_needs_and_lets_evil_through() -> None:
    found = NeverBlock(never_block_lines(), SUFFIXES, (), warning_lists())
    assert len(warning_lists()) > 200_000
    for text in ("hsbc.com", "wikileaks.org", "13.107.6.152", "ox.ac.uk", "8.8.8.0/24"):
        assert reason(found, text), text
    for text in ("evil-one.com", "evil.duckdns.org", "http://bit.ly/abc", "45.83.1.2"):
        assert reason(found, text) == "", text


def test_the_script_makes_the_same_file_from_a_checkout_and_from_an_archive(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "lists" / "alexa"
    folder.mkdir(parents=True)
    text = json.dumps({"name": "Top", "list": ["two.com", "not a name"], "type": "hostname"})
    (folder / "list.json").write_text(text)
    (tmp_path / "alexa.json").write_text(text)
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        archive.add(tmp_path / "alexa.json", "alexa.json")
    for place in (tmp_path / "lists", tmp_path / "all.tar"):
        command = [sys.executable, "-m", "bayanihan.commands.warning_lists", str(place)]
        out = subprocess.run(
            [*command, str(tmp_path / f"{place.stem}.gz")],
            check=False,
            capture_output=True,
            text=True,
        )
        assert (out.returncode, out.stdout) == (0, "alexa: 1\n"), out.stderr
    assert (tmp_path / "lists.gz").read_bytes() == (tmp_path / "all.gz").read_bytes()


@pytest.mark.skipif(not TRAILS.exists(), reason="needs the folder `shared` beside the checkout")
def test_real_reports_are_still_mostly_blocked() -> None:
    """The lists hold what is shared or popular, and not the bulk of what is reported."""
    found = NeverBlock(never_block_lines(), SUFFIXES, (), warning_lists())
    with tarfile.open(TRAILS) as archive:
        files = [archive.extractfile(entry) for entry in archive.getmembers()[::10]]
        words = {word for file in files if file for word in file.read().split()}
    seen = (observe_or_none("domain", word.decode(errors="replace")) for word in words)
    names = {name for name in seen if name}
    kept = [name for name in names if found.reason(name) is None]
    assert len(names) > 2_000
    assert len(kept) / len(names) > 0.9, len(kept) / len(names)


@pytest.mark.skipif(not SCAMS.exists(), reason="needs the folder `shared` beside the checkout")
def test_real_scam_pages_on_facebook_block_the_page_alone() -> None:
    found = NeverBlock(never_block_lines(), SUFFIXES, (), warning_lists())
    lines = gzip.decompress(SCAMS.read_bytes()).decode().split()
    pages = [page for line in lines if "/" in line and (page := observe_or_none("url", line))]
    shared = [page for page in pages if host_of(page).value.endswith("facebook.com")]
    for page in shared:
        assert found.reason(host_of(page)) is not None
        assert found.reason(page) is None
    names = [name for line in lines if (name := observe_or_none("domain", line))]
    assert sum(found.reason(name) is None for name in names) / len(names) > 0.98
    for text in ("facebook.com", "www.facebook.com", "discord.com", "m.facebook.com"):
        assert reason(found, text)
