"""`suricata.rules`: names, addresses and plain-text URLs, and members' own Suricata rules.

A name matches with its labels whole: `t.co` matches `t.co` and `x.t.co`, never `at.com`. It
is looked for where it travels in the clear: in DNS queries, in the server name of TLS and in
the host of HTTP. `drop` blocks where Suricata runs inline, and alerts where it does not.

Source: the Suricata 7 user guide: rule format, `dotprefix`, `dns.query`, `tls.sni`,
`http.host`, `http.uri`.
"""

from __future__ import annotations

import re

from bayanihan.core.observables import Observable, host_of, observe
from bayanihan.errors import Refused
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
    text_refusal,
)
from bayanihan.readers.feeds.rule_ids import canary_number
from bayanihan.readers.feeds.rule_text import one_rule_refusal, renumbered, rule_name

_CANARY = f"a DNS query for {CANARY_NAME} raises the rule `Bayanihan canary`"
_ABOUT = (
    "For `rule-files:` of suricata.yaml. `drop` blocks where Suricata runs inline; elsewhere",
    "it alerts. Names are whole labels: t.co matches t.co and x.t.co, never at.com.",
)
_BUFFERS = ("dns.query", "tls.sni", "http.host")
_CONTENT_LIMIT = 255
_PLAIN = re.compile(r"[A-Za-z0-9_./~=&%+-]")
_URL = re.compile(r"http://([^/@]++)(/.*)")


def refusal(observable: Observable) -> str | None:
    """Why no rule can say it; None when one can."""
    kind, value = observable.type, observable.value
    if kind in NAMES:
        return name_refusal(observable)
    if kind in ADDRESSES:
        return address_refusal(observable)
    if kind == "suricata":
        return one_rule_refusal(value)
    if kind == "url":
        return url_refusal(observable)
    return None


def url_refusal(observable: Observable) -> str | None:
    """Why a sensor on the wire cannot see a URL; None when it can."""
    if observable.value.startswith("https://"):
        return "The path of an https URL is encrypted, so that no sensor on the wire sees it."
    found = _URL.fullmatch(observable.value)
    if found is None:
        return "A sensor on the wire sees only http URLs, without a user's name."
    if not _is_canonical(observable):
        return "The value is no URL in its canonical spelling."
    if len(found[2]) > _CONTENT_LIMIT:
        return f"The path is longer than the {_CONTENT_LIMIT} characters that a rule holds."
    return text_refusal(observable)


def _is_canonical(observable: Observable) -> bool:
    try:
        return observe("url", observable.value) == observable
    except Refused:
        return False


def head(heading: Heading) -> list[str]:
    """The comments, and the canary."""
    canary = _name_rule(CANARY_NAME, "dns.query", "Bayanihan canary", "alert")
    return [
        *commented("#", heading, _CANARY, *_ABOUT),
        renumbered(canary, canary_number(heading.hub)),
    ]


def rules(item: Item) -> list[tuple[str, str]]:
    """A rule for each place where an item can be seen, without its number, under a name."""
    verb = "drop" if item.mode == "block" else "alert"
    if item.type == "suricata":
        return [(rule_name(item), item.value.strip())]
    said = f"Bayanihan {'EXERCISE ' if item.exercise else ''}{item.level}"
    if item.type == "domain":
        return [
            (
                rule_name(item, buffer),
                _name_rule(item.value, buffer, f"{said} {item.value}", verb),
            )
            for buffer in _BUFFERS
        ]
    if item.type == "url":
        return [(rule_name(item), _url_rule(item.value, said, verb))]
    text = f'{verb} ip any any <> {item.value} any (msg:"{said} {item.value}"; rev:1;)'
    return [(rule_name(item), text)]


def _name_rule(name: str, buffer: str, said: str, verb: str) -> str:
    protocol = buffer.partition(".")[0]
    return (
        f'{verb} {protocol} any any -> any any (msg:"{said}"; {buffer}; dotprefix; '
        f'content:".{name}"; {_nocase(buffer)}endswith; rev:1;)'
    )


def _nocase(buffer: str) -> str:
    # `http.host` is lower-cased by the engine, which refuses `nocase` there.
    return "" if buffer == "http.host" else "nocase; "


def _url_rule(value: str, said: str, verb: str) -> str:
    found = _URL.fullmatch(value)
    if found is None:
        raise ValueError("a URL that was not asked for")
    place, path = found.groups()
    host = host_of(value).value
    port = place.rpartition(":")[2]
    port = port if port.isdigit() and not place.endswith("]") and ":" in place else "any"
    return (
        f'{verb} http any any -> any {port} (msg:"{said} URL on {host}"; http.host; '
        f'content:"{hexed(host)}"; startswith; endswith; http.uri; content:"{hexed(path)}"; '
        f"startswith; endswith; rev:1;)"
    )


def hexed(text: str) -> str:
    """The text for a `content`, with every character that rules read in hexadecimal."""
    return "".join([char if _PLAIN.match(char) else f"|{ord(char):02X}|" for char in text])


SURICATA = Format(
    name="suricata.rules",
    engine="suricata -T",
    media_type="text/plain; charset=utf-8",
    types=NAMES | ADDRESSES | {"url", "suricata"},
    refusal=refusal,
    head=head,
    lines=lambda item: [text for _, text in rules(item)],
    rules=rules,
    canary=_CANARY,
    modes=ALERTING,
)
