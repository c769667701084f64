"""How the hub is entered, as an operator orders it in `hub.toml`: TLS, a proxy, limits."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one key may ask of the hub; 0 says nothing, and the next wider limit holds.

    `requests_per_s` is a rate that may be exceeded in bursts, see `LimitsOrder.burst_s`;
    `in_flight` counts requests that are not answered, or whose answer was not taken in yet;
    `body_bytes` is the size of one request's body as it is sent.
    """

    requests_per_s: int = 0
    in_flight: int = 0
    body_bytes: int = 0

    def over(self, wider: Limits) -> Limits:
        """These limits, with what they do not say from wider ones."""
        return Limits(
            self.requests_per_s or wider.requests_per_s,
            self.in_flight or wider.in_flight,
            self.body_bytes or wider.body_bytes,
        )


class LimitsOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[limits]`: for each key, and for each address that comes without one.

    `burst_s` is how many seconds' worth of requests may come at once.
    """

    requests_per_s: int = 2_000
    in_flight: int = 64
    body_bytes: int = 0
    public_requests_per_s: int = 200
    public_in_flight: int = 32
    burst_s: int = 10

    @property
    def of_keys(self) -> Limits:
        """What holds for a key that has no limits of its own."""
        return Limits(self.requests_per_s, self.in_flight, self.body_bytes)

    @property
    def of_addresses(self) -> Limits:
        """What holds for an address that comes without a key."""
        return Limits(self.public_requests_per_s, self.public_in_flight, self.body_bytes)


class ProxyOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[proxy]`: what is believed of a proxy that stands before the hub.

    `addresses` are those of the proxy itself, as addresses or networks: nobody else's
    `X-Forwarded-For`, `X-Forwarded-Proto` or certificate header is looked at.
    `certificate_header` names the header in which it passes a client's certificate on;
    `certificates` maps the SHA-256 of such a certificate (hex) to a key's id.
    """

    addresses: tuple[str, ...] = ()
    certificate_header: str = ""
    certificates: dict[str, str] = {}


class TlsOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[tls]`: files in PEM, relative to the data directory."""

    certificate: str = ""
    key: str = ""
