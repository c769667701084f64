"""What a tool may use up. Each limit has a check in `trial selfcheck` that trips it."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of one worker: sizes in bytes, times in seconds.

    Attributes:
        memory_bytes: address space of each process, and all of it together in a cgroup.
        processes: processes and threads together.
        file_bytes: the largest file that may be written.
        scratch_bytes: all that may be in the scratch folder; at L1 it is looked at, not bounded.
        open_files: open files of each process.
        cpu_s: processor time of each process.
        start_s: from the start to the line that says ready.
        item_s: from an item to its answer.
        answer_bytes: one line of answer.
    """

    memory_bytes: int = 2 << 30
    processes: int = 64
    file_bytes: int = 64 << 20
    scratch_bytes: int = 256 << 20
    open_files: int = 256
    cpu_s: int = 3600
    start_s: float = 60.0
    item_s: float = 5.0
    answer_bytes: int = 64 << 10
