"""The tree against RFC 9162's recursive definitions, written out, and known values."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_path,
    inclusion_path,
    peaks_of,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# The eight inputs, and the roots over the first n of them, that certificate transparency
# implementations have shared as test vectors since RFC 6962.
INPUTS = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves_of(size: int) -> list[bytes]:
    return [hashlib.sha256(b"\0" + b"%d" % n).digest() for n in range(size)]


def split(size: int) -> int:
    """The largest power of two below `size`, by counting up."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def pair(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of section 2.1.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return pair(naive_root(leaves[:k]), naive_root(leaves[k:]))


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*naive_path(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(index - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(old: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of section 2.1.4.1."""
    if old == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = split(len(leaves))
    if old <= k:
        return [*naive_subproof(old, leaves[:k], whole), naive_root(leaves[k:])]
    return [*naive_subproof(old - k, leaves[k:], False), naive_root(leaves[:k])]


class Tree:
    """Nodes by (level, index) over plain leaves."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves

    def node(self, level: int, index: int) -> bytes:
        part = self.leaves[index << level : (index + 1) << level]
        assert len(part) == 1 << level, "a subtree that is not perfect was asked for"
        return naive_root(part)


def test_known_roots() -> None:
    leaves = [hashlib.sha256(b"\0" + data).digest() for data in INPUTS]
    assert [root_of(leaves[: n + 1]).hex() for n in range(8)] == ROOTS
    assert root_of([]) == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_every_small_tree_equals_the_definition() -> None:
    leaves = leaves_of(48)
    tree = Tree(leaves)
    roots = [naive_root(leaves[:size]) for size in range(49)]
    for size in range(1, 49):
        assert root_of(leaves[:size]) == roots[size]
        assert Frontier(size, peaks_of(size, tree.node)).root() == roots[size]
        for index in range(size):
            path = inclusion_path(index, size, tree.node)
            assert path == naive_path(index, leaves[:size])
            assert verify_inclusion(leaves[index], index, size, path, roots[size])
        for old in range(1, size + 1):
            path = consistency_path(old, size, tree.node)
            assert path == naive_subproof(old, leaves[:size], True)
            assert verify_consistency(old, size, path, roots[old], roots[size])


@given(st.integers(1, 1500), st.data())
def test_large_trees(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    tree, root = Tree(leaves), root_of(leaves)
    assert root == naive_root(leaves)
    index = data.draw(st.integers(0, size - 1))
    assert verify_inclusion(
        leaves[index], index, size, inclusion_path(index, size, tree.node), root
    )
    old = data.draw(st.integers(1, size))
    path = consistency_path(old, size, tree.node)
    assert verify_consistency(old, size, path, naive_root(leaves[:old]), root)


@given(st.integers(2, 70), st.data())
def test_a_false_inclusion_proof_fails(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    tree, root = Tree(leaves), root_of(leaves)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(index, size, tree.node)
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index))
    at = data.draw(st.integers(0, len(path) - 1))
    wrong = bytes(32)
    assert not verify_inclusion(leaves[other], index, size, path, root)
    assert not verify_inclusion(leaves[index], other, size, path, root)
    assert not verify_inclusion(leaves[index], index, size, path, wrong)
    assert not verify_inclusion(leaves[index], index, size, [*path, wrong], root)
    assert not verify_inclusion(leaves[index], index, size, path[:-1], root)
    assert not verify_inclusion(
        leaves[index], index, size, [*path[:at], wrong, *path[at + 1 :]], root
    )
    assert not verify_inclusion(leaves[index], size, size, path, root)
    assert not verify_inclusion(leaves[index], -1, size, path, root)


@given(st.integers(2, 70), st.data())
def test_a_false_consistency_proof_fails(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    old = data.draw(st.integers(1, size - 1))
    path = consistency_path(old, size, Tree(leaves).node)
    before, after = root_of(leaves[:old]), root_of(leaves)
    forged = root_of([*leaves[: old - 1], bytes(32)])
    assert verify_consistency(old, size, path, before, after)
    assert not verify_consistency(old, size, path, forged, after)
    assert not verify_consistency(old, size, path, before, forged)
    assert not verify_consistency(old, size, [*path, bytes(32)], before, after)
    assert not verify_consistency(old, size, path[:-1], before, after)
    assert not verify_consistency(size, old, path, after, before)
    assert not verify_consistency(0, size, path, EMPTY_ROOT, after)


def test_the_same_size_needs_no_path() -> None:
    root = root_of(leaves_of(5))
    assert verify_consistency(5, 5, [], root, root)
    assert not verify_consistency(5, 5, [root], root, root)
    assert not verify_consistency(5, 5, [], root, EMPTY_ROOT)


def test_a_frontier_lists_what_each_leaf_completes() -> None:
    leaves = leaves_of(600)
    frontier, completed = Frontier(), list[tuple[int, bytes]]()
    for leaf in leaves:
        frontier.append(leaf, completed)
    assert [node for level, node in completed if level == 0] == leaves
    assert [node for level, node in completed if level == 1] == [
        naive_root(leaves[:256]),
        naive_root(leaves[256:512]),
    ]
    copy = frontier.copy()
    copy.append(leaves[0], [])
    assert (frontier.size, copy.size) == (600, 601)
    assert frontier.root() == naive_root(leaves)


@pytest.mark.parametrize("size", [1, 3, 255])
def test_a_frontier_needs_all_its_peaks(size: int) -> None:
    with pytest.raises(ValueError, match="peaks"):
        Frontier(size, [])


def test_what_is_outside_a_tree_has_no_path() -> None:
    tree = Tree(leaves_of(4))
    for index, size in ((4, 4), (-1, 4), (0, 0)):
        with pytest.raises(ValueError, match="not in a tree"):
            inclusion_path(index, size, tree.node)
    for old, new in ((0, 4), (5, 4)):
        with pytest.raises(ValueError, match="does not extend"):
            consistency_path(old, new, tree.node)
