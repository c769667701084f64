"""What is believed of a proxy: where a request came from, over what, and with which certificate.

Anybody can send any header. These are looked at only where the connection itself comes from
an address that the operator named; else they are as if they had not been sent.

Source: RFC 9440 (Client-Cert), and what nginx, HAProxy and Envoy can be told to send.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import re
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from bayanihan.core.entrance_order import ProxyOrder
from bayanihan.errors import Refused

_DIGEST = re.compile(r"[0-9a-f]{64}")
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.{1,16000}?)-----END CERTIFICATE-----", re.DOTALL)
_VALUE_LIMIT = 32_768
_IPV6_PREFIX = 64


@lru_cache(maxsize=4_096)
def source_of(address: str) -> str:
    """Under what an address is counted: itself, or its network of 64 bits in IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), _IPV6_PREFIX), strict=False))


def digest_of(value: str) -> str:
    """The SHA-256 (hex) of the certificate that a header's value tells of.

    It may be that digest itself, a certificate as RFC 9440 writes it (`:base64:`), or PEM
    with its line ends escaped as in a URL.

    Raises:
        Refused: `not-signed-in` for anything else.
    """
    plain = value.strip()
    digest = plain.replace(":", "").lower()
    if _DIGEST.fullmatch(digest):
        return digest
    try:
        if plain.startswith(":") and plain.endswith(":"):
            coded = plain[1:-1].encode("ascii")
        else:
            found = _PEM.search(unquote_to_bytes(plain)) if len(plain) <= _VALUE_LIMIT else None
            coded = b"".join(found[1].split()) if found else b""
        der = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        der = b""
    if not der:
        raise Refused("not-signed-in", "The proxy's certificate header cannot be read")
    return hashlib.sha256(der).hexdigest()


class Proxy:
    """Reads the headers of proxies that the operator named.

    Args:
        order: see `ProxyOrder`.
    """

    def __init__(self, order: ProxyOrder) -> None:
        self._networks = [ipaddress.ip_network(each) for each in order.addresses]
        self._header = order.certificate_header.lower().encode()
        self._keys = {
            digest.replace(":", "").lower(): key for digest, key in order.certificates.items()
        }
        self.expected = bool(self._networks)

    def is_proxy(self, address: str) -> bool:
        """Whether an address is one of the proxies."""
        try:
            found: Any = ipaddress.ip_address(address)
        except ValueError:
            return False
        found = getattr(found, "ipv4_mapped", None) or found
        return any(found in network for network in self._networks)

    def arrived(self, scope: Any) -> tuple[str, str, str]:
        """Where a request came from: address, scheme, and the key's id of its certificate.

        The id is "" where there is no certificate.

        Raises:
            Refused: `not-signed-in` for a certificate that opens nothing, or comes twice.
        """
        peer = (scope.get("client") or ("",))[0]
        if not self.is_proxy(peer):
            return peer, scope["scheme"], ""
        told = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        hops = [hop.strip() for value in told for hop in value.decode("latin-1").split(",")]
        # From the near end: whatever a client itself wrote stands before what the proxy added.
        client = next((hop for hop in reversed(hops) if not self.is_proxy(hop)), peer)
        schemes = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
        scheme = schemes[-1].decode("latin-1").strip().lower() if schemes else ""
        scheme = scheme if scheme in ("http", "https") else scope["scheme"]
        return client, scheme, self._key_of(scope)

    def _key_of(self, scope: Any) -> str:
        if not self._header:
            return ""
        values = [value for name, value in scope["headers"] if name == self._header and value]
        if not values:
            return ""
        if len(values) > 1:
            message = "The certificate header came twice: the proxy must replace what clients send"
            raise Refused("not-signed-in", message)
        key = self._keys.get(digest_of(values[0].decode("latin-1")))
        if key is None:
            raise Refused("not-signed-in", "This client certificate opens nothing here")
        return key
