"""Pages as bytes: templates, their filters, static files, and the headers of every answer.

Everything that comes from an entry is hostile text. Templates escape it, `plain` makes
control characters visible, and no value ever becomes a link.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar.response import Response

from bayanihan import __version__

# What every page and static file is sent with. Nothing inline, nothing from elsewhere.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # With `no-referrer` a browser would send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HTML = "text/html"

_FOREVER = "public, max-age=31536000, immutable"
_MEDIA_TYPES = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400
# Joiners and the zero-width space are ordinary letters' company in Khmer, Lao, Thai and Burmese.
_ORDINARY = frozenset("\t\n\r\u200b\u200c\u200d")
_SUSPECT = frozenset({"Cc", "Cf", "Zl", "Zp", "Co", "Cs"})
_SAFE = re.compile(r"[\x20-\x7e]*")


class Static(NamedTuple):
    """One static file: what it is, its bytes, and the digest that names this version."""

    media_type: str
    body: bytes
    digest: str


def _read_static() -> dict[str, Static]:
    found = {}
    for file in files("bayanihan.web").joinpath("static").iterdir():
        media_type = _MEDIA_TYPES.get(file.name.rpartition(".")[2])
        if media_type:
            body = file.read_bytes()
            digest = hashlib.sha256(body).hexdigest()[:16]
            found[file.name] = Static(media_type, body, digest)
    return found


STATIC = _read_static()


def static_response(name: str, version: str) -> Response[bytes] | None:
    """A static file, kept for ever where it was asked for by its digest."""
    file = STATIC.get(name)
    if file is None:
        return None
    keep = _FOREVER if version == file.digest else "no-cache"
    headers = {**HEADERS, "Cache-Control": keep, "ETag": f'"{file.digest}"'}
    return Response(file.body, media_type=file.media_type, headers=headers)


def plain(text: object) -> str:
    """Text in which nothing is invisible: control and bidi characters are named instead."""
    whole = str(text)
    if _SAFE.fullmatch(whole):
        return whole
    return "".join(
        f"\u27e8U+{ord(char):04X}\u27e9"
        if char not in _ORDINARY and unicodedata.category(char) in _SUSPECT
        else char
        for char in whole
    )


def sentence(text: object) -> str:
    """`plain` with a full stop at its end, whether it came with one or not."""
    whole = plain(text)
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."


def short(text: object, limit: int = 140) -> str:
    """`plain` on one line, cut with an ellipsis beyond `limit` characters."""
    whole = " ".join(str(text)[: limit * 4].split())
    cut = whole[: limit - 1] + "\u2026" if len(whole) > limit else whole
    return plain(cut)


def duration(seconds: float | None) -> str:
    """Seconds as a person says them."""
    if seconds is None:
        return ""
    for unit_s, name in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.1f} {name}".replace(".0 ", " ")
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def clock(us: int) -> str:
    """UTC microseconds as a day and a time to the second."""
    return f"{datetime.fromtimestamp(us / 1_000_000, UTC):%d %b %Y, %H:%M:%S} UTC"


def stamp(us: int) -> str:
    """UTC microseconds as RFC 3339, for machines that read the page."""
    at = datetime.fromtimestamp(us // 1_000_000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{us % 1_000_000:06d}Z"


def size(size_bytes: int) -> str:
    """Bytes as a person says them."""
    amount, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"


def asset(name: str) -> str:
    """The address of a static file, with the digest of this version."""
    return f"/static/{name}?v={STATIC[name].digest}"


def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("bayanihan.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for rule in (plain, sentence, short, duration, clock, stamp, size):
        found.filters[rule.__name__] = rule
    found.globals.update(asset=asset, version=__version__)
    return found


_TEMPLATES = _environment()


def markup(template: str, **facts: Any) -> str:
    """A template filled in."""
    return _TEMPLATES.get_template(template).render(**facts)


def page(text: str, *, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    """HTML as an answer that no cache shares."""
    own = {**HEADERS, "Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}
    return Response(
        text.encode("utf-8", "replace"),
        status_code=status,
        media_type=HTML,
        headers={**own, **(headers or {})},
    )


def pretty(body: bytes, limit: int) -> str:
    """JSON bytes laid out for reading, cut beyond `limit` characters."""
    text = msgspec.json.format(body, indent=2).decode("utf-8", "replace")
    return text if len(text) <= limit else text[:limit] + "\n\u2026"
