"""What was read out of one piece of evidence: values, before anybody decides about them."""

from __future__ import annotations

import msgspec

from bayanihan.core.fingerprint import Fingerprints
from bayanihan.core.language import NONE, Language

# What a finding is to the case. Only what is `named` may become an indicator.
ROLES = ("named", "sender", "carrier", "bait", "script")


class Finding(msgspec.Struct, frozen=True):
    """One thing that the evidence names.

    `role` is `named` in the text or behind a link, `sender`, `carrier` (a host that passed it
    on), `bait` (what a link shows while it leads elsewhere) or `script`.
    """

    type: str
    value: str
    why: str
    where: str
    role: str = "named"


class Removed(msgspec.Struct, frozen=True):
    """A name or an account of a victim, as it may be shown: `s...@v...example`."""

    what: str
    shown: str
    where: str


class Note(msgspec.Struct, frozen=True):
    """Something that was not taken or not read, with the reason in a sentence."""

    text: str
    why: str


class Examined(msgspec.Struct, frozen=True):
    """One piece of evidence, read.

    `kind` is `mail text html table image audio file stix misp access-log`. `text` is what a
    person would read in it, without names and accounts of victims. `objects` are the STIX
    objects that it holds, as they are. `cadence` tells how a machine asked, in sentences.
    """

    kind: str
    sha256: str
    size_bytes: int
    text: str = ""
    findings: tuple[Finding, ...] = ()
    skipped: tuple[Note, ...] = ()
    removed: tuple[Removed, ...] = ()
    left_out: tuple[str, ...] = ()
    disguises: tuple[str, ...] = ()
    language: Language = NONE
    prints: Fingerprints = Fingerprints()
    provenance: tuple[str, ...] = ()
    objects: tuple[bytes, ...] = ()
    cadence: tuple[str, ...] = ()
