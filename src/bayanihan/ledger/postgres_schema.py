"""The tables of the PostgreSQL store, and how they are made.

Entries lie in partitions of consecutive positions, each with indexes of its own: new rows
touch the newest alone, so that the random index of identities stays small enough for
memory however long the record grows. See ADR 21.
"""

from __future__ import annotations

import secrets
from typing import Any

from bayanihan.errors import Broken
from bayanihan.ledger.postgres_link import SCHEMA

SCHEMA_VERSION = 1
PARTITION_ROWS = 1 << 23
# Two nodes that start together on an empty database: one makes the tables, the other waits.
_MAKING = 0x62796E31

_TABLES = """
CREATE TABLE meta (name text PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE place (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), position bigint NOT NULL,
    stamp bigint NOT NULL, peaks bytea NOT NULL, partitions int NOT NULL
) WITH (fillfactor = 10);
INSERT INTO place VALUES (true, 0, 0, '', 0);
CREATE TABLE audiences (id int PRIMARY KEY, definition bytea NOT NULL UNIQUE);
CREATE TABLE entries (
    position bigint NOT NULL, stamp bigint NOT NULL, kind smallint NOT NULL,
    audience int NOT NULL, exercise smallint NOT NULL, leaf bytea NOT NULL,
    author text, origin text, collection text, object_id text, version bigint,
    original bytea, salt bytea, digest bytea, size int NOT NULL, body bytea,
    same_key bigint, object_key bigint, PRIMARY KEY (position)
) PARTITION BY RANGE (position);
CREATE INDEX entries_seen ON entries (audience, kind, exercise, position)
    WHERE author IS NOT NULL;
CREATE INDEX entries_kind ON entries (kind, position) WHERE kind <> 0;
CREATE INDEX entries_erased ON entries (position) WHERE author IS NULL;
CREATE INDEX entries_same ON entries (same_key) WHERE same_key IS NOT NULL;
CREATE INDEX entries_object ON entries (object_key) WHERE object_key IS NOT NULL;
CREATE TABLE tiles (
    level smallint, number bigint, hashes bytea NOT NULL, PRIMARY KEY (level, number)
);
CREATE TABLE state (
    room text COLLATE "C", key text COLLATE "C", version bigint NOT NULL, value bytea NOT NULL,
    PRIMARY KEY (room, key)
);
CREATE TABLE nodes (name text PRIMARY KEY, seen timestamptz NOT NULL)
"""


def make_tables(link: Any, partition_rows: int) -> None:
    """Make the tables where there are none, once, whoever else tries at the same moment."""
    with link.transaction():
        link.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
        link.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        if link.execute(f"SELECT to_regclass('{SCHEMA}.meta')").fetchone()[0]:
            return
        for statement in _TABLES.split(";\n"):
            link.execute(statement)
        fresh = {
            "schema": b"%d" % SCHEMA_VERSION,
            "epoch": secrets.token_bytes(8),
            "cursor-key": secrets.token_bytes(32),
            "identity-key": secrets.token_bytes(32),
            "partition-rows": b"%d" % partition_rows,
        }
        for name, value in fresh.items():
            link.execute("INSERT INTO meta VALUES (%s, %s)", (name, value))


def check_version(version: bytes, name: str) -> None:
    """Refuse tables that a later version of this software made."""
    if int(version) > SCHEMA_VERSION:
        raise Broken("data-newer", f"The ledger in {name} has format {int(version)}")


def add_partition(link: Any, number: int, rows: int) -> None:
    """Make the partition for positions `number * rows + 1` up to `(number + 1) * rows`.

    It is made apart and then attached, which holds no reader up.
    """
    table = f"entries_{number}"
    link.execute(f"CREATE TABLE {table} (LIKE entries INCLUDING ALL)")
    # Rows change by erasure alone: each is cleaned up after within minutes.
    link.execute(
        f"ALTER TABLE {table} SET (autovacuum_vacuum_threshold = 0,"
        " autovacuum_vacuum_scale_factor = 0)"
    )
    link.execute(
        f"ALTER TABLE entries ATTACH PARTITION {table}"
        f" FOR VALUES FROM ({number * rows + 1}) TO ({(number + 1) * rows + 1})"
    )
