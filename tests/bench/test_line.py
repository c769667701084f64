"""The bad line of the tests and measurements: what it carries, loses, and when."""

from __future__ import annotations

import struct

import pytest

from bench.line import Line, inside, turned


def packet(number: int) -> bytes:
    """An IPv4 packet from 198.18.0.1 to 198.18.0.2 that carries a number."""
    head = bytes([0x45, 0, 0, 24, 0, 0, 0, 0, 64, 6, 0, 0, 198, 18, 0, 1, 198, 18, 0, 2])
    return head + struct.pack(">I", number)


def test_a_packet_comes_from_where_it_was_sent_to() -> None:
    one = packet(7)
    assert turned(one)[12:20] == one[16:20] + one[12:16]
    assert (turned(one)[:12], turned(one)[20:]) == (one[:12], one[20:])
    assert turned(turned(one)) == one


def test_packets_arrive_late_and_in_order() -> None:
    line = Line(delay_s=0.15, loss=0.0, seed=1)
    for number in range(3):
        line.send(packet(number), now_s=number * 0.1)
    assert line.wait_s(0.1) == pytest.approx(0.05)
    assert line.arrived(0.149) == []
    assert line.arrived(0.26) == [turned(packet(0)), turned(packet(1))]
    assert line.arrived(9.0) == [turned(packet(2))]
    assert line.wait_s(9.0) is None


def test_the_same_seed_loses_the_same_packets() -> None:
    def survivors(seed: int) -> list[bytes]:
        line = Line(0.0, 0.01, seed)
        for number in range(10_000):
            line.send(packet(number), 0.0)
        assert 50 < line.lost < 200
        return line.arrived(0.0)

    assert survivors(3) == survivors(3)
    assert survivors(3) != survivors(4)


def test_a_cut_line_carries_nothing_new_and_nothing_but_ipv4_ever() -> None:
    line = Line(0.0, 0.0, 1)
    line.send(b"", 0.0)
    line.send(b"\x60" + bytes(40), 0.0)
    line.cut = True
    line.send(packet(1), 0.0)
    assert (line.arrived(1.0), line.lost) == ([], 1)


def test_what_runs_inside_ends_with_the_line() -> None:
    assert {"--kill-child", "--pid", "--net"} <= set(inside("true"))
