"""The call filter, run by an interpreter of its own and checked against the kernel's numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bayanihan.sandbox.isolate import seccomp

_HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
_EPERM, _ENOSYS = seccomp.REFUSE | 1, seccomp.REFUSE | 38


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
@pytest.mark.parametrize("unshared", [False, True])
def test_each_call_is_answered_as_the_table_says(architecture: str, unshared: bool) -> None:
    steps = seccomp.program(architecture, unshared=unshared)
    column = list(seccomp.ARCHITECTURES).index(architecture)
    own = seccomp.ARCHITECTURES[architecture]
    denied = {pair[column] for pair in seccomp.CALLS.values()}
    if unshared:
        denied |= {pair[column] for pair in seccomp.UNSHARED_CALLS.values()}
    checked = {pair[column] for pair in seccomp.CHECKED_CALLS.values()}
    assert len(steps) % 8 == 0
    assert len(steps) // 8 <= 4096
    for number in set(range(600)) - checked:
        told = seccomp.run(steps, own, number, ())
        assert told == (_EPERM if number in denied else seccomp.ALLOW), number


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_arguments_decide_where_they_must(architecture: str) -> None:
    steps = seccomp.program(architecture, unshared=False)
    column = list(seccomp.ARCHITECTURES).index(architecture)
    own = seccomp.ARCHITECTURES[architecture]
    clone, clone3, ioctl = (seccomp.CHECKED_CALLS[n][column] for n in ("clone", "clone3", "ioctl"))
    threads = 0x3D0F00
    assert seccomp.run(steps, own, clone, (threads,)) == seccomp.ALLOW
    for flag in (0x80, 0x20000, 1 << 25, 1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30):
        assert seccomp.run(steps, own, clone, (threads | flag,)) == _EPERM, hex(flag)
    assert seccomp.run(steps, own, clone3, ()) == _ENOSYS
    assert seccomp.run(steps, own, ioctl, (0, 0x5401)) == seccomp.ALLOW
    for command in (0x5412, 0x541C):
        assert seccomp.run(steps, own, ioctl, (0, command)) == _EPERM
        # The kernel reads the lower half of the command only.
        assert seccomp.run(steps, own, ioctl, (0, command | 1 << 32)) == _EPERM


def test_a_foreign_architecture_is_killed_and_x32_refused() -> None:
    arm, intel = (seccomp.ARCHITECTURES[name] for name in ("aarch64", "x86_64"))
    steps = seccomp.program("x86_64", unshared=False)
    assert seccomp.run(steps, arm, 1, ()) == seccomp.KILL
    assert seccomp.run(steps, 0x40000003, 1, ()) == seccomp.KILL
    assert seccomp.run(steps, intel, 0x40000000 | 41, ()) == _EPERM
    with pytest.raises(KeyError):
        seccomp.program("riscv64", unshared=False)


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_the_numbers_are_the_kernels(architecture: str) -> None:
    header = _HEADERS[architecture]
    if not header.exists():
        pytest.skip(f"{header} is not installed (linux-libc-dev)")
    known = dict(re.findall(r"#define __NR_(\w+)\s+(\d+)", header.read_text()))
    column = list(seccomp.ARCHITECTURES).index(architecture)
    tables: dict[str, tuple[int | None, ...]] = {
        **seccomp.CALLS, **seccomp.UNSHARED_CALLS, **seccomp.CHECKED_CALLS
    }  # fmt: skip
    for name, pair in tables.items():
        if pair[column] is not None and name in known:
            assert int(known[name]) == pair[column], name
