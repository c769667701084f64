"""Whether a hub says that it is ready, and says which part is not."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from bayanihan.core.signing import SigningKey
from bayanihan.readers.heads import HEADS
from tests.sim.process import environment
from tests.web.site import Site, eventually, indicator


class BrokenKey(SigningKey):
    """A key that cannot sign."""

    def sign(self, *_: Any, **__: Any) -> bytes:
        raise OSError("the key is gone")


def ready(site: Site) -> tuple[int, str]:
    with site.client() as client:
        answer = client.get("/health/ready")
        return answer.status_code, answer.text


def test_a_part_that_fails_is_named_until_it_works_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Site(tmp_path) as site:
        assert ready(site)[0] == 200
        good, site.hub.heads.key = site.hub.heads.key, BrokenKey(bytes(32))
        site.push(site.key("SG"), indicator("a.example"))
        assert eventually(lambda: ready(site)[0] == 500)
        assert "heads" in ready(site)[1]
        with site.client(site.admin) as client:
            assert 'bayanihan_fault{part="heads"} 1' in client.get("/metrics").text
        site.hub.heads.key = good
        assert eventually(lambda: ready(site)[0] == 200)
    assert caplog.text.count("heads are not signed") == 1


def test_a_hub_says_where_it_listens(tmp_path: Path) -> None:
    words = (sys.executable, "-m", "bayanihan", "up", "--data", str(tmp_path / "d"), "--port", "0")
    with subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        address = lines[2].removeprefix("The hub listens on ").strip()
        assert httpx.get(f"{address}/health/live").json()["state"] == "live"
        process.terminate()


def test_only_its_owner_reads_what_a_hub_keeps(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    folders = [folder / "projections", folder / "index"]
    for _ in range(2):
        with Site(folder) as site:
            site.push(site.key("SG"), indicator("a.example"))
            for inside in folders:
                assert stat.S_IMODE(inside.stat().st_mode) == 0o700
            files = [
                *(folder / "projections").iterdir(),
                *folder.glob("*.key"),
                *folder.glob("*.db*"),
            ]
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        (folder / "projections").chmod(0o755)
        (folder / "projections" / "active.db").chmod(0o644)
    assert not [each for each in caplog.records if each.name.startswith("bayanihan")]
    folder.chmod(0o755)
    with Site(folder):
        assert "can be read by others" in caplog.text


def test_the_first_head_is_kept(tmp_path: Path) -> None:
    with Site(tmp_path) as site:
        kept = eventually(lambda: site.hub.ledger.state.get(HEADS, "latest"))
        assert kept is not None
        assert site.hub.heads.latest.splitlines()[0].encode() in kept.value
