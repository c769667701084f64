"""The frozen lures say what they are: enough of them, nobody's names, made as told."""

from __future__ import annotations

import re
from collections import Counter

from tests.core.lures import FOLDER, records
from tests.vectors.lures import make

MEMBERS = {"en", "th", "vi", "tl", "id", "ms", "km", "lo", "my", "zh", "ta", "tet"}


def test_forty_texts_in_each_language() -> None:
    counts = Counter(record["language"] for record in records())
    assert set(counts) == MEMBERS
    assert min(counts.values()) >= 40


def test_the_files_are_what_the_templates_make() -> None:
    assert records() == make.records()
    for name, data in make.mails().items():
        assert (FOLDER / name).read_bytes() == data


def test_every_name_is_reserved() -> None:
    for record in records():
        for kind, value in record["holds"]:
            host = re.sub(r"^[a-z]+://(?:[^/@]*@)?|[:/].*$|^.*@", "", value)
            reserved = host.endswith((".example", ".invalid")) or host.startswith("198.51.100.")
            assert reserved or kind == "phone", value
