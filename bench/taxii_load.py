"""A TAXII client in a process of its own: one order on standard input, one answer out.

`python -m bench.taxii_load`. The client decodes no object: it counts and measures.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec

from bench.children import ChildFailed
from bench.load import Answer, spread
from bench.server import environment
from bench.wire import Connection, Target
from bench.workload import Workload

EVERYTHING = "/taxii2/region/collections/everything/objects/"
MEDIA = "application/taxii+json;version=2.1"
_HEADER = b"x-taxii-date-added-last: "


class Page(msgspec.Struct):
    """An envelope; the objects are only counted."""

    objects: list[msgspec.Raw] = []
    more: bool = False
    next: str = ""


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """What to do: `do` is one of `ORDERS`. `path` is a collection's objects."""

    do: str
    url: str
    path: str
    key: str = ""
    read_key: str = ""
    query: str = ""
    added_after: str = ""
    limit: int = 1_000
    count: int = 0
    seed: str = "0"


_page = msgspec.json.Decoder(Page).decode


def walk(order: Order) -> Answer:
    """Page to the end by `next`, or `count` pages; the first page is not timed."""
    connection = Connection(Target.of(order.url, order.key, media=MEDIA))
    onward, count, size_bytes, times_s = "", 0, 0, []
    while True:
        path = f"{order.path}?limit={order.limit}{order.query}"
        began_s = time.perf_counter()
        body = connection.get(f"{path}&next={onward}" if onward else path)
        times_s.append(time.perf_counter() - began_s)
        page = _page(body)
        count += len(page.objects)
        size_bytes += len(body)
        onward = page.next
        if not page.more or len(times_s) == order.count:
            break
    connection.close()
    return {
        "count": count,
        "size_bytes": size_bytes,
        "waited_s": sum(times_s),
        **spread(times_s[1:] or times_s),
    }


def poll(order: Order) -> Answer:
    """Ask `count` times for what was added since, where nothing was."""
    connection = Connection(Target.of(order.url, order.key, media=MEDIA))
    since = quote(order.added_after or "2999-01-01T00:00:00Z")
    path = f"{order.path}?limit=100&added_after={since}{order.query}"
    request, times_s = connection.target.request("GET", path), []
    for _ in range(order.count):
        began_s = time.perf_counter()
        status, body = connection.exchange(request)
        times_s.append(time.perf_counter() - began_s)
        if status != 200 or body != b"{}":
            raise ValueError(f"the poll was not empty: {status} {body[:200]!r}")
    connection.close()
    return spread(times_s)


def visible(order: Order) -> Answer:
    """Submit `count` objects one by one; each time until a tight poll by another sees it."""
    writer = Connection(Target.of(order.url, order.key, media=MEDIA))
    reader = Connection(Target.of(order.url, order.read_key, media=MEDIA))
    workload, times_s, since = Workload(order.seed), list[float](), order.added_after
    for _ in range(order.count):
        made = workload.indicator()
        wanted = b'"id":"%b"' % msgspec.json.decode(made)["id"].encode()
        body = b'{"objects":[%b]}' % made
        began_s = time.perf_counter()
        writer.send(writer.target.request("POST", order.path, body))
        while wanted not in reader.get(f"{order.path}?limit=100&added_after={quote(since)}"):
            if time.perf_counter() - began_s > 60:
                raise TimeoutError("an object did not become visible")
        times_s.append(time.perf_counter() - began_s)
        status, told = writer.receive()
        if status != 202:
            raise ValueError(f"the submission was answered {status}: {told[:200]!r}")
        since = str(msgspec.json.decode(told)["request_timestamp"])
    writer.close()
    reader.close()
    return spread(times_s)


ORDERS: dict[str, Callable[[Order], Answer]] = {"walk": walk, "poll": poll, "visible": visible}


def ask(**order: Any) -> Answer:
    """Carry out one order in a process of its own. Raises `ChildFailed`."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.taxii_load"],
        input=msgspec.json.encode(Order(**order)),
        capture_output=True,
        env=environment(),
        check=False,
    )
    if done.returncode:
        raise ChildFailed(done.stderr.decode(errors="replace")[-1_500:])
    return msgspec.json.decode(done.stdout, type=dict[str, Any])


def newest(url: str, key: str) -> str:
    """The date of an object that is submitted now: after it nothing has been added yet."""
    connection = Connection(Target.of(url, key, media=MEDIA))
    made = Workload(f"newest {time.time_ns()}").indicator()
    request = connection.target.request("POST", EVERYTHING, b'{"objects":[%b]}' % made)
    status, told = connection.exchange(request)
    connection.close()
    if status != 202:
        raise ValueError(f"the submission was answered {status}: {told[:200]!r}")
    return str(msgspec.json.decode(told)["request_timestamp"])


def main() -> None:
    """Answer the order on standard input."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    answer: dict[str, Any] = ORDERS[order.do](order)
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")


if __name__ == "__main__":
    main()
