"""What a written consent must be, and what a key may be that reports in another's name."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Protocol

import msgspec

from bayanihan.core import moment
from bayanihan.core.marking import Viewer
from bayanihan.errors import Refused
from bayanihan.registry.changes import ConsentGiven
from bayanihan.registry.consents import Consent, Consents

SERVING_SCOPES = frozenset({"report", "read"})
LONGEST_DAYS = 731
_DAY_US = 24 * 3_600 * 1_000_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TITLE_LIMIT = 200


class ConsentOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A consent to record: who serves, the signed paper, and from when until when.

    `signed` is the paper's date, `sha256` the hex digest of its file; `since` is "" for now.
    """

    proxy: str
    title: str
    signed: str
    sha256: str
    until: str
    since: str = ""


class Holder(Protocol):
    """What is asked of an order for a key."""

    @property
    def serves(self) -> str:
        """In whose name it reports, "" for its own."""

    @property
    def member(self) -> str:
        """Whose it is."""

    @property
    def constituent(self) -> str:
        """Which organisation's under that member."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """What it may do."""

    @property
    def level(self) -> str:
        """The TLP level of what it submits unmarked."""


def consent_of(
    author: Viewer,
    code: str,
    order: ConsentOrder,
    certs: Mapping[str, str],
    known: Consents,
    now_us: int,
) -> ConsentGiven:
    """The change that records a consent.

    Args:
        author: who records it: the member's administrator, or the operator.
        code: the member that consents.
        order: what it consents to.
        certs: each member's national CERT, "" for none.
        known: the consents so far.
        now_us: the hub's clock.

    Raises:
        Refused: `not-permitted`, `bad-value`, or `conflict` with a consent that stands.
    """
    if not author.member and certs[code]:
        message = f"{code} has a CERT of its own, {certs[code]}: it consents by itself"
        step = f"Let an administrator of {code} record it."
        raise Refused("not-permitted", message, where="code", next_step=step)
    if order.proxy not in certs:
        raise Refused("bad-value", f"There is no member {order.proxy[:40]!r}", where="proxy")
    if order.proxy == code:
        raise Refused("bad-value", f"{code} needs no consent to speak for itself", where="proxy")
    _check_paper(order, now_us)
    since_us, until_us = _times(order, now_us)
    _check_free(code, order.proxy, since_us, until_us, known.standing(now_us))
    return ConsentGiven(
        now_us,
        code,
        order.proxy,
        order.title.strip(),
        order.signed,
        order.sha256.lower(),
        since_us,
        until_us,
        author.origin,
    )


def _check_paper(order: ConsentOrder, now_us: int) -> None:
    title = order.title.strip()
    if not title or len(title) > _TITLE_LIMIT or not title.isprintable():
        message = f"A consent is a signed paper: give its title, {_TITLE_LIMIT} characters at most"
        raise Refused("bad-value", message, where="title")
    if not _SHA256.fullmatch(order.sha256.lower()):
        message = "A consent is a signed paper: give the SHA-256 of its file, 64 hex digits"
        raise Refused("bad-value", message, where="sha256")
    try:
        signed = datetime.datetime.strptime(order.signed, "%Y-%m-%d").date()  # noqa: DTZ007
    except ValueError:
        message = "A consent is a signed paper: give the day it was signed, such as 2026-11-20"
        raise Refused("bad-value", message, where="signed") from None
    if (moment.parse(f"{signed}T00:00:00Z") or 0) > now_us + _DAY_US:
        raise Refused("bad-value", "It was signed on a day to come", where="signed")


def _times(order: ConsentOrder, now_us: int) -> tuple[int, int]:
    since_us = moment.parse(order.since) if order.since else now_us
    until_us = moment.parse(order.until)
    if since_us is None or since_us < now_us:
        message = "A consent begins now (leave `since` out) or later: it opens nothing older"
        raise Refused("bad-value", message, where="since")
    if until_us is None or until_us <= since_us:
        message = "A consent ends after it begins, at a time such as 2027-11-30T00:00:00Z"
        raise Refused("bad-value", message, where="until")
    if until_us - since_us > LONGEST_DAYS * _DAY_US:
        message = f"A consent lasts {LONGEST_DAYS} days at most; then it is given anew"
        raise Refused("bad-value", message, where="until")
    return since_us, until_us


def _check_free(
    code: str, proxy: str, since_us: int, until_us: int, standing: list[Consent]
) -> None:
    for each in standing:
        if each.member == code and each.since_us < until_us and since_us < each.over_us:
            until = moment.render(each.over_us)
            message = f"{each.proxy} serves {code} until {until}, and one at a time does"
            step = f"Take it back first: bayanihan member hand-back {code}"
            raise Refused("conflict", message, where="proxy", next_step=step)
        if each.member == proxy:
            message = f"{proxy} is itself served by {each.proxy}: no proxy has a proxy"
            step = "Name a member that speaks for itself."
            raise Refused("conflict", message, where="proxy", next_step=step)
        if each.proxy == code:
            message = f"{code} serves {each.member}: no proxy has a proxy"
            step = f"Let {each.member} hand back first."
            raise Refused("conflict", message, where="code", next_step=step)


def serving_until_us(order: Holder, known: Consents, now_us: int) -> int:
    """When a key for another member must end; 0 for a key that serves nobody.

    Raises:
        Refused: `bad-value` for what such a key cannot be, `not-permitted` without consent.
    """
    code = order.serves
    if not code:
        return 0
    if not order.member or order.constituent or order.member == code:
        message = f"Only another member's own staff reports for {code[:40]}"
        raise Refused("bad-value", message, where="serves")
    if beyond := sorted(set(order.scopes) - SERVING_SCOPES):
        message = f"A key for another member reports and reads; it cannot have `{beyond[0]}`"
        raise Refused("bad-value", message, where="scopes")
    if order.level == "red":
        message = f"RED in {code}'s name would be hidden from {code} itself"
        raise Refused("bad-value", message, where="level")
    held = known.holding(code, now_us)
    if held and held.proxy == order.member:
        return held.until_us
    over = [each for each in known.of(code) if each.proxy == order.member and not held]
    if over and over[-1].over_us <= now_us:
        message = f"{code}'s consent that {order.member} serves it ended"
        message += f" on {moment.render(over[-1].over_us)[:10]}"
    elif over:
        message = f"{code}'s consent begins on {moment.render(over[-1].since_us)}"
    else:
        message = f"{code} has not consented that {order.member} serves it"
    step = f"Record the signed consent: bayanihan member proxy {code} --by {order.member} ..."
    raise Refused("not-permitted", message, where="serves", next_step=step)
