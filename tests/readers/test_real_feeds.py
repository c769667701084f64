"""Real lists through the ordinary intake and the press: every engine takes them, no site falls.

A careless importer cuts `www.facebook.com/page` down to `facebook.com`; the hosts of the
lists' own pages are reported here as such, by two states. None may come into a feed.
"""

from __future__ import annotations

import gzip
import itertools
import re
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bayanihan.readers.feeds import FORMATS
from bayanihan.readers.feeds.engines import ENGINES
from tests.readers.test_engines import installed
from tests.sim.objects import indicator
from tests.sim.process import RunningHub

pytestmark = pytest.mark.consumer
SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
PLAYBOOKS = (
    "ruinousursa.json",
    "nascentursa.json",
    "clean-ursa.json",
    "hellokitty-ransomware.json",
)
EVERYBODY_S = (
    *("facebook.com", "www.facebook.com", "m.facebook.com", "discord.com", "cdn.discordapp.com"),
    *("discordapp.com", "google.com", "sites.google.com", "play.google.com", "apps.apple.com"),
    *("zalo.me", "oa.zalo.me", "github.io", "github.com", "t.me", "telegram.org", "youtube.com"),
)
PAGES = (
    "https://www.facebook.com/fake.bank.page",
    "https://discord.com/invite/evil",
    "https://sites.google.com/site/hacksogarena",
)
NAME_FEEDS = sorted(name for name, each in FORMATS.items() if "domain" in each.types)
_URL = re.compile(r"[a-z]+://[^\s\"'|,\\]+")
_NAME = re.compile(r"[a-z0-9_.-]+")


def lines_of(path: Path, *, ends: str = "") -> Iterator[tuple[str, str]]:
    """Each line of a list, or of the files of an archive, with the file's name."""
    if not path.name.endswith(".tar.gz"):
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            yield path.name, line
        return
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(ends) else None
            for line in file.read().decode("utf-8", "replace").splitlines() if file else ():
                yield member.name, line


def vietnamese() -> Iterator[dict[str, Any]]:
    """Every page of the list with its site, and every fortieth of its names."""
    path = SHARED / "ioc/chongluadao-vn-phishing.txt.gz"
    for number, (_, line) in enumerate(lines_of(path)):
        if "/" in line:
            yield said("url", f"http://{line}")
            yield said("domain-name", line.partition("/")[0])
        elif number % 40 == 0 and line:
            yield said("domain-name", line)


def said(kind: str, value: str) -> dict[str, Any]:
    text = value.replace("\\", "\\\\").replace("'", "\\'")
    return indicator(value="x.example", pattern=f"[{kind}:value = '{text}']")


def rules() -> Iterator[dict[str, Any]]:
    """Rules of public sets, as members would report them."""
    folder = SHARED / "rules"
    found = lines_of(folder / "et-open-suricata.tar.gz", ends=".rules")
    alerts = (line for _, line in found if line.startswith("alert"))
    for line in itertools.islice(alerts, 0, None, 60):
        yield indicator(value="x.example", pattern=line, pattern_type="suricata")
    for kind, archive, end in (
        ("sigma", "sigma.tar.gz", ".yml"),
        ("yara", "yara-reversinglabs.tar.gz", ".yara"),
    ):
        files = itertools.groupby(lines_of(folder / archive, ends=end), lambda each: each[0])
        for _, lines in itertools.islice(files, 40):
            text = "\n".join(line for _, line in lines)
            yield indicator(value="x.example", pattern=text, pattern_type=kind)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub that was told of it all."""
    if not SHARED.is_dir():
        pytest.skip("the real data is not beside this checkout")
    hub = RunningHub(tmp_path_factory.mktemp("real") / "data").start()
    try:
        tell(hub)
        yield hub
    finally:
        stopped = hub.stop()
    assert stopped.code == 0, stopped.stderr


def tell(hub: RunningHub) -> None:
    """Report it all, the sites by two states."""
    keys = [hub.key(member) for member in ("SG", "VN")]
    bare = [said("domain-name", name) for name in EVERYBODY_S]
    pages = [said("url", page) for page in PAGES]
    for key, told in ((keys[0], [*bare, *vietnamese(), *rules(), *pages]), (keys[1], bare)):
        for start in range(0, len(told), 500):
            answer = hub.push(key, *told[start : start + 500], tlp="clear")
            assert answer["accepted"] + answer["refused"] == len(told[start : start + 500])
            assert answer["accepted"] > answer["refused"]
    with tarfile.open(SHARED / "stix/unit42-playbooks-stix20.tar.gz") as archive:
        for name in PLAYBOOKS:
            file = archive.extractfile(name)
            assert file is not None
            assert hub.push_bytes(keys[0], file.read(), tlp="clear")["accepted"]
    last = indicator(value="last-told-evil.com")
    hub.push(keys[0], last, tlp="clear")
    waited(hub, last["name"])


def waited(hub: RunningHub, name: str) -> None:
    """Until a name is in a feed, and so all that was told before it."""
    for _ in range(300):
        if name in hub.ask("GET", "/feeds/domains.txt").text.splitlines():
            return
        time.sleep(0.1)
    pytest.fail("what was told never came into a feed")


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_the_engine_takes_what_the_press_makes_of_it(name: str, filled: RunningHub) -> None:
    installed(name)
    answer = filled.ask("GET", f"/feeds/{name}")
    assert answer.status_code == 200
    assert int(answer.headers["bayanihan-items"]) > 0
    assert answer.headers["bayanihan-verified"] == "yes", row_of(filled, name)["checked"]


def row_of(hub: RunningHub, name: str) -> dict[str, Any]:
    rows = hub.ask("GET", "/api/feeds").json()
    found: dict[str, Any] = next(row for row in rows if row["feed"] == name)
    return found


@pytest.mark.parametrize("name", NAME_FEEDS)
def test_no_site_on_which_everybody_publishes_is_in_a_feed(name: str, filled: RunningHub) -> None:
    lines = filled.ask("GET", f"/feeds/{name}").text.lower().splitlines()
    if name.endswith(".rules"):
        # Members' own rules may name a site beside other things, and rules of pages do.
        lines = [line for line in lines if 'msg:"bayanihan' in line and " url on " not in line]
    text = "\n".join(line for line in lines if "intel::url" not in line).replace("\\", "")
    words = {word.strip(".-_") for word in _NAME.findall(_URL.sub(" ", text))}
    assert not words.intersection(EVERYBODY_S)
    assert len(words) > 10


def test_a_page_is_listed_where_its_site_is_held(filled: RunningHub) -> None:
    urls = filled.ask("GET", "/feeds/urls.txt").text.splitlines()
    assert set(PAGES) <= set(urls)
    held = {each["value"]: each["reason"] for each in row_of(filled, "domains.txt")["held"]}
    assert {"facebook.com", "discord.com", "sites.google.com"} <= held.keys()
    assert all(held.values())
