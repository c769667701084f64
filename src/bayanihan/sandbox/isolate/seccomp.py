"""The call filter of a tool: classic BPF, put together here for x86_64 and aarch64.

The filter allows by default and answers EPERM to what no tool that reads lines and writes
lines has a use for: sockets, namespaces, mounts, tracing, keys, kernel modules, clocks. A tool
thus goes on after a refused call, and its authors see an ordinary error. A foreign
architecture is killed, and the x32 calls are refused, since their numbers would slip through.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable

# <linux/bpf_common.h>, <linux/seccomp.h>, <linux/audit.h>
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
_X32_BIT = 0x40000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Flags of clone that make a namespace: time, mount, cgroup, uts, ipc, user, pid, net.
_NAMESPACES = 0x80 | 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | (
    0x40000000
)  # fmt: skip
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: typing into whoever looks on

# call -> its number on (x86_64, aarch64), from the kernel's unistd.h; None where it is absent.
CALLS: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "unshare": (272, 97), "setns": (308, 268),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "process_madvise": (440, 440), "kcmp": (312, 272),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "syslog": (103, 116),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
    "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None),
    "personality": (135, 92), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "fanotify_init": (300, 262), "vhangup": (153, 58),
    "memfd_secret": (447, 447), "uselib": (134, None),
}  # fmt: skip

# Without a process namespace of its own a tool must reach no other process at all, must stay
# in its process group, so that it can be ended as one, and shares no System V memory.
UNSHARED_CALLS: dict[str, tuple[int | None, int | None]] = {
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "setsid": (112, 157),
    "setpgid": (109, 154), "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180),
}  # fmt: skip

CHECKED_CALLS: dict[str, tuple[int, int]] = {
    "clone": (56, 220), "clone3": (435, 435), "ioctl": (16, 29),
}  # fmt: skip


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction: `struct sock_filter`."""
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _refuse(code: int) -> bytes:
    return _step(_RETURN, REFUSE | code)


def _when(number: int, then: Iterable[bytes]) -> list[bytes]:
    """`then` for this call; the call's number is in the accumulator before and after."""
    steps = list(then)
    return [_step(_JUMP_EQUAL, number, 0, len(steps)), *steps]


def program(architecture: str, *, unshared: bool) -> bytes:
    """The filter as the bytes that the kernel and `bwrap --seccomp` take.

    Args:
        architecture: as `os.uname().machine` has it.
        unshared: the tool shares the process namespace with others; more is refused.

    Raises:
        KeyError: no filter is known for this architecture.
    """
    column = 0 if architecture == "x86_64" else 1
    denied = {**CALLS, **(UNSHARED_CALLS if unshared else {})}
    numbers = sorted(n for pair in denied.values() if (n := pair[column]) is not None)
    allow = _step(_RETURN, ALLOW)
    steps = [
        _step(_LOAD, _ARCH_AT),
        _step(_JUMP_EQUAL, ARCHITECTURES[architecture], 1, 0),
        _step(_RETURN, KILL),
        _step(_LOAD, _NUMBER_AT),
    ]
    if architecture == "x86_64":
        steps += [_step(_JUMP_AT_LEAST, _X32_BIT, 0, 1), _refuse(errno.EPERM)]
    # The C library falls back to clone, whose flags can be read here; those of clone3 cannot.
    steps += _when(CHECKED_CALLS["clone3"][column], [_refuse(errno.ENOSYS)])
    steps += _when(
        CHECKED_CALLS["clone"][column],
        [
            _step(_LOAD, _ARGUMENTS_AT),
            _step(_JUMP_ANY_BIT, _NAMESPACES, 0, 1),
            _refuse(errno.EPERM),
            allow,
        ],
    )
    command = _ARGUMENTS_AT + 8  # the second argument, its lower half
    steps += _when(
        CHECKED_CALLS["ioctl"][column],
        [
            _step(_LOAD, command),
            _step(_JUMP_EQUAL, _TERMINAL_INPUT[0], 1, 0),
            _step(_JUMP_EQUAL, _TERMINAL_INPUT[1], 0, 1),
            _refuse(errno.EPERM),
            allow,
        ],
    )
    for number in numbers:
        steps += _when(number, [_refuse(errno.EPERM)])
    return b"".join([*steps, allow])


def run(filter_bytes: bytes, architecture: int, number: int, arguments: tuple[int, ...]) -> int:
    """What the filter answers to one call: the kernel's interpreter, as far as we use it."""
    data = struct.pack("<IIQ", number, architecture, 0)
    data += b"".join(struct.pack("<Q", each) for each in (*arguments, *(0,) * 6)[:6])
    at, held = 0, 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("<HBBI", filter_bytes, at * 8)
        at += 1
        if code == _RETURN:
            return int(value)
        if code == _LOAD:
            held = struct.unpack_from("<I", data, value)[0]
            continue
        holds = {
            _JUMP_EQUAL: held == value,
            _JUMP_AT_LEAST: held >= value,
            _JUMP_ANY_BIT: bool(held & value),
        }[code]
        at += if_true if holds else if_false
