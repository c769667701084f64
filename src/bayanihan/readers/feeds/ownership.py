"""Whose a name or an address is, by what the members' registry says."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from bayanihan.core.observables import Observable, host_of


def owns(country: str, assets: Iterable[str], observable: Observable) -> bool:
    """Whether a value lies within what is a member's.

    Args:
        country: the member's code, whose letters are its country's top-level domain.
        assets: names (with all below them), addresses and ranges entered as the member's.
        observable: a name, an address, a range, or a URL or mail address on one.
    """
    place = _place(observable)
    if place is None:
        return False
    if place.type == "domain":
        return any(_is_below(place.value, name) for name in (country.lower(), *assets))
    wanted = ipaddress.ip_network(place.value)
    return any(_is_inside(wanted, asset) for asset in assets)


def _place(observable: Observable) -> Observable | None:
    if observable.type == "url":
        return host_of(observable)
    if observable.type == "email":
        return Observable("domain", observable.value.rpartition("@")[2])
    known = {"domain", "ipv4", "ipv6", "cidr4", "cidr6"}
    return observable if observable.type in known else None


def _is_below(name: str, asset: str) -> bool:
    return name == asset or name.endswith(f".{asset}")


def _is_inside(wanted: ipaddress.IPv4Network | ipaddress.IPv6Network, asset: str) -> bool:
    try:
        own = ipaddress.ip_network(asset)
    except ValueError:
        return False
    if isinstance(wanted, ipaddress.IPv4Network) and isinstance(own, ipaddress.IPv4Network):
        return wanted.subnet_of(own)
    if isinstance(wanted, ipaddress.IPv6Network) and isinstance(own, ipaddress.IPv6Network):
        return wanted.subnet_of(own)
    return False
