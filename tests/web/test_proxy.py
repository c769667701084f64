"""What a proxy says is believed of a proxy alone."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.entrance_order import ProxyOrder
from bayanihan.errors import Refused
from bayanihan.web.proxy import Proxy, digest_of, source_of

DER = b"\x30\x82 a certificate as bytes \x00\xff"
DIGEST = hashlib.sha256(DER).hexdigest()
PEM = b"-----BEGIN CERTIFICATE-----\n%b-----END CERTIFICATE-----\n" % base64.encodebytes(DER)
COLONS = ":".join(DIGEST[at : at + 2].upper() for at in range(0, 64, 2))
ORDER = ProxyOrder(("10.0.0.0/24", "::1"), "Client-Cert", {COLONS: "key"})


def scope(peer: str, *headers: tuple[bytes, bytes]) -> Any:
    return {"client": (peer, 1), "scheme": "http", "headers": list(headers)}


@pytest.mark.parametrize(
    "value",
    [DIGEST, COLONS, f":{base64.b64encode(DER).decode()}:", quote(PEM)],
    ids=["hex", "colons", "rfc 9440", "pem"],
)
def test_a_certificate_is_known_however_the_proxy_writes_it(value: str) -> None:
    assert digest_of(value) == DIGEST
    told = scope("10.0.0.7", (b"client-cert", value.encode()))
    assert Proxy(ORDER).arrived(told) == ("10.0.0.7", "http", "key")


@given(st.text(st.characters(codec="latin-1"), max_size=200))
def test_no_text_breaks_the_reading_of_a_certificate(value: str) -> None:
    with contextlib.suppress(Refused):
        assert len(digest_of(value)) == 64


@pytest.mark.parametrize("peer", ["10.0.1.7", "192.0.2.1", "::2", "", "not an address"])
def test_of_anybody_else_no_header_is_looked_at(peer: str) -> None:
    told = scope(
        peer,
        (b"client-cert", DIGEST.encode()),
        (b"x-forwarded-for", b"203.0.113.9"),
        (b"x-forwarded-proto", b"https"),
    )
    assert Proxy(ORDER).arrived(told) == (peer, "http", "")
    assert Proxy(ProxyOrder()).arrived(told) == (peer, "http", "")


def test_what_a_client_wrote_itself_is_not_its_address() -> None:
    told = scope(
        "10.0.0.7",
        (b"x-forwarded-for", b"127.0.0.1, 203.0.113.9"),
        (b"x-forwarded-for", b"10.0.0.8"),
        (b"x-forwarded-proto", b"https"),
    )
    assert Proxy(ORDER).arrived(told) == ("203.0.113.9", "https", "")


@pytest.mark.parametrize(
    "headers",
    [
        [(b"client-cert", b"0" * 64)],
        [(b"client-cert", b"x")],
        [(b"client-cert", DIGEST.encode())] * 2,
    ],
    ids=["unknown", "unreadable", "twice"],
)
def test_a_certificate_that_opens_nothing_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Refused) as refused:
        Proxy(ORDER).arrived(scope("10.0.0.7", *headers))
    assert refused.value.code == "not-signed-in"


def test_no_certificate_is_no_fault() -> None:
    assert Proxy(ORDER).arrived(scope("::1", (b"client-cert", b"")))[2] == ""


def test_addresses_are_counted_by_network_in_ipv6() -> None:
    assert source_of("192.0.2.1") == "192.0.2.1"
    assert source_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert source_of("2001:db8::1") == source_of("2001:db8::ffff:2")
    assert source_of("2001:db8::1") != source_of("2001:db8:0:1::1")
    assert source_of("x" * 1_000) == "x" * 64
