"""Identifiers that follow from content: equal observables get equal ids everywhere.

Source: OASIS STIX 2.1 section 2.9 and the contributing properties in section 6; RFC 8785
for the canonical JSON.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import rfc8785

OBSERVABLE_NAMESPACE = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")

# A process has none: its id is always random.
CONTRIBUTING: dict[str, tuple[str, ...]] = {
    "artifact": ("hashes", "payload_bin"),
    "autonomous-system": ("number",),
    "directory": ("path",),
    "domain-name": ("value",),
    "email-addr": ("value",),
    "email-message": ("from_ref", "subject", "body"),
    "file": ("hashes", "name", "parent_directory_ref", "extensions"),
    "ipv4-addr": ("value",),
    "ipv6-addr": ("value",),
    "mac-addr": ("value",),
    "mutex": ("name",),
    "network-traffic": (
        "start",
        "end",
        "src_ref",
        "dst_ref",
        "src_port",
        "dst_port",
        "protocols",
        "extensions",
    ),
    "process": (),
    "software": ("name", "cpe", "swid", "vendor", "version"),
    "url": ("value",),
    "user-account": ("account_type", "user_id", "account_login"),
    "windows-registry-key": ("key", "values"),
    "x509-certificate": ("hashes", "serial_number"),
}
_PREFERRED_HASHES = ("MD5", "SHA-1", "SHA-256", "SHA-512")


def observable_id(kind: str, value: dict[str, Any]) -> str | None:
    """The id of an observable by its contributing properties, None where it has none.

    Args:
        kind: the observable's type.
        value: its properties; references in them are ids already. Only one hash counts,
            and spelling counts: bring values into their canonical form first.

    Raises:
        ValueError: a number that RFC 8785 cannot express.
    """
    chosen = {name: value[name] for name in CONTRIBUTING.get(kind, ()) if name in value}
    if not chosen:
        return None
    hashes = chosen.get("hashes")
    if isinstance(hashes, dict) and hashes:
        name = next((name for name in _PREFERRED_HASHES if name in hashes), min(hashes))
        chosen["hashes"] = {name: hashes[name]}
    try:
        canonical = rfc8785.dumps(chosen)
    except rfc8785.CanonicalizationError as error:
        raise ValueError(str(error)) from None
    return f"{kind}--{uuid.uuid5(OBSERVABLE_NAMESPACE, canonical.decode())}"


def random_id_from(kind: str, seed: bytes) -> str:
    """An id with the form of a random one, the same for the same seed.

    For an observable without contributing properties, which must not have a UUIDv5, where
    the same input must still give the same output.
    """
    digest = hashlib.sha256(seed).digest()[:16]
    return f"{kind}--{uuid.UUID(bytes=digest, version=4)}"
