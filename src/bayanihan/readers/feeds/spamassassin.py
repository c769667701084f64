"""`spamassassin.cf`: lists and rules for the mail filter SpamAssassin 4.

Names go into a list of hosts in links, which the filter looks up by hash, with the names
below them. Senders go into a list of addresses. A URL becomes a rule of its own. The filter
knows only hosts whose top-level domain it knows.

Source: Mail::SpamAssassin::Conf(3), `enlist_uri_host`, `enlist_addrlist`, `uri`.
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
    commented,
    name_refusal,
    tag_of,
    text_refusal,
)

SCORE = 5
_CANARY = f"a mail with the header `X-Bayanihan-Canary: {CANARY_NAME}` meets BAYANIHAN_CANARY"
_ABOUT = (
    "For the folder of local rules. Links to what is listed, mails from what is listed, and",
    f"listed URLs score {SCORE} each; change that with `score` in a later file.",
)
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9._+-]++@[a-z0-9._-]++")
_URL_LIMIT = 1_000


def refusal(observable: Observable) -> str | None:
    """Why the filter cannot say it; None when it can."""
    if observable.type in NAMES:
        return name_refusal(observable)
    if observable.type == "email" and _PLAIN_ADDRESS.fullmatch(observable.value) is None:
        return "The filter's lists take `*` and `?` for wildcards, and plain letters alone."
    if len(observable.value) > _URL_LIMIT:
        return f"It is longer than {_URL_LIMIT} characters."
    return text_refusal(observable)


def head(heading: Heading) -> list[str]:
    """The comments, the rules over the lists, and the canary."""
    prefix = _prefix(exercise=heading.exercise)
    told = "EXERCISE: " if heading.exercise else ""
    host, sender = f"{prefix}_LINK", f"{prefix}_SENDER"
    return [
        *commented("#", heading, _CANARY, *_ABOUT),
        f"header {prefix}_CANARY X-Bayanihan-Canary =~ /^canary\\.bayanihan\\.invalid$/",
        f"describe {prefix}_CANARY {told}Bayanihan canary, not a sign of spam",
        f"score {prefix}_CANARY 0.001",
        f"header {host} eval:check_uri_host_listed('{prefix}')",
        f"describe {host} {told}A link leads to a host on the Bayanihan list",
        f"score {host} {SCORE}",
        f"header {sender} eval:check_from_in_list('{prefix}')",
        f"describe {sender} {told}The sender is on the Bayanihan list",
        f"score {sender} {SCORE}",
        # A list that nothing is on is a mistake to the filter.
        f"enlist_uri_host ({prefix}) {CANARY_NAME}",
        f"enlist_addrlist ({prefix}) canary@{CANARY_NAME}",
    ]


def lines(item: Item) -> list[str]:
    """A place on a list, or a rule."""
    prefix = _prefix(exercise=item.exercise)
    if item.type == "domain":
        return [f"enlist_uri_host ({prefix}) {item.value}"]
    if item.type == "email":
        return [f"enlist_addrlist ({prefix}) {item.value}"]
    name = f"{prefix}_U_{tag_of(item).upper()}"
    told = "EXERCISE: " if item.exercise else ""
    return [
        f"uri {name} /^{escaped(item.value)}$/",
        f"describe {name} {told}A link is on the Bayanihan list of URLs",
        f"score {name} {SCORE}",
    ]


def escaped(text: str) -> str:
    """The text as a regular expression in a configuration file, where # begins a comment."""
    return "".join([char if char.isalnum() else f"\\x{{{ord(char):02X}}}" for char in text])


def _prefix(*, exercise: bool) -> str:
    return "BAYANIHAN_EXERCISE" if exercise else "BAYANIHAN"


SPAMASSASSIN = Format(
    name="spamassassin.cf",
    engine="spamassassin --lint",
    media_type="text/plain; charset=us-ascii",
    types=NAMES | {"url", "email"},
    refusal=refusal,
    head=head,
    lines=lines,
    canary=_CANARY,
    covers=True,
)
