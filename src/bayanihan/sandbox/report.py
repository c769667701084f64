"""The page of a trial: intervals drawn to scale, slices, what was not tested. It prints well.

Everything comes from the result. What a tool or its vendor wrote is escaped; nothing is
fetched, and there is no script.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from bayanihan.core.language import LANGUAGE_NAMES
from bayanihan.sandbox.proportion import Interval
from bayanihan.sandbox.result import Result, Score

_WIDTH, _HEIGHT, _MARGIN = 220, 18, 6


def percent(share: float | None) -> str:
    """A share for people: more digits near the ends, where they matter."""
    if share is None:
        return "not known"
    scaled = share * 100
    if scaled in (0, 100):
        return f"{scaled:.0f} %"
    return f"{scaled:.2f} %" if scaled < 1 or scaled > 99 else f"{scaled:.1f} %"


def signed(share: float) -> str:
    """A difference of shares in points."""
    return f"{share * 100:+.1f}"


def _x(share: float, low: float, high: float) -> float:
    return _MARGIN + (share - low) / (high - low) * (_WIDTH - 2 * _MARGIN)


def bar(
    value: float, interval: Interval, low: float = 0.0, high: float = 1.0, name: str = ""
) -> Markup:
    """One row of a forest plot: the interval as a line, the value as a square, to scale."""
    left, right = (_x(min(max(each, low), high), low, high) for each in interval)
    middle = _x(min(max(value, low), high), low, high)
    zero = _x(0, low, high)
    ruler = f'<line class="zero" x1="{zero:.1f}" y1="0" x2="{zero:.1f}" y2="{_HEIGHT}"/>'
    half = _HEIGHT / 2
    return Markup(
        '<svg class="bar" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" '
        'aria-label="{name}"><line class="scale" x1="{m}" y1="{half}" x2="{end}" y2="{half}"/>'
        '{ruler}<line class="range" x1="{left:.1f}" y1="{half}" x2="{right:.1f}" y2="{half}"/>'
        '<line class="range" x1="{left:.1f}" y1="5" x2="{left:.1f}" y2="13"/>'
        '<line class="range" x1="{right:.1f}" y1="5" x2="{right:.1f}" y2="13"/>'
        '<rect class="value" x="{at:.1f}" y="5.5" width="7" height="7"/></svg>'
    ).format(
        w=_WIDTH,
        h=_HEIGHT,
        m=_MARGIN,
        half=half,
        end=_WIDTH - _MARGIN,
        left=left,
        right=right,
        at=middle - 3.5,
        ruler=Markup(ruler) if low < 0 else "",  # noqa: S704 (figures of ours)
        name=name or f"{percent(value)}, {percent(interval[0])} to {percent(interval[1])}",
    )


def axis(low: float, high: float) -> Markup:
    """The scale above a column of bars."""
    ends = (low, (low + high) / 2, high)
    marks = Markup("").join(
        Markup('<text x="{x:.1f}" y="13" text-anchor="{anchor}">{told}</text>').format(
            x=_x(share, low, high), anchor=anchor, told=f"{share * 100:.0f}"
        )
        for share, anchor in zip(ends, ("start", "middle", "end"), strict=True)
    )
    size = Markup('viewBox="0 0 {w} {h}" width="{w}" height="{h}"').format(w=_WIDTH, h=_HEIGHT)
    return Markup('<svg class="bar" {} aria-hidden="true">{}</svg>').format(size, marks)


def score_bar(score: Score | None) -> Markup:
    """A score's row, or a dash where there is no evidence."""
    return Markup("&ndash;") if score is None else bar(score.share, score.interval)


def page(result: Result) -> str:
    """The whole page as HTML."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)  # fmt: skip
    environment.filters.update(percent=percent, signed=signed)
    text = resources.files("bayanihan.sandbox").joinpath("report.html").read_text("utf-8")
    named: dict[str, Any] = {
        "r": result,
        "bar": bar,
        "axis": axis,
        "languages": LANGUAGE_NAMES,
        "score_bar": score_bar,
        "slices": {
            by: [each for each in result.slices if each.by == by]
            for by in dict.fromkeys(each.by for each in result.slices)
        },
        "detection": result.score("detection"),
        "false_alarm": result.score("false_alarm"),
        "precision": result.score("precision"),
    }
    return environment.from_string(text).render(named)
