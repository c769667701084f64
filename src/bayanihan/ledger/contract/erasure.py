"""What was erased is gone; what was proved stays so."""

from __future__ import annotations

from bayanihan.core.marking import PUBLIC
from bayanihan.core.merkle import verify_consistency, verify_inclusion
from bayanihan.ledger.contract.scene import (
    AUDIENCES,
    BANK,
    PH,
    SG,
    Make,
    all_of,
    draft,
    numbered,
    opened,
    outcomes,
    refusal,
)
from bayanihan.ledger.store import Where


def check_erase(make: Make) -> None:
    """Every version and re-share of one's own goes; others' stay; it is said where it was."""
    with opened(make) as ledger:
        ledger.append(
            [
                draft("note--1", b"[1]"),
                draft("note--1", b"[2]", version_us=2, audience=AUDIENCES[3], exercise=True),
                draft("note--1", b"[3]", origin="PH"),
                draft("note--2", b"[4]"),
            ]
        )
        assert refusal(lambda: ledger.erase(BANK, "note--1", "x")) == "not-found"
        assert refusal(lambda: ledger.erase(PUBLIC, "note--1", "x")) == "not-found"
        assert ledger.erase(SG, "note--1", "a name in it") == [1, 2]
        assert all_of(ledger, PH, 2) == [3, 4, 5, 6]
        assert refusal(lambda: ledger.body(PH, 1)) == "erased"
        erased = ledger.entry(PH, 1)
        assert erased.erased
        assert (erased.object_id, erased.origin, erased.author, erased.digest) == ("", "", "", b"")
        notices = ledger.read(PH, 0, 10, Where(kinds=("erased",))).items
        assert [item.entry.header.exercise for item in notices] == [False, True]
        assert refusal(lambda: ledger.erase(SG, "note--1", "again")) == "not-found"
    with opened(make) as ledger:
        assert outcomes(ledger.append([draft("note--1", b"[1]")])) == ["accepted"]
        assert ledger.erase(SG, "note--1", "a name in it") == [7]
        assert all_of(ledger, PH, 10) == [3, 4, 5, 6, 8]


def check_erasure_keeps_proofs(make: Make) -> None:
    """The tree does not change, and what was erased is still proved to have been there."""
    with opened(make) as ledger:
        ledger.append(numbered(0, 20))
        head, path = ledger.head(), ledger.prove(5, 20)
        leaf = ledger.entry(SG, 5).header.leaf
        ledger.erase(SG, "note--4", "x")
        assert ledger.prove(5, 20) == path
        assert ledger.entry(SG, 5).header.leaf == leaf
        assert verify_inclusion(leaf, 4, 20, path, head.root)
        after = ledger.head()
        assert verify_consistency(20, 21, ledger.extend(20, 21), head.root, after.root)
