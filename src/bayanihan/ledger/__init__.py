"""The official record. This is its door: rooms import from here and from nowhere behind it."""

from bayanihan.ledger.brake import Brake
from bayanihan.ledger.clock import steady_us, wall_us
from bayanihan.ledger.confirming import Confirming
from bayanihan.ledger.copying import back_up, restore
from bayanihan.ledger.door import Ledger
from bayanihan.ledger.engine import ConnectionLost, Store
from bayanihan.ledger.entry import KINDS, Appended, Draft, Entry, Header
from bayanihan.ledger.erasures import ERASURES, Again, Erasure, ErasureList, read_erasures
from bayanihan.ledger.evidence import Evidence, evidence_of, leaf_of, told_to
from bayanihan.ledger.folding import Folding
from bayanihan.ledger.going_on import GoingOn
from bayanihan.ledger.migrating import Migrated
from bayanihan.ledger.migrating import migrate as migrate_ledger
from bayanihan.ledger.opening import store_at
from bayanihan.ledger.postgres_link import shown
from bayanihan.ledger.projection import Projection, Scan
from bayanihan.ledger.renewing import renew
from bayanihan.ledger.sqlite import SqliteStore
from bayanihan.ledger.state import Change, Document, State, apply_changes
from bayanihan.ledger.store import BodyPage, Head, Item, LedgerContract, Page, Where
from bayanihan.ledger.upkeep import Upkeep, check_signer, retain, state_digest, take_turn
from bayanihan.ledger.verify import Report, check_ledger, check_projection

__all__ = [
    "ERASURES",
    "KINDS",
    "Again",
    "Appended",
    "BodyPage",
    "Brake",
    "Change",
    "Confirming",
    "ConnectionLost",
    "Document",
    "Draft",
    "Entry",
    "Erasure",
    "ErasureList",
    "Evidence",
    "Folding",
    "GoingOn",
    "Head",
    "Header",
    "Item",
    "Ledger",
    "LedgerContract",
    "Migrated",
    "Page",
    "Projection",
    "Report",
    "Scan",
    "SqliteStore",
    "State",
    "Store",
    "Upkeep",
    "Where",
    "apply_changes",
    "back_up",
    "check_ledger",
    "check_projection",
    "check_signer",
    "evidence_of",
    "leaf_of",
    "migrate_ledger",
    "read_erasures",
    "renew",
    "restore",
    "retain",
    "shown",
    "state_digest",
    "steady_us",
    "store_at",
    "take_turn",
    "told_to",
    "wall_us",
]
