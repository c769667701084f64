"""The key files of an office, as `trial signing-key` makes them."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bayanihan.core.signing import SigningKey
from bayanihan.errors import Refused
from bayanihan.sandbox.attest import read_key


def read_public(path: Path) -> bytes:
    """The 32 bytes of the public key in a PEM file. Raises `Refused`."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise Refused("cannot-read", error.strerror or str(error), where=str(path)) from None
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        step = "Make a pair with `bayanihan trial signing-key --out FILE`; give FILE.pub."
        raise Refused("bad-value", "This is no Ed25519 public key", where=str(path), next_step=step)
    return key.public_bytes_raw()


def read_signing(path: Path) -> SigningKey:
    """The signing key in a PEM file. Raises `Refused`."""
    return SigningKey(read_key(path).private_bytes_raw())
