"""`/metrics`: numbers that an operator's Prometheus reads."""

from __future__ import annotations

import re
from pathlib import Path

from bayanihan.hub import PROJECTIONS
from bayanihan.readers.metrics import Metric, rendered
from tests.sim.objects import indicator
from tests.sim.process import RunningHub
from tests.sim.reader import StreamReader, until

ROOT = Path(__file__).parents[2]
LINE = re.compile(r'(bayanihan_[a-z_]+)(?:\{([a-z_]+="[^"\\\n]*",?)+\})? (-?\d+(?:\.\d+)?)')


def numbers(hub: RunningHub) -> dict[str, float]:
    """Each line's name with its labels, and its number."""
    answer = hub.ask("GET", "/metrics", hub.admin)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in lines), lines
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_every_number_is_named_and_typed_once(hub: RunningHub) -> None:
    text = hub.ask("GET", "/metrics", hub.admin).text
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line[0] != "#"}
    for word in ("HELP", "TYPE"):
        told = [line.split()[2] for line in text.splitlines() if line.startswith(f"# {word} ")]
        assert sorted(told) == sorted(names)


def test_the_numbers_are_the_hubs(hub: RunningHub) -> None:
    before = numbers(hub)
    hub.push(hub.key("SG"), *[indicator() for _ in range(7)])
    after = numbers(hub)
    assert after["bayanihan_entries"] == before["bayanihan_entries"] + 8
    assert after["bayanihan_keys"] == before["bayanihan_keys"] + 1
    assert after["bayanihan_members"] == 11
    with StreamReader(hub, after="now") as reader:
        reader.wait_open()
        assert numbers(hub)["bayanihan_streams"] == before["bayanihan_streams"] + 1
    until(lambda: numbers(hub)["bayanihan_streams"] == before["bayanihan_streams"])


def test_the_lag_of_each_projection_is_told(hub: RunningHub) -> None:
    hub.push(hub.key("SG"), *[indicator() for _ in range(200)])
    folded = [kind.name for kind in PROJECTIONS if kind.name != "registry"]  # that one is at once
    for name in folded:
        line = f'bayanihan_projection_lag{{projection="{name}"}}'
        assert numbers(hub)[line] >= 0
        until(lambda line=line: numbers(hub)[line] == 0)  # type: ignore[misc]


def test_the_numbers_that_the_how_to_names_are_there(hub: RunningHub) -> None:
    page = (ROOT / "docs/how-to/operate.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(bayanihan_[a-z_]+)` \|", page, flags=re.MULTILINE))
    assert "bayanihan_bulk_held" in named
    assert named <= {line.partition("{")[0] for line in numbers(hub)}
    assert numbers(hub)["bayanihan_bulk_held"] == 0


def test_only_an_administrator_sees_them(hub: RunningHub) -> None:
    assert hub.ask("GET", "/metrics").status_code == 401
    assert hub.ask("GET", "/metrics", hub.key("SG")).status_code == 403


def test_numbers_of_one_name_stand_together() -> None:
    lags = [Metric("lag", "gauge", "Behind.", n, {"of": of}) for of, n in (("a", 1), ("b", 0.5))]
    assert rendered([*lags, Metric("n", "counter", "All.", 3.0)]) == (
        "# HELP bayanihan_lag Behind.\n# TYPE bayanihan_lag gauge\n"
        'bayanihan_lag{of="a"} 1\nbayanihan_lag{of="b"} 0.5\n'
        "# HELP bayanihan_n All.\n# TYPE bayanihan_n counter\nbayanihan_n 3\n"
    )
