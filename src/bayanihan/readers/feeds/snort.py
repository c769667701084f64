"""`snort.rules`: names in DNS queries, addresses and plain-text URLs, for Snort 3.

A name is looked for as it travels in a query: each label behind its length, so that labels
match whole and `t.co` never matches `at.com`. No Snort could be had to check this feed with.

Source: the Snort 3 rule writing guide; RFC 1035 section 4.1.2 (names in queries).
"""

from __future__ import annotations

from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import (
    ADDRESSES,
    ALERTING,
    CANARY_NAME,
    NAMES,
    Format,
    Heading,
    Item,
    address_refusal,
    commented,
    name_refusal,
)
from bayanihan.readers.feeds.rule_ids import canary_number
from bayanihan.readers.feeds.rule_text import one_rule_refusal, renumbered, rule_name
from bayanihan.readers.feeds.suricata import hexed, url_refusal

_CANARY = f"a DNS query for {CANARY_NAME} raises the rule `Bayanihan canary`"
_ABOUT = "For Snort 3. Names are whole labels: t.co matches t.co and x.t.co, never at.com."


def refusal(observable: Observable) -> str | None:
    """Why no rule can say it; None when one can."""
    if observable.type in NAMES:
        reason = name_refusal(observable)
        if reason is None and any(len(label) > 63 for label in observable.value.split(".")):
            return "The name is longer than names in the DNS can be."
        return reason
    if observable.type in ADDRESSES:
        return address_refusal(observable)
    if observable.type == "snort":
        return one_rule_refusal(observable.value)
    if observable.type == "url":
        if ":" in observable.value.removeprefix("http://").partition("/")[0]:
            return "This format says nothing of ports in URLs."
        return url_refusal(observable)
    return None


def head(heading: Heading) -> list[str]:
    """The comments, and the canary."""
    canary = _name_rule(CANARY_NAME, "Bayanihan canary", "alert")
    return [
        *commented("#", heading, _CANARY, _ABOUT),
        renumbered(canary, canary_number(heading.hub)),
    ]


def rules(item: Item) -> list[tuple[str, str]]:
    """A rule for an item without its number, under a name."""
    return [(rule_name(item), _rule(item))]


def _rule(item: Item) -> str:
    verb = "block" if item.mode == "block" else "alert"
    if item.type == "snort":
        return item.value.strip()
    said = f"Bayanihan {'EXERCISE ' if item.exercise else ''}{item.level}"
    if item.type == "domain":
        return _name_rule(item.value, f"{said} {item.value}", verb)
    if item.type == "url":
        host, _, path = item.value.removeprefix("http://").partition("/")
        return (
            f'{verb} http (msg:"{said} URL on {host}"; http_header:field host; '
            f'content:"{hexed(host)}",nocase; http_uri; content:"{hexed("/" + path)}"; rev:1;)'
        )
    return f'{verb} ip any any <> {item.value} any (msg:"{said} {item.value}"; rev:1;)'


def _name_rule(name: str, said: str, verb: str) -> str:
    wire = "".join(f"|{len(label):02X}|{label}" for label in name.split("."))
    return (
        f'{verb} udp any any -> any 53 (msg:"{said}"; content:"{wire}|00|",nocase,offset 12; '
        f"rev:1;)"
    )


SNORT = Format(
    name="snort.rules",
    engine="Snort 3",
    media_type="text/plain; charset=utf-8",
    types=NAMES | ADDRESSES | {"url", "snort"},
    refusal=refusal,
    head=head,
    lines=lambda item: [_rule(item)],
    rules=rules,
    canary=_CANARY,
    modes=ALERTING,
)
