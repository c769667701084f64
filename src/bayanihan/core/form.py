"""A form as a browser or `curl -F` sends it: fields of text, and at most one file.

Source: RFC 7578 (multipart/form-data).
"""

from __future__ import annotations

import io
from typing import Any, NamedTuple

from multipart import MultipartError, MultipartParser, parse_options_header

from bayanihan.errors import Refused

PART_LIMIT = 32
FIELD_LIMIT_BYTES = 1024 * 1024


class Form(NamedTuple):
    """The fields, and the file with its name; the file is None where none was sent."""

    fields: dict[str, str]
    name: str
    file: bytes | None


def read_form(data: bytes, content_type: str) -> Form:
    """The parts of a form; a body of another media type is itself the file.

    A file that a browser sends empty, because none was chosen, is none.

    Raises:
        Refused: `bad-value` for a form that breaks off, `bad-parameter` for two files,
            `too-large` for a field of more than a MiB.
    """
    kind, options = parse_options_header(content_type)
    if kind.lower() != "multipart/form-data":
        return Form({}, "", data or None)
    try:
        parts = _parts(data, options.get("boundary", ""))
    except (MultipartError, UnicodeError, ValueError, AssertionError) as error:
        raise Refused("bad-value", f"The form is broken: {error}", where="body") from None
    sent = [part for part in parts if part.filename or part.name == "file"]
    fields = {part.name: part for part in parts if part not in sent}
    files = [part for part in sent if part.filename or part.size]
    if len(files) > 1:
        raise Refused("bad-parameter", "Send one file in one report", where="file")
    for name, part in fields.items():
        if part.size > FIELD_LIMIT_BYTES:
            raise Refused("too-large", f"The field `{name[:40]}` is too large")
    texts = {name: str(part.value) for name, part in fields.items()}
    if files:
        return Form(texts, (files[0].filename or "")[:200], files[0].raw)
    return Form(texts, "", texts["text"].encode(errors="replace") if "text" in texts else None)


def _parts(data: bytes, boundary: str) -> list[Any]:
    return list(
        MultipartParser(
            io.BytesIO(data),
            boundary,
            part_limit=PART_LIMIT,
            spool_limit=len(data) + 1,
            memory_limit=2 * len(data) + 1,
        )
    )
