"""datasketch's index in memory, of another environment: build it, ask it, print both rates.

PYTHON bench/peer_apps/sketches.py COUNT < texts, one JSON string a line, queries after COUNT
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from datasketch import MinHash, MinHashLSH  # type: ignore[import-not-found]


def _sketch(text: str) -> Any:
    made = MinHash(num_perm=128)
    made.update_batch([text[at : at + 5].encode() for at in range(len(text) - 4)])
    return made


def main() -> None:
    """Texts and queries are sketched before the clock runs; asking includes verification."""
    count = int(sys.argv[1])
    sketches = [_sketch(json.loads(line)) for line in sys.stdin]
    stored, asked = sketches[:count], sketches[count:]
    index = MinHashLSH(threshold=0.5, num_perm=128)
    began_s = time.perf_counter()
    for at, sketch in enumerate(stored):
        index.insert(at, sketch)
    built_s = time.perf_counter() - began_s
    took = []
    for sketch in asked:
        began_s = time.perf_counter()
        for at in index.query(sketch):
            stored[at].jaccard(sketch)
        took.append(time.perf_counter() - began_s)
    took.sort()
    print(json.dumps({"build": count / built_s, "p50_s": took[len(took) // 2]}))


if __name__ == "__main__":
    main()
