"""Whether a hub says that it is ready, and says which part is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bayanihan.core.signing import SigningKey
from bayanihan.readers.heads import HEADS
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


def test_the_first_head_is_kept(tmp_path: Path) -> None:
    with Site(tmp_path) as site:
        kept = eventually(lambda: site.hub.ledger.state.get(HEADS, "latest"))
        assert kept is not None
        assert site.hub.heads.latest.splitlines()[0].encode() in kept.value
