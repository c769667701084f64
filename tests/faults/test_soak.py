"""A short soak: what `python -m tests.soak` runs for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.__main__ import soak


@pytest.mark.long
@pytest.mark.parametrize("store", ["file", "postgresql"])
def test_a_short_soak_ends_with_a_whole_record(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert soak(tmp_path, 0.5, 2, store) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "verify: ok"
