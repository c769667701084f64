"""What a lure is built of, whatever words and language tell it: its structure.

A trait is a short text: what it pretends (`as:bank`), what it threatens or promises, what it
asks for, and how (`url:...`, `amount`, `deadline:24h`). Rewording changes none of them.
Traits are told only of a text that pretends and asks; ordinary messages have no structure.
"""

from __future__ import annotations

import re

from bayanihan.core.extract import Extraction, plain_text
from bayanihan.core.lure_words import WORDS
from bayanihan.core.observables import Observable, host_of

_TRAITS = {
    trait: re.compile(
        "|".join(
            rf"(?<![^\W_]){re.escape(word)}" if word.isascii() else re.escape(word)
            for word in words.split("|")
        )
    )
    for trait, words in WORDS.items()
}
_AMOUNT = re.compile(
    r"(?:[$€£₱฿₫¥៛₭]|\b(?:rp|rm|sgd|usd|s\$|us\$|php|thb|vnd|idr|myr))\s?\d[\d.,]*"
    r"|\d[\d.,]*\s?(?:บาท|đồng|vnd|元|ກີບ|ကျပ်|ដុល្លារ|៛|dollars?|usdt|baht|peso)",
    re.IGNORECASE,
)
_HOURS = re.compile(
    r"(\d{1,3})\s*(?:hours?|hrs?|ชั่วโมง|ชม|giờ|tiếng|oras|jam\b|ម៉ោង|ຊົ່ວໂມງ|နာရီ|小时|小時"
    r"|மணி நேர)"
    r"|oras (\d{1,2})",
    re.IGNORECASE,
)
_TOMORROW = re.compile(
    r"before tomorrow|วันพรุ่งนี้|trước ngày mai|bago bukas|sebelum besok|sebelum esok|ថ្ងៃស្អែក"
    r"|ມື້ອື່ນ|မနက်ဖြန်|明天|நாளை|molok aban"
)
_WEIGHTS = {"as": 2.0, "hush": 2.0, "deadline": 1.5, "url": 1.5, "has": 0.5}
_LEAST_TRAITS = 5


def traits(text: str, found: Extraction) -> tuple[str, ...]:
    """The traits of a lure, sorted; () for what pretends or asks for nothing.

    Args:
        text: the text itself.
        found: what it names.
    """
    shown = plain_text(text).casefold()
    told = {trait for trait, pattern in _TRAITS.items() if pattern.search(shown)}
    asks = any(trait.startswith("ask:") for trait in told)
    pretends = any(trait.startswith("as:") for trait in told)
    if not asks or not pretends:
        return ()
    if _AMOUNT.search(shown):
        told.add("amount")
    hours = _HOURS.search(shown)
    if hours:
        told.add(f"deadline:{hours[1] or hours[2]}h")
    elif _TOMORROW.search(shown):
        told.add("deadline:24h")
    for each in found.found:
        told |= _ways(each.observable)
    return tuple(sorted(told)) if len(told) >= _LEAST_TRAITS else ()


def _ways(observable: Observable) -> set[str]:
    """By which way a lure wants to be answered."""
    kind = observable.type
    if kind == "url":
        host = host_of(observable)
        depth = observable.value.rstrip("/").count("/") - 2
        form = "number" if host.type != "domain" else "idn" if "xn--" in host.value else "name"
        return {"has:url", f"url:{form}", f"url:depth{min(depth, 3)}"}
    if kind in ("phone", "handle", "email", "wallet", "meeting", "package"):
        return {f"has:{kind}"}
    return {"has:url"} if kind == "domain" else set()


def likeness(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    """How much two structures have in common, 0 to 1, by weight."""
    left, right = set(one), set(other)
    if not left or not right:
        return 0.0
    common = sum(_weight(trait) for trait in left & right)
    return common / sum(_weight(trait) for trait in left | right)


def _weight(trait: str) -> float:
    return _WEIGHTS.get(trait.partition(":")[0], 1.0)
