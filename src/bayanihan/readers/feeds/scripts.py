"""`mikrotik.rsc` and `windows-dns.ps1`: scripts for devices that load no list by themselves.

Each takes out what the script before it put in, and nothing else, and puts in what is listed
now. Neither device could be had to check them with.

Source: the RouterOS manual (`/import`, address lists, static DNS with `match-subdomain`); the
Windows DNS Server manual (`Add-DnsServerQueryResolutionPolicy`).
"""

from __future__ import annotations

from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import (
    ADDRESSES,
    CANARY_ADDRESS,
    CANARY_NAME,
    NAMES,
    Format,
    Heading,
    Item,
    commented,
    name_refusal,
    refusal_by_type,
    tag_of,
)

_CANARY_ROS = f"{CANARY_ADDRESS} is in the address list `bayanihan`"
_CANARY_PS = f"{CANARY_NAME} is denied by the policy `bayanihan-canary`"
_LONGEST_NAME = 240


def head_mikrotik(heading: Heading) -> list[str]:
    """The comments, the removal of what was there, and the canary."""
    mark = _mark(exercise=heading.exercise)
    return [
        *commented("#", heading, _CANARY_ROS, "For `/import mikrotik.rsc` on RouterOS 7."),
        f"/ip firewall address-list remove [find list={mark}]",
        f"/ipv6 firewall address-list remove [find list={mark}]",
        f"/ip dns static remove [find comment={mark}]",
        f"/ip firewall address-list add list={mark} address={CANARY_ADDRESS}",
    ]


def lines_mikrotik(item: Item) -> list[str]:
    """One command."""
    mark = _mark(exercise=item.exercise)
    if item.type == "domain":
        return [
            f"/ip dns static add name={item.value} type=NXDOMAIN match-subdomain=yes comment={mark}"
        ]
    family = "ip" if item.type.endswith("4") else "ipv6"
    return [f"/{family} firewall address-list add list={mark} address={item.value}"]


def refusal_windows(observable: Observable) -> str | None:
    """Why no policy can name it; None when one can."""
    if len(observable.value) > _LONGEST_NAME:
        return f"The name is longer than {_LONGEST_NAME} characters."
    return name_refusal(observable)


def head_windows(heading: Heading) -> list[str]:
    """The comments, the removal of what was there, and the canary."""
    mark = _mark(exercise=heading.exercise)
    return [
        *commented("#", heading, _CANARY_PS, "For PowerShell on a Windows DNS server, as admin."),
        "$ErrorActionPreference = 'Stop'",
        (
            f"Get-DnsServerQueryResolutionPolicy | Where-Object Name -Like '{mark}-*' | "
            "Remove-DnsServerQueryResolutionPolicy -Force"
        ),
        _policy(f"{mark}-canary", CANARY_NAME),
    ]


def lines_windows(item: Item) -> list[str]:
    """One policy, for the name and all below it."""
    return [_policy(f"{_mark(exercise=item.exercise)}-{tag_of(item)}", item.value)]


def _mark(*, exercise: bool) -> str:
    return "bayanihanexercise" if exercise else "bayanihan"


def _policy(name: str, fqdn: str) -> str:
    return (
        f"Add-DnsServerQueryResolutionPolicy -Name '{name}' -Action DENY -FQDN 'EQ,{fqdn},*.{fqdn}'"
    )


MIKROTIK = Format(
    name="mikrotik.rsc",
    engine="RouterOS",
    media_type="text/plain; charset=us-ascii",
    types=NAMES | ADDRESSES,
    refusal=refusal_by_type,
    head=head_mikrotik,
    lines=lines_mikrotik,
    canary=_CANARY_ROS,
    covers=True,
)
WINDOWS_DNS = Format(
    name="windows-dns.ps1",
    engine="Windows DNS Server",
    media_type="text/plain; charset=us-ascii",
    types=NAMES,
    refusal=refusal_windows,
    head=head_windows,
    lines=lines_windows,
    canary=_CANARY_PS,
    covers=True,
)
