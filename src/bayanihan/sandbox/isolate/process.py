"""A tool as a running process: its three pipes, how it is ended, what it used."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bayanihan.errors import Refused
from bayanihan.sandbox.isolate.cgroup import Group
from bayanihan.sandbox.isolate.limits import Limits

# Ids that no account uses: the range that systemd gives to services without an account.
_FIRST_UID, _UIDS = 61184, 4336
_started = itertools.count()

_libc = ctypes.CDLL(None, use_errno=True)
_NO_NEW_PRIVILEGES, _DIE_WITH_PARENT = 38, 1
_EXITING = 0x4  # PF_EXITING of <linux/sched.h>: it never runs code of its own again


def unprivileged_uid() -> int | None:
    """A uid for one tool when we are root, another for the next; None when we are not.

    Two tools under one uid would share its limit of processes, and could signal each other.
    """
    if os.geteuid() != 0:
        return None
    return _FIRST_UID + (os.getpid() * 16 + next(_started)) % _UIDS


class Process:
    """A started tool. Whoever starts it ends it with `end`.

    Attributes:
        stdin, stdout, stderr: file descriptors of our ends of the pipes, none of them blocking.
        at_end: what else ends with it.
    """

    def __init__(self, child: subprocess.Popen[bytes], group: Group) -> None:
        assert child.stdin
        assert child.stdout
        assert child.stderr
        self._child = child
        self._group = group
        self._peak_bytes = 0
        self.at_end: Callable[[], None] = lambda: None
        self.stdin, self.stdout, self.stderr = (
            stream.fileno() for stream in (child.stdin, child.stdout, child.stderr)
        )
        for pipe in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(pipe, False)

    @property
    def pid(self) -> int:
        """The first process of the tool as this machine counts."""
        return self._child.pid

    @property
    def bounded(self) -> tuple[str, ...]:
        """What a control group bounds for all processes of the tool together."""
        return self._group.held

    def peak_bytes(self) -> int:
        """The most memory the tool has used so far."""
        counted = max(self._group.peak_bytes(), sum(map(_peak_of, descendants(self.pid))))
        self._peak_bytes = max(self._peak_bytes, counted)
        return self._peak_bytes

    def ended(self, wait_s: float = 0.0) -> str:
        """How the tool ended, in words; "" while it runs."""
        try:
            code = self._child.wait(wait_s) if wait_s else self._child.poll()
        except subprocess.TimeoutExpired:
            return ""
        if code is None:
            return ""
        # bubblewrap reports a signal of what it runs as a shell does.
        number = -code if code < 0 else code - 128 if 128 < code < 160 else 0
        if number:
            with contextlib.suppress(ValueError):
                return f"ended by {signal.Signals(number).name}"
        return f"ended with exit code {code}"

    def end(self, grace_s: float = 0.0) -> str:
        """End the tool: its input closes, then after the grace all its processes are killed."""
        assert self._child.stdin
        assert self._child.stdout
        assert self._child.stderr
        with contextlib.suppress(OSError):
            self._child.stdin.close()
        self.peak_bytes()
        how = self.ended(grace_s) if grace_s else self.ended()
        # Where the tool has ended by itself, what it started is nobody's child, but of its group.
        family = [*descendants(self.pid), *(_group_of(self.pid) if how else ())]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        for pid in family:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        self._child.wait()
        # A killed process is gone only a moment later; nobody shall meet it after this.
        until = time.monotonic() + 2.0
        while any(map(is_running, family)) and time.monotonic() < until:
            time.sleep(0.001)
        self._child.stdout.close()
        self._child.stderr.close()
        self._group.close()
        self.at_end()
        return how or "was killed"


def is_running(pid: int) -> bool:
    """Whether a process can still do anything; one that ends or waits to be reaped cannot."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    # On a busy machine the kernel may take seconds to take a killed process apart.
    return fields[0] not in "ZX" and not int(fields[6]) & _EXITING


def _group_of(leader: int) -> list[int]:
    """The processes of a group whose leader may be gone."""
    found = []
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == leader:
                found.append(int(place.name))
    return found


def descendants(pid: int) -> list[int]:
    """A process and all below it, while they can be seen."""
    found, at = [pid], 0
    while at < len(found):
        place = Path(f"/proc/{found[at]}/task/{found[at]}/children")
        with contextlib.suppress(OSError):
            found += [int(each) for each in place.read_text().split()]
        at += 1
    return found


def _peak_of(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    except OSError:
        return 0
    return 0


def _processes_of(uid: int) -> int:
    """Processes and threads that a uid has now, since its limit counts them all."""
    count = 0
    for place in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if place.name.isdigit() and place.stat().st_uid == uid:
                count += sum(1 for _ in (place / "task").iterdir())
    return count


def _bounds(limits: Limits, processes: int) -> dict[str, int]:
    """The limits of a process by the kernel's names, none above what we may set ourselves."""
    wanted = {
        "AS": limits.memory_bytes,
        "NPROC": processes,
        "FSIZE": limits.file_bytes,
        "NOFILE": limits.open_files,
        "CPU": limits.cpu_s,
        "CORE": 0,
        "MEMLOCK": 1 << 16,
        "MSGQUEUE": 0,
    }
    found = {}
    for name, value in wanted.items():
        hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1]
        found[name] = value if hard == resource.RLIM_INFINITY else min(value, hard)
    return found


# Enters control groups, then becomes what it is told to start.
_ENTER = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 126; shift; done; shift; exec "$@"'


def _confining(bounds: Mapping[str, int], uid: int | None, group: Group) -> list[str]:
    """Programs that do one after another what `_confine` does, each becoming the next.

    A fork of this process, with all that it has loaded, costs ten times as much as they do. Empty
    where the machine lacks one of them.
    """
    prlimit, setpriv = shutil.which("prlimit"), shutil.which("setpriv")
    if not prlimit or not setpriv:
        return []
    words = ["/bin/sh", "-c", _ENTER, "sh", *group.doors, "--"] if group.held else []
    words += [prlimit, *(f"--{name.lower()}={value}:{value}" for name, value in bounds.items())]
    words += ["--", setpriv, "--no-new-privs", "--pdeathsig", "KILL"]
    if uid is not None:
        words += ["--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
    return [*words, "--"]


def _confine(
    bounds: Mapping[str, int], uid: int | None, group: Group, last: Callable[[], None] | None
) -> Callable[[], None]:
    """What the child does to itself between fork and exec; it cannot be undone."""
    limits = {getattr(resource, f"RLIMIT_{name}"): value for name, value in bounds.items()}

    def confine() -> None:
        if group.held:
            group.enter()
        for bound, value in limits.items():
            resource.setrlimit(bound, (value, value))
        if uid is not None:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        if _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        if last:
            last()

    return confine


def spawn(
    command: Sequence[str],
    environment: Mapping[str, str],
    limits: Limits,
    *,
    folder: str,
    pass_fds: Sequence[int] = (),
    confined: bool = True,
    last: Callable[[], None] | None = None,
) -> Process:
    """Start a command under the limits, as root under a uid that no account has.

    Args:
        command: what to run, the program first.
        environment: all that it sees of ours.
        limits: what it may use.
        folder: where it starts.
        pass_fds: descriptors that it keeps.
        confined: False starts it as we are, for development.
        last: what the child does just before the program starts.

    Raises:
        Refused: the program cannot be started here.
    """
    uid = unprivileged_uid() if confined else None
    group = Group(f"bayanihan-{os.getpid()}-{os.urandom(4).hex()}", limits) if confined else None
    group = group or Group("", limits, Path("/nonexistent"))
    # A program that is set up by another needs a few processes for that.
    processes = limits.processes + 4 + (0 if uid is not None else _processes_of(os.geteuid()))
    bounds = _bounds(limits, processes)
    before = _confining(bounds, uid, group) if confined and last is None else []
    forked = confined and not before
    try:
        child = subprocess.Popen(
            [*before, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=folder,
            env=dict(environment),
            pass_fds=pass_fds,
            start_new_session=True,
            # Nothing else runs between fork and exec, and what it does cannot be had otherwise.
            preexec_fn=_confine(bounds, uid, group, last) if forked else None,  # noqa: PLW1509
        )
    except (OSError, subprocess.SubprocessError) as error:
        group.close()
        raise Refused(
            "cannot-read", f"The tool's program cannot be started: {error}", where=command[0]
        ) from None
    return Process(child, group)
