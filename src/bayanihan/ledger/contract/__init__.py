"""The contract suite: what any store of the ledger must do, as functions that check it.

Each check is given `make`, which opens one ledger of the check's own: empty the first
time, and the same one again once it was closed. A check returns nothing, or fails with an
`AssertionError`. `CHECKS` lists them all; run each against every engine:

    for check in CHECKS:
        check(make)
"""

from __future__ import annotations

from collections.abc import Callable

from bayanihan.ledger.contract.erasure import check_erase, check_erasure_keeps_proofs
from bayanihan.ledger.contract.identity import (
    check_all_or_nothing,
    check_append_is_idempotent,
    check_audiences_have_one_spelling,
    check_conflicts,
    check_facts_may_be_said_again,
    check_identity_is_within_origin_and_audience,
    check_nothing_newer,
    check_unversioned_objects,
)
from bayanihan.ledger.contract.order import (
    check_order_under_concurrency,
    check_stamps_increase,
    check_wait,
)
from bayanihan.ledger.contract.proofs import (
    check_leaves_are_salted,
    check_small_proofs,
    check_tiles_over_reopenings,
)
from bayanihan.ledger.contract.reading import (
    check_a_place_beyond_the_record,
    check_hidden_is_like_absent,
    check_pages_are_bounded_in_bytes,
    check_pages_equal_a_filter,
    check_pages_of_one_object,
)
from bayanihan.ledger.contract.scene import Make, Opened
from bayanihan.ledger.contract.state import check_state, check_state_removal, check_state_versions

__all__ = ["CHECKS", "Make", "Opened"]

CHECKS: tuple[Callable[[Make], None], ...] = (
    check_order_under_concurrency,
    check_stamps_increase,
    check_wait,
    check_append_is_idempotent,
    check_identity_is_within_origin_and_audience,
    check_conflicts,
    check_unversioned_objects,
    check_facts_may_be_said_again,
    check_nothing_newer,
    check_audiences_have_one_spelling,
    check_all_or_nothing,
    check_pages_equal_a_filter,
    check_pages_of_one_object,
    check_pages_are_bounded_in_bytes,
    check_hidden_is_like_absent,
    check_a_place_beyond_the_record,
    check_erase,
    check_erasure_keeps_proofs,
    check_small_proofs,
    check_tiles_over_reopenings,
    check_leaves_are_salted,
    check_state,
    check_state_versions,
    check_state_removal,
)
