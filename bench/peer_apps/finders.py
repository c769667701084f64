"""A known extractor of another environment: texts come in as JSON lines, what it finds goes out.

PYTHON bench/peer_apps/finders.py iocsearcher|ioc-finder|iocextract
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any


def _iocsearcher() -> Callable[[str], set[str]]:
    from iocsearcher.searcher import Searcher  # type: ignore[import-not-found]

    searcher = Searcher()
    return lambda text: {str(each.value) for each in searcher.search_data(text)}


def _ioc_finder() -> Callable[[str], set[str]]:
    from ioc_finder import find_iocs  # type: ignore[import-not-found]

    def found(text: str) -> set[str]:
        values: set[str] = set()
        for told in find_iocs(text).values():
            values |= {str(each) for each in told}
        return values

    return found


def _iocextract() -> Callable[[str], set[str]]:
    import iocextract  # type: ignore[import-not-found]

    return lambda text: {str(each) for each in iocextract.extract_iocs(text, refang=True)}


_TOOLS = {"iocsearcher": _iocsearcher, "ioc-finder": _ioc_finder, "iocextract": _iocextract}


def main() -> None:
    """Answer each line with what the tool finds in it, and how long it took."""
    find = _TOOLS[sys.argv[1]]()
    for line in sys.stdin:
        text: Any = json.loads(line)
        began_s = time.perf_counter()
        found = find(text)
        took_s = time.perf_counter() - began_s
        print(json.dumps([sorted(found), took_s]), flush=True)


if __name__ == "__main__":
    main()
