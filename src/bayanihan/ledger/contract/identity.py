"""What is the same, what contradicts, and what is neither."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from bayanihan.core.marking import Audience, Group
from bayanihan.ledger.contract.scene import (
    AUDIENCES,
    GREEN,
    SG,
    Make,
    all_of,
    draft,
    opened,
    outcomes,
    refusal,
)


def check_append_is_idempotent(make: Make) -> None:
    """The same again is a duplicate of the first: in one call, in the next, after reopening."""
    one = draft("note--1", b'{"a":1}')
    with opened(make) as ledger:
        assert outcomes(ledger.append([one, one])) == ["accepted", "duplicate"]
        assert [found.position for found in ledger.append([one])] == [1]
        assert ledger.append([]) == []
    with opened(make) as ledger:
        again = ledger.append([one, draft("note--2")])
        assert outcomes(again) == ["duplicate", "accepted"]
        assert [found.position for found in again] == [1, 2]
        assert ledger.length == 2


def check_identity_is_within_origin_and_audience(make: Make) -> None:
    """Another origin, audience, version or kind makes another entry, and never a conflict."""
    one = draft("note--1", b'{"a":1}', audience=AUDIENCES[2])
    others = [
        draft("note--1", b'{"a":2}', audience=AUDIENCES[2], origin="PH"),
        draft("note--1", b'{"a":2}', audience=AUDIENCES[3]),
        draft("note--1", b'{"a":2}', audience=AUDIENCES[2], version_us=2),
        draft("note--1", b'{"a":2}', audience=AUDIENCES[2], kind="withdrawn"),
    ]
    with opened(make) as ledger:
        ledger.append([one])
        assert outcomes(ledger.append(others)) == ["accepted"] * 4


def check_conflicts(make: Make) -> None:
    """The same version with other content is a conflict; times spelled otherwise are not."""
    with opened(make) as ledger:
        ledger.append([draft("note--1", b'{"t":"2026-01-01T00:00:00Z","n":1}')])
        again = [
            draft("note--1", b'{"n":1,"t":"2026-01-01T00:00:00.000Z"}'),
            draft("note--1", b'{"n":2,"t":"2026-01-01T00:00:00Z"}'),
            draft("note--1", b'{"n":true,"t":"2026-01-01T00:00:00Z"}'),
        ]
        assert outcomes(ledger.append(again)) == ["duplicate", "conflict", "conflict"]
        new = [draft("note--2", b'{"n":1}'), draft("note--2", b'{"n":2}')]
        assert outcomes(ledger.append(new)) == ["accepted", "conflict"]
        assert ledger.length == 2


def check_unversioned_objects(make: Make) -> None:
    """Without a version: equal bytes are a duplicate, other bytes another entry."""
    one, other = (draft("ipv4-addr--1", body, version_us=None) for body in (b"[1]", b"[2]"))
    for expected in ("accepted", "duplicate"):
        with opened(make) as ledger:
            assert outcomes(ledger.append([one, other])) == [expected] * 2
            assert ledger.entry(SG, 1).version_us == ledger.entry(SG, 1).stamp_us


def check_facts_may_be_said_again(make: Make) -> None:
    """An unversioned draft of any other kind is never a duplicate; a versioned one is."""
    fact = draft("member--SG", b"A", version_us=None, kind="notice")
    once = draft("member--SG", b"A", version_us=7, kind="notice")
    with opened(make) as ledger:
        assert outcomes(ledger.append([fact, fact, once])) == ["accepted"] * 3
    with opened(make) as ledger:
        assert outcomes(ledger.append([fact, once])) == ["accepted", "duplicate"]


def check_nothing_newer(make: Make) -> None:
    """Who judged by what was there up to a position is refused where more came: all or none."""
    fact, other = (
        draft(name, b"A", version_us=None, kind="decision") for name in ("case--1", "case--2")
    )
    with opened(make) as ledger:
        ledger.append([fact, other], unless_after=0)
        assert refusal(lambda: ledger.append([fact], unless_after=0)) == "conflict"
        assert (
            refusal(lambda: ledger.append([draft("note--1"), fact], unless_after=0)) == "conflict"
        )
        assert ledger.length == 2
        assert outcomes(ledger.append([fact, draft("note--1")], unless_after=1)) == ["accepted"] * 2
    with opened(make) as ledger, ThreadPoolExecutor(8) as people:
        acts = [lambda: ledger.append([other], unless_after=2) for _ in range(8)]
        refused = [one.result() for one in [people.submit(refusal, act) for act in acts]]
        assert sorted(refused) == ["", *["conflict"] * 7]
        assert ledger.length == 5


def check_audiences_have_one_spelling(make: Make) -> None:
    """The order in which groups and persons are named does not make another audience."""
    groups = (Group("a", 1, ("SG", "PH")), Group("b", 1, ("PH", "SG")))
    one = Audience("amber", groups, ("y", "x"))
    same = Audience("amber", (groups[1], Group("a", 1, ("PH", "SG"))), ("x", "y", "x"))
    with opened(make) as ledger:
        found = ledger.append([draft("note--1", audience=one), draft("note--1", audience=same)])
        assert outcomes(found) == ["accepted", "duplicate"]
        ledger.append([draft("note--2", audience=same), draft("note--3", audience=GREEN)])
        assert ledger.entry(SG, 1).header.audience == ledger.entry(SG, 2).header.audience
        assert ledger.entry(SG, 3).header.audience != ledger.entry(SG, 2).header.audience


def check_all_or_nothing(make: Make) -> None:
    """A batch with a draft that cannot be stored leaves nothing behind, and no gap."""
    with opened(make) as ledger:
        ledger.append([draft("note--1")])
        before = ledger.head()
        bad = draft("note--3", version_us=1 << 70)
        failed = False
        try:
            ledger.append([draft("note--2", audience=AUDIENCES[4]), bad])
        except Exception:
            failed = True
        assert failed, "a version beyond 64 bits was stored"
        assert ledger.head() == before
        assert [one.position for one in ledger.append([draft("note--2")])] == [2]
        assert all_of(ledger, SG, 10) == [1, 2]
