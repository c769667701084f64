"""Telephone numbers of the eleven members, in international form (E.164).

A number with its country code is read anywhere; one without it only where the text's own
country is known, since 081 234 5678 is a number in three of them.

Source: the national numbering plans as filed with the ITU (E.129), by length and first digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Plan(NamedTuple):
    """One country's plan: its code, the prefix dialled at home, and its national numbers."""

    code: str
    trunk: str
    national: re.Pattern[str]


def _plan(code: str, trunk: str, national: str) -> Plan:
    return Plan(code, trunk, re.compile(national))


PLANS = {
    "BN": _plan("673", "", r"[2-8]\d{6}"),
    "KH": _plan("855", "0", r"[1-9]\d{7,8}"),
    "ID": _plan("62", "0", r"8\d{8,11}|[2-7]\d{7,9}|9\d{7,9}"),
    "LA": _plan("856", "0", r"20[2-9]\d{7}|30\d{7}|[2-8]\d{7}"),
    "MY": _plan("60", "0", r"1\d{8,9}|[3-9]\d{7,8}"),
    "MM": _plan("95", "0", r"9\d{7,9}|[1-8]\d{5,8}"),
    "PH": _plan("63", "0", r"9\d{9}|2\d{8}|[3-8]\d{8}"),
    "SG": _plan("65", "", r"[3689]\d{7}"),
    "TH": _plan("66", "0", r"[689]\d{8}|[2-7]\d{7}"),
    "TL": _plan("670", "", r"7[2-9]\d{6}|[2-4]\d{6}"),
    "VN": _plan("84", "0", r"[35789]\d{8}|2\d{9}"),
}
_BY_CODE = {plan.code: country for country, plan in PLANS.items()}
_CANDIDATE = re.compile(
    r"(?<![0-9A-Za-z_+./@=-])(?P<mark>\+ ?|00)?(?P<rest>\(?\d(?:[ \u00a0.()-]{0,2}\d){6,14})"
    r"(?![0-9A-Za-z_@]|[.,:-]\d)"
)


def phones(text: str, country: str = "") -> Iterator[tuple[int, int, str]]:
    """Where numbers stand in a text: start, end, and the number as `+` and digits.

    Args:
        text: any text.
        country: one of the eleven codes, for numbers without a country code; "" if unknown.
    """
    for found in _CANDIDATE.finditer(text):
        number = international(found["rest"], country, marked=bool(found["mark"]))
        if number:
            yield found.start(), found.end(), number


def international(written: str, country: str, *, marked: bool) -> str:
    """A number in international form; "" when it is none of the plans'.

    Args:
        written: the digits with what parts them, without `+` or `00`.
        country: whose number it is where no country code was written.
        marked: whether `+` or `00` stood before it.
    """
    digits = re.sub(r"\D", "", written.replace("(0)", "") if marked else written)
    if marked:
        code = next((digits[:size] for size in (3, 2) if digits[:size] in _BY_CODE), "")
        plan = PLANS[_BY_CODE[code]] if code else None
        national = digits[len(code) :]
    else:
        plan = PLANS.get(country)
        if plan is None or not digits.startswith(plan.trunk):
            return ""
        national = digits[len(plan.trunk) :]
    if plan is None or not plan.national.fullmatch(national):
        return ""
    return f"+{plan.code}{national}"


def country_of(number: str) -> str:
    """The member whose number this is, in international form; "" for none."""
    return next((_BY_CODE[number[1:size]] for size in (4, 3) if number[1:size] in _BY_CODE), "")
