"""The keyed hashes behind duplicate detection stay at home."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from bayanihan.core.marking import Audience
from bayanihan.ledger import Draft, Ledger

GREEN = Audience("green")
COUNT = 64


def filled(folder: Path) -> tuple[bytes, set[int]]:
    """A ledger's secret and the hashes in its indexes, after the same entries."""
    with contextlib.closing(Ledger(folder, index_limit=16)) as ledger:
        drafts = [
            Draft("object", GREEN, "ana", "SG", f"note--{n}", b"%d" % n, 1) for n in range(COUNT)
        ]
        ledger.append(drafts)
        entries = [entry for entry, _ in ledger.scan(0, COUNT)]
        hashes = {key for entry in entries for key in ledger._identity.keys_of(entry)}
        secret = ledger.store.meta("identity-key")
        assert {one.outcome for one in ledger.append(drafts)} == {"duplicate"}
    assert len(hashes) == 2 * COUNT
    return secret, hashes


def test_two_hubs_hash_the_same_differently(tmp_path: Path) -> None:
    """Who holds one hub's indexes cannot try another's entries, or a guess, against them."""
    (one, ours), (other, theirs) = (filled(tmp_path / name) for name in ("one", "two"))
    assert one != other
    assert len(one) >= 32
    assert not ours & theirs
    plain = {
        int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
        for n in range(COUNT)
        for text in (f"note--{n}".encode(), b"\1note--%d" % n)
    }
    assert not ours & plain


def test_the_secret_is_in_the_ledgers_own_file_alone(tmp_path: Path) -> None:
    secret, _ = filled(tmp_path)
    holding = {
        path.name
        for path in tmp_path.rglob("*")
        if path.is_file()
        if secret in path.read_bytes() or secret.hex().encode() in path.read_bytes()
    }
    assert holding == {"ledger.db"}
