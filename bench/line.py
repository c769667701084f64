"""A bad line for whoever runs inside: `python -m bench.line --loss 0.01 -- COMMAND ...`.

It wants a network namespace of its own, see `inside`. There it makes a TUN device: whatever
is sent to `FAR` comes back to this namespace from `FAR`, later, or not at all. So a server
that listens on every address of the namespace is reached over the line as `FAR` and without
it as 127.0.0.1, and TCP meets true delay and loss, on any kernel that has TUN devices.

Source and destination are exchanged in each packet, which leaves every checksum as it is.
SIGUSR1 cuts the line, SIGUSR2 mends it; the command finds the process in `LINE_PID`.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

# The addresses set aside for measurements (RFC 2544): no router carries them.
NEAR, FAR = "198.18.0.1", "198.18.0.2"
ROUND_TRIP_MS = 300.0
LOSS = 0.01
_MASK = "255.255.255.252"
_DEVICE = b"line0"
# The device must not lose packets of its own when ten thousand are sent to at once.
_QUEUE_PACKETS = 100_000
_PACKET_BYTES = 65_536
_AT_ONCE = 64
# With the processes in a namespace too, all of them end when the command is killed.
_NAMESPACES = ("--net", "--pid", "--fork", "--kill-child", "--mount-proc")
# From <linux/if_tun.h> and <linux/sockios.h>.
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCSIFTXQLEN = 0x8916, 0x891C, 0x8943


def inside(
    *words: str, loss: float = LOSS, round_trip_ms: float = ROUND_TRIP_MS, seed: int = 7
) -> list[str]:
    """The command that runs `words` in a namespace with such a line.

    Args:
        words: a program and its arguments.
        loss: the share of packets that get lost, in each direction.
        round_trip_ms: how long a packet and its answer take together, in milliseconds.
        seed: which packets are lost.
    """
    unshared = ["unshare", *_NAMESPACES, *([] if os.geteuid() == 0 else ["-r"])]
    options = ["--round-trip-ms", str(round_trip_ms), "--loss", str(loss), "--seed", str(seed)]
    return [*unshared, sys.executable, "-m", "bench.line", *options, "--", *words]


def refusal() -> str:
    """Why no line can be had on this machine; "" when one can."""
    place = Path(__file__).resolve().parents[1]
    try:
        done = subprocess.run(
            inside("true"), capture_output=True, text=True, cwd=place, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    told = done.stderr.strip().splitlines()
    return (told[-1] if told else f"exit {done.returncode}") if done.returncode else ""


def turned(packet: bytes) -> bytes:
    """An IPv4 packet that comes from where it was sent to."""
    return packet[:12] + packet[16:20] + packet[12:16] + packet[20:]


class Line:
    """Carries packets: each arrives late, and some never.

    Args:
        delay_s: how late, in one direction.
        loss: the share that is lost.
        seed: which are.
    """

    def __init__(self, delay_s: float, loss: float, seed: int) -> None:
        self._delay_s = delay_s
        self._loss = loss
        self._chance = random.Random(seed)
        self._under_way: deque[tuple[float, bytes]] = deque()
        self.cut = False
        self.carried = 0
        self.lost = 0

    def send(self, packet: bytes, now_s: float) -> None:
        """A packet enters. What is not IPv4 is no traffic of ours."""
        if packet[:1] == b"" or packet[0] >> 4 != 4:
            return
        if self.cut or self._chance.random() < self._loss:
            self.lost += 1
            return
        self._under_way.append((now_s + self._delay_s, turned(packet)))

    def arrived(self, now_s: float) -> list[bytes]:
        """What leaves by now, in order."""
        found = []
        while self._under_way and self._under_way[0][0] <= now_s:
            found.append(self._under_way.popleft()[1])
        self.carried += len(found)
        return found

    def wait_s(self, now_s: float) -> float | None:
        """How long until the next one leaves; None when nothing is under way."""
        return max(0.0, self._under_way[0][0] - now_s) if self._under_way else None


def device() -> int:
    """Make the device and bring it and the loopback up. Raises `OSError`."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH", _DEVICE, _IFF_TUN | _IFF_NO_PI))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for order, address in ((_SIOCSIFADDR, NEAR), (_SIOCSIFNETMASK, _MASK)):
            place = socket.inet_aton(address)
            fcntl.ioctl(control, order, struct.pack("16sHH4s8x", _DEVICE, socket.AF_INET, 0, place))
        fcntl.ioctl(control, _SIOCSIFTXQLEN, struct.pack("16si", _DEVICE, _QUEUE_PACKETS))
        for name in (b"lo", _DEVICE):
            asked = struct.pack("16sH", name, 0)
            flags = struct.unpack("16sH", fcntl.ioctl(control, _SIOCGIFFLAGS, asked))[1]
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH", name, flags | _IFF_UP))
    return tun


def _read(tun: int, line: Line) -> None:
    for _ in range(_AT_ONCE):
        try:
            packet = os.read(tun, _PACKET_BYTES)
        except BlockingIOError:
            return
        line.send(packet, time.monotonic())


def carry(line: Line, tun: int, command: subprocess.Popen[bytes]) -> int:
    """Carry until the command ends; its exit code."""
    ended = os.pidfd_open(command.pid)
    while True:
        for packet in line.arrived(time.monotonic()):
            os.write(tun, packet)
        ready, _, _ = select.select([tun, ended], [], [], line.wait_s(time.monotonic()))
        if ended in ready:
            return command.wait()
        if tun in ready:
            _read(tun, line)


def main() -> int:
    """Make the line, run the command beside it."""
    parser = argparse.ArgumentParser(prog="python -m bench.line", description=__doc__)
    parser.add_argument("--round-trip-ms", type=float, default=ROUND_TRIP_MS)
    parser.add_argument("--loss", type=float, default=LOSS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("command", nargs="+")
    chosen = parser.parse_args()
    line = Line(chosen.round_trip_ms / 2_000, chosen.loss, chosen.seed)
    try:
        tun = device()
    except OSError as error:
        print(f"no line can be made here: {error}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGUSR1, lambda *_: setattr(line, "cut", True))
    signal.signal(signal.SIGUSR2, lambda *_: setattr(line, "cut", False))
    variables = {**os.environ, "LINE_PID": str(os.getpid())}
    code = carry(line, tun, subprocess.Popen(chosen.command, env=variables))
    print(f"line: {line.carried} packets carried, {line.lost} lost", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
