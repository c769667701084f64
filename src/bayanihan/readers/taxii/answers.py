"""TAXII resources as bytes and headers. Stored objects are joined as they are.

Source: TAXII 2.1 sections 3.1 (headers), 3.5 (pagination), 3.7 (envelope), 4.1 to 5.8.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar.response import Response

from bayanihan.core.marking import Viewer
from bayanihan.errors import TAXII_MEDIA_TYPE, Refused
from bayanihan.ledger import Item
from bayanihan.readers.taxii.collections import Collection, Root

STIX_MEDIA_TYPE = "application/stix+json;version=2.1"
_TAXII = "application/taxii+json"
_STIX = "application/stix+json"
_RANGES = frozenset({"*/*", "application/*", _TAXII})
_OWN_HEADERS = {"Vary": "Accept, Authorization", "Cache-Control": "private, no-cache"}
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - everything here is UTC
_PARAMETER = re.compile(r';\s*([^=;\s]+)\s*=\s*"?([^";\s]*)"?')


def date_added(stamp_us: int) -> str:
    """A stamp as TAXII writes times: UTC with six digits of a second, always."""
    text = (_EPOCH + timedelta(microseconds=stamp_us)).isoformat(timespec="microseconds")
    return f"{text}Z"


def _parameters(media: str) -> tuple[str, dict[str, str]]:
    kind, _, rest = media.partition(";")
    return kind.strip().lower(), {
        name.lower(): value for name, value in _PARAMETER.findall(f";{rest}")
    }


def accept_of(scope: Mapping[str, Any]) -> str:
    """What a request says that it takes: a list may come in several lines (RFC 9110, 5.3)."""
    return b",".join([value for name, value in scope["headers"] if name == b"accept"]).decode(
        "latin-1"
    )


def require_acceptable(accept: str) -> None:
    """Let a request pass that takes TAXII 2.1: bare, spaced, `*/*`, or saying nothing.

    Raises:
        Refused: `not-acceptable`.
    """
    if not accept.strip():
        return
    for part in accept.split(","):
        kind, parameters = _parameters(part)
        refused = re.fullmatch(r"0(\.0*)?", parameters.get("q", "")) is not None
        if kind in _RANGES and parameters.get("version", "2.1") == "2.1" and not refused:
            return
    raise Refused("not-acceptable", "The answer would be TAXII 2.1, which you do not take")


def is_taxii(content_type: str) -> bool:
    """Whether a body says that it is a TAXII 2.1 envelope."""
    kind, parameters = _parameters(content_type)
    return kind == _TAXII and parameters.get("version", "2.1") == "2.1"


def is_stix(content_type: str) -> bool:
    """Whether a body says that it is STIX: what one widely used client sends instead."""
    kind, parameters = _parameters(content_type)
    return kind == _STIX and parameters.get("version", "2.1") == "2.1"


def answer(
    body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """A response of this interface."""
    return Response(
        body,
        status_code=status,
        media_type=TAXII_MEDIA_TYPE,
        headers={**_OWN_HEADERS, **(headers or {})},
    )


def plain_headers(stamps_us: Sequence[int]) -> tuple[tuple[bytes, bytes], ...]:
    """The headers of a page with these stamps, as ASGI writes them."""
    every = {"Content-Type": TAXII_MEDIA_TYPE, **_OWN_HEADERS, **added_headers(stamps_us)}
    return tuple([(name.lower().encode(), value.encode()) for name, value in every.items()])


def encoded(document: Any) -> bytes:
    """A resource as JSON."""
    return msgspec.json.encode(document)


def added_headers(stamps_us: Sequence[int]) -> dict[str, str]:
    """The Date-Added headers of a page; none for an empty one."""
    if not stamps_us:
        return {}
    return {
        "X-TAXII-Date-Added-First": date_added(stamps_us[0]),
        "X-TAXII-Date-Added-Last": date_added(stamps_us[-1]),
    }


def envelope(name: str, parts: Sequence[bytes], onward: str) -> bytes:
    """A page: `more` and `next` where more follows, and its members where it has any.

    Args:
        name: `objects` or `versions`.
        parts: each member as JSON.
        onward: the `next`; "" when this is the last page.
    """
    if not onward and not parts:
        return b"{}"
    more = b'{"more":true,"next":"%b"' % onward.encode() if onward else b'{"more":false'
    if not parts:
        return more + b"}"
    # The members make up the size of a page: they are copied as few times as can be.
    return b"".join((more, b',"%b":[' % name.encode(), b",".join(parts), b"]}"))


class _Version(msgspec.Struct):
    modified: str | None = None
    created: str | None = None


_read_version = msgspec.json.Decoder(_Version).decode


def version_of(item: Item) -> str:
    """The version of an object as it writes it; when it was added where it has none."""
    found = _read_version(item.body)
    return found.modified or found.created or date_added(item.entry.stamp_us)


def manifest_record(item: Item) -> bytes:
    """One line of a manifest."""
    return encoded(
        {
            "id": item.entry.object_id,
            "date_added": date_added(item.entry.stamp_us),
            "version": version_of(item),
            "media_type": STIX_MEDIA_TYPE,
        }
    )


def described(collection: Collection, viewer: Viewer) -> dict[str, Any]:
    """A collection as one caller sees it."""
    return {
        "id": collection.id,
        "title": collection.title,
        **({"description": collection.description} if collection.description else {}),
        "alias": collection.alias,
        "can_read": collection.can_read(viewer),
        "can_write": collection.can_write(viewer),
        "media_types": [STIX_MEDIA_TYPE],
    }


def described_root(root: Root, max_content_length: int) -> dict[str, Any]:
    """An API root."""
    return {
        "title": root.title,
        **({"description": root.description} if root.description else {}),
        "versions": [TAXII_MEDIA_TYPE],
        "max_content_length": max_content_length,
    }


def collections_of(root: Root, viewer: Viewer) -> dict[str, Any]:
    """The collections of a root, by id."""
    found = [described(collection, viewer) for collection in root.collections]
    return {"collections": found} if found else {}
