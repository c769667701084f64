"""A tool that wants out: each item names one attempt. It runs isolated, and only in `selfcheck`.

The answer is malicious when the attempt succeeded, and its reason says what came of it. Every
attempt is bounded, so that it does no harm where nothing stops it.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

_STATE = {"asked": 0}


def fork_bomb(most: str) -> str:
    """Forks until it is stopped, twice the allowed number at the most."""
    made = 0
    for _ in range(2 * int(most)):
        if os.fork() == 0:
            time.sleep(1)
            os._exit(0)
        made += 1
    return f"{made} processes"


def memory_bomb(most: str) -> str:
    """Fills twice the memory that is allowed."""
    held = [bytearray(b"x") * (1 << 20) for _ in range(2 * int(most) >> 20)]
    return f"{len(held)} MiB"


def endless_loop(_: str) -> str:
    """Never answers."""
    while True:
        pass


def long_line(size: str) -> str:
    """A line of this length."""
    sys.stdout.write("x" * int(size) + "\n")
    sys.stdout.flush()
    return "written"


def connect(target: str) -> str:
    """Opens a socket of a kind to an address."""
    family, kind, *address = json.loads(target)
    place = tuple(address) if len(address) > 1 else address[0]
    opened = socket.socket(getattr(socket, family), getattr(socket, kind))
    opened.connect(place)
    opened.send(b"out")
    return "sent"


def nested_namespace(_: str) -> str:
    """A user namespace of its own: by a call, then by a program."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000) == 0:
        return "unshared"
    refused = os.strerror(ctypes.get_errno())
    with contextlib.suppress(OSError):
        if (
            subprocess.run(
                ["unshare", "-U", "true"], stderr=subprocess.DEVNULL, check=False
            ).returncode
            == 0
        ):
            return "unshared by a program"
    raise PermissionError(refused)


def read(path: str) -> str:
    """Reads a file, by a link of its own and straight."""
    link = pathlib.Path(os.environ["TMPDIR"], "way")
    with contextlib.suppress(OSError):
        link.symlink_to(path)
    for place in (link, pathlib.Path(path)):
        with contextlib.suppress(OSError):
            return f"read {len(place.read_bytes())} bytes"
    raise FileNotFoundError("nothing there")


def through_proc(target: str) -> str:
    """Reads a file, and the environment of the harness, by way of /proc."""
    path, harness = json.loads(target)
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            return f"read {len((place / 'root' / path.lstrip('/')).read_bytes())} bytes"
    with contextlib.suppress(OSError):
        return f"read {len(pathlib.Path(f'/proc/{harness}/environ').read_bytes())} bytes of ours"
    raise FileNotFoundError("nothing there")


def write(paths: str) -> str:
    """Writes to each of these places."""
    for path in json.loads(paths):
        with contextlib.suppress(OSError):
            pathlib.Path(path).write_text("out")
            return f"wrote {path}"
    raise PermissionError("nowhere to write")


def big_file(most: str) -> str:
    """Writes a file of twice the allowed size."""
    with pathlib.Path(os.environ["TMPDIR"], "big").open("wb") as file:
        for _ in range(2 * int(most) >> 16):
            file.write(bytes(1 << 16))
    return "written"


def stop_reading(_: str) -> str:
    """Reads no more."""
    time.sleep(600)
    return "waited"


def ignore_signals(_: str) -> str:
    """Ignores every signal that can be ignored, with a child that does so too."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    if os.fork() == 0:
        time.sleep(600)
    raise PermissionError("both run on")


def keep_state(_: str) -> str:
    """Answers by the number of items it has seen."""
    _STATE["asked"] += 1
    if _STATE["asked"] > 1:
        return "answered by what it saw before"
    raise PermissionError("the first item")


print('{"ready":1}', flush=True)
while line := sys.stdin.readline():
    item = json.loads(line)
    name, _, argument = item["text"].partition(" ")
    verdict, told = "benign", ""
    try:
        told, verdict = globals()[name](argument), "malicious"
    except (OSError, MemoryError, ValueError) as error:
        told = str(error) or type(error).__name__
    print(json.dumps({"id": item["id"], "verdict": verdict, "reason": told}), flush=True)
