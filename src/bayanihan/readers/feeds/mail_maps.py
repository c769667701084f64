"""`rspamd.map` and `postfix.access`: what mail servers look up.

`rspamd.map` is for a `multimap` of type `url` with `regexp = true`, which sees the host:
each name with the names below it. `postfix.access` is an access table for
`check_sender_access` and `check_client_access`: a name there takes the names below it along,
as `parent_domain_matches_subdomains` has it by default.

Source: the rspamd documentation, module multimap; access(5) and postmap(1) of Postfix.
"""

from __future__ import annotations

import re

from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import (
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

_CANARY = f"{CANARY_NAME} is listed"
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9._+=-]++@[a-z0-9._-]++")


def head_rspamd(heading: Heading) -> list[str]:
    """The comments and the canary."""
    about = 'For a multimap with type = "url" and regexp = true.'
    return [*commented("#", heading, _CANARY, about), _pattern(CANARY_NAME)]


def lines_rspamd(item: Item) -> list[str]:
    """The name with all below it, as an expression over the whole host."""
    return [_pattern(item.value)]


def refusal_postfix(observable: Observable) -> str | None:
    """Why the table cannot have it as a key; None when it can."""
    if observable.type in NAMES:
        return name_refusal(observable)
    if observable.type == "email":
        if _PLAIN_ADDRESS.fullmatch(observable.value) is None:
            return "The address has signs that a table may read as something else."
        return text_refusal(observable)
    return address_refusal(observable)


def head_postfix(heading: Heading) -> list[str]:
    """The comments and the canary."""
    about = "For check_sender_access and check_client_access; make it a table with postmap."
    return [*commented("#", heading, _CANARY, about), _entry(CANARY_NAME, exercise=False)]


def lines_postfix(item: Item) -> list[str]:
    """One key with its action."""
    return [_entry(item.value, exercise=item.exercise)]


def _pattern(name: str) -> str:
    escaped = name.replace(".", "\\.")
    return f"/^(?:[^.]+\\.)*{escaped}$/i"


def _entry(key: str, *, exercise: bool) -> str:
    return f"{key} REJECT {'EXERCISE: ' if exercise else ''}on the Bayanihan list"


RSPAMD = Format(
    name="rspamd.map",
    engine="rspamadm",
    media_type="text/plain; charset=us-ascii",
    types=NAMES,
    refusal=name_refusal,
    head=head_rspamd,
    lines=lines_rspamd,
    canary=_CANARY,
    covers=True,
)
POSTFIX = Format(
    name="postfix.access",
    engine="postmap",
    media_type="text/plain; charset=us-ascii",
    types=NAMES | {"email", "ipv4", "ipv6"},
    refusal=refusal_postfix,
    head=head_postfix,
    lines=lines_postfix,
    canary=_CANARY,
    covers=True,
)
