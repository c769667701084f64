"""The load, in a process of its own: `python -m bench.load` reads one order and answers it.

The order is a JSON object on standard input, the answer one on standard output. So the
load never shares an interpreter with what it measures.
"""

from __future__ import annotations

import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from bench.wire import Connection, Drive, Target
from bench.workload import MARKINGS, RED, SHARES, VERSIONED, Workload, envelopes

PAGE_LIMIT = 1_000
_ACCEPTED = re.compile(rb'"accepted":(\d+)')
_ID = re.compile(rb'"id":"([a-z0-9-]+--[0-9a-f-]{36})"')


class Paged(msgspec.Struct):
    """A page of `/api/objects`; the objects are only counted."""

    objects: list[msgspec.Raw]
    more: bool
    next: str


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """What to do: `do` is one of `ORDERS`; the rest is read as that one needs it."""

    do: str
    url: str
    key: str = ""
    read_key: str = ""
    seed: str = "0"
    size: int = 1
    count: int = 0
    connections: int = 1
    limit_s: float = 60.0
    after: str = ""
    pages: int = 0
    red: bool = False
    ahead: bool = True
    ids: bool = False
    path: str = "/api/objects"
    media: str = "application/json"
    basic: str = ""
    versioned: bool = False


BEGUN = b"begun\n"
"""Told before the first request of an ingest; the answer is the line after it."""

_TAKEN = (200, 202)
_page = msgspec.json.Decoder(Paged).decode
Answer = dict[str, Any]


def quantile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie; 0 when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def spread(times_s: list[float]) -> Answer:
    """Median and tail of times, in milliseconds."""
    return {
        "p50_ms": quantile(times_s, 0.5) * 1e3,
        "p99_ms": quantile(times_s, 0.99) * 1e3,
        "max_ms": max(times_s, default=0.0) * 1e3,
        "n": len(times_s),
    }


def ingest(order: Order) -> Answer:
    """Send `count` objects in envelopes of `size`; made beforehand when `ahead`.

    A peer's answer does not say how many it took: it counts as all of them.
    """
    target = Target.of(order.url, order.key, order.basic, order.media)
    markings, shares = (RED,) if order.red else MARKINGS, VERSIONED if order.versioned else SHARES
    made = envelopes(Workload(order.seed, markings, shares), order.count, order.size)
    sent: list[list[str]] = []

    def requests() -> Iterator[bytes]:
        for body in made:
            if order.ids:
                sent.append([found.decode() for found in _ID.findall(body)])
            yield target.request("POST", order.path, body)

    row = iter(list(requests())) if order.ahead else requests()
    sys.stdout.buffer.write(BEGUN)
    sys.stdout.buffer.flush()
    tally = Drive(target, row, order.connections, order.limit_s).run()
    done = [answer for answer in tally.answers if answer[1] in _TAKEN]
    counted = [_ACCEPTED.search(body) for _, _, body, _ in done]
    answer: Answer = {
        "accepted": sum(int(found[1]) if found else order.size for found in counted),
        "answers": len(tally.answers),
        "elapsed_s": tally.elapsed_s,
        "broken": tally.broken,
        "refused": [[a[1], a[2].decode("latin-1")] for a in tally.answers if a[1] not in _TAKEN][
            :3
        ],
        **spread([took_s for _, _, _, took_s in done]),
    }
    if order.ids:
        answer["acknowledged"] = [one for number, *_ in done for one in sent[number]]
    return answer


def walk(order: Order) -> Answer:
    """Page from `after` to the end, or `pages` pages; the first page is not timed."""
    connection = Connection(Target.of(order.url, order.key))
    after, count, size_bytes, times_s = order.after, 0, 0, []
    ids: list[str] = []
    while True:
        began_s = time.perf_counter()
        body = connection.get(f"/api/objects?limit={PAGE_LIMIT}&after={after}")
        times_s.append(time.perf_counter() - began_s)
        page = _page(body)
        count += len(page.objects)
        size_bytes += len(body)
        after = page.next or after
        if order.ids:
            ids += [m[1].decode() for raw in page.objects if (m := _ID.search(bytes(raw)))]
        if not page.more or len(times_s) == order.pages:
            break
    connection.close()
    return {
        "count": count,
        "size_bytes": size_bytes,
        "waited_s": sum(times_s),
        "next": after,
        "ids": ids,
        **spread(times_s[1:] or times_s),
    }


def poll(order: Order) -> Answer:
    """Ask `count` times for what is new where nothing is."""
    connection = Connection(Target.of(order.url, order.key))
    request = connection.target.request("GET", f"/api/objects?limit=100&after={order.after}")
    times_s = []
    for _ in range(order.count):
        began_s = time.perf_counter()
        status, body = connection.exchange(request)
        times_s.append(time.perf_counter() - began_s)
        if status != 200 or _page(body).objects:
            raise ValueError(f"the poll was not empty: {status} {body[:200]!r}")
    connection.close()
    return spread(times_s)


def visible(order: Order) -> Answer:
    """Report `count` objects one by one; each time until a tight poll by another sees it."""
    writer = Connection(Target.of(order.url, order.key))
    reader = Connection(Target.of(order.url, order.read_key or order.key))
    workload = Workload(order.seed)
    after, times_s = order.after, []
    for _ in range(order.count):
        body = workload.indicator()
        found = _ID.search(body)
        assert found is not None
        request = writer.target.request("POST", "/api/objects", body)
        began_s = time.perf_counter()
        writer.send(request)
        while True:
            page = reader.get(f"/api/objects?limit=100&after={after}")
            if found[1] in page:
                break
            if time.perf_counter() - began_s > order.limit_s:
                raise TimeoutError("a report did not become visible")
        times_s.append(time.perf_counter() - began_s)
        after = _page(page).next or after
        status, answer = writer.receive()
        if status != 200:
            raise ValueError(f"the report was answered {status}: {answer[:200]!r}")
    writer.close()
    reader.close()
    return {"next": after, **spread(times_s)}


ORDERS: dict[str, Callable[[Order], Answer]] = {
    "ingest": ingest,
    "walk": walk,
    "poll": poll,
    "visible": visible,
}


def main() -> None:
    """Answer the order on standard input."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    answer = ORDERS[order.do](order)
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")


def median_of(answers: list[Answer], name: str) -> float:
    """The median of one figure over several answers."""
    return statistics.median(float(answer[name]) for answer in answers)


if __name__ == "__main__":
    main()
