"""The cover page of a package: what a bank's or police officer reads, and prints."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from bayanihan.readers.package.check import Act, Listed

_TEMPLATE = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(
    files(__package__).joinpath("cover.html").read_text(encoding="utf-8")
)


def cover(custody: Sequence[Act], listed: Sequence[Listed], **facts: object) -> bytes:
    """The page as HTML that needs nothing from elsewhere."""
    page = _TEMPLATE.render(custody=custody, files=listed, **facts)
    return page.encode("utf-8", "replace")
