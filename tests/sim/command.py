"""Commands run in this process, as a shell would see them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bayanihan.cli import main


def run(capfd: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    """One command in this process: exit code, output, errors."""
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    out, err = capfd.readouterr()
    return int(end.value.code or 0), out, err
