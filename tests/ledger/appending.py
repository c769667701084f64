"""A process that appends until it is killed, and says what was acknowledged."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from bayanihan.core.marking import Audience
from bayanihan.ledger import Draft, Ledger

GREEN = Audience("green")


def body_of(run: int, number: int) -> bytes:
    """The body of one draft: of a size that varies, and recognisable."""
    return b"<%d/%d>" % (run, number) * (1 + number * 37 % 400)


def drafts_of(run: int, batch: int) -> list[Draft]:
    """The drafts of one batch: 1 to 40 of them."""
    numbers = range(batch * 40, batch * 40 + 1 + batch * 7 % 40)
    return [
        Draft("object", GREEN, "ana", "SG", f"note--{run}-{n}", body_of(run, n), n) for n in numbers
    ]


def main(folder: Path, run: int) -> None:
    """Append for ever; a line "batch first last" after each acknowledgement."""
    ledger = Ledger(folder, index_limit=128)
    for batch in itertools.count():
        appended = ledger.append(drafts_of(run, batch))
        print(batch, appended[0].position, appended[-1].position, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
