"""`/metrics`: every number an operator watches, as Prometheus text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from bayanihan.core.marking import viewer_in
from bayanihan.core.scope import require
from bayanihan.errors import Refused

_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metric(msgspec.Struct, frozen=True):
    """One number. `kind` is `gauge` or `counter`; `labels` tell apart those of one name."""

    name: str
    kind: str
    about: str
    value: float
    labels: Mapping[str, str] = {}


def rendered(metrics: Iterable[Metric]) -> str:
    """The metrics in the Prometheus text format, those of one name together."""
    lines: list[str] = []
    told = ""
    for metric in metrics:
        name = f"bayanihan_{metric.name}"
        if name != told:
            lines += [f"# HELP {name} {metric.about}", f"# TYPE {name} {metric.kind}"]
            told = name
        labels = ",".join(f'{key}="{value}"' for key, value in metric.labels.items())
        value = int(metric.value) if float(metric.value).is_integer() else metric.value
        lines.append(f"{name}{{{labels}}} {value}" if labels else f"{name} {value}")
    return "\n".join(lines) + "\n"


def routes(measure: Callable[[], Iterable[Metric]]) -> list[HTTPRouteHandler]:
    """The handler of `/metrics`. `measure` takes the numbers at this moment."""

    @get("/metrics")
    async def show_metrics(request: Request[Any, Any, Any]) -> Response[str]:
        """The hub's numbers for Prometheus; needs an operator's key with the scope `admin`."""
        viewer = viewer_in(request.scope)
        require(viewer, "admin")
        if viewer.member:
            raise Refused("not-permitted", "The hub's numbers are for its operator")
        return Response(rendered(measure()), media_type=_MEDIA_TYPE)

    return [show_metrics]
